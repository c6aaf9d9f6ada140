package sample

import (
	"context"
	"fmt"
	"time"
)

const serviceTable = "service_interactions"

// serviceRow has the columns that the guide's third example reads. An empty text
// is NULL.
type serviceRow struct {
	InteractionID   string `parquet:"service_interaction_id"`
	CustomerID      string `parquet:"customer_id,optional"`
	ServiceType     string `parquet:"service_type,dict"`
	ContactMethod   string `parquet:"contact_method,dict"`
	InteractionDate string `parquet:"interaction_date,dict"`
	CompletedAt     string `parquet:"interaction_completed_at,optional"`
	Status          string `parquet:"interaction_status,dict"`
	SMSOptIn        *bool  `parquet:"sms_opt_in,optional"`
	Marketplace     string `parquet:"marketplace,dict"`
}

// services writes the calls and chats with customer service, in the order of the
// days. Customers who have trouble call more than once.
func (g *generator) services(ctx context.Context) error {
	d, n := g.dice(streamServices), max(1, g.options.Rows/20)
	types := []choice{
		{"delivery", 0.36}, {"returns", 0.24}, {"billing", 0.16}, {"technical", 0.15}, {"account_closure", 0.04}, {"complaint", 0.05},
	}
	methods := []choice{{"chat", 0.52}, {"phone", 0.36}, {"mail", 0.12}}
	statuses := []choice{{"COMPLETED", 0.82}, {"ABANDONED", 0.1}, {"ESCALATED", 0.08}}
	return writeFile(ctx, g, "part-00000.parquet", n, n, func(i int, row *serviceRow) {
		day := firstDay().AddDays(i * days / n)
		who := &g.people[d.regular(len(g.people))]
		*row = serviceRow{
			InteractionID: fmt.Sprintf("SVC-%07d", i+1), CustomerID: who.id,
			ServiceType: d.choose(types), ContactMethod: d.choose(methods),
			InteractionDate: day.String(), Status: d.choose(statuses),
			SMSOptIn: new(who.sms), Marketplace: who.marketplace,
		}
		if row.Status == "COMPLETED" {
			opening := 8 * time.Hour
			row.CompletedAt = day.In(time.UTC).Add(opening + time.Duration(d.IntN(12*3600))*time.Second).Format(time.RFC3339)
		}
		switch u := d.Float64(); {
		case u < 0.005:
			row.CustomerID = "" // a caller who did not say who they are
		case u < 0.015:
			row.CompletedAt = "" // closed by hand, without a time
		case u < 0.035:
			row.SMSOptIn = nil
		}
	})
}
