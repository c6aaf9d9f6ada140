package sample

import (
	"context"
	"fmt"

	"github.com/ceap-platform/ceap"
)

const customerTable = "customers"

// person is a customer as the other tables see one.
type person struct {
	id          string
	marketplace string
	email, sms  bool // consent
	push        bool
}

type customerRow struct {
	CustomerID  string   `parquet:"customer_id"`
	Marketplace string   `parquet:"marketplace,dict"`
	Locale      string   `parquet:"locale,dict"`
	LoyaltyTier string   `parquet:"loyalty_tier,dict"`
	SignupDate  string   `parquet:"signup_date,dict"`
	TrustScore  *float64 `parquet:"trust_score,optional"`
	FraudScore  *float64 `parquet:"fraud_score,optional"`
	EmailOptIn  bool     `parquet:"email_opt_in"`
	SMSOptIn    bool     `parquet:"sms_opt_in"`
	PushOptIn   bool     `parquet:"push_opt_in"`
}

// makePeople returns n customers. The first ones buy most; their ids do not show
// it.
func makePeople(d dice, n int) []person {
	marketplaces := []choice{{"US", 0.55}, {"UK", 0.18}, {"DE", 0.15}, {"FR", 0.07}, {"JP", 0.05}}
	people := make([]person, n)
	for i, id := range d.Perm(n) {
		people[i] = person{
			id:          fmt.Sprintf("CUST-%06d", id+1),
			marketplace: d.choose(marketplaces),
			email:       d.chance(0.82),
			sms:         d.chance(0.35),
			push:        d.chance(0.5),
		}
	}
	return people
}

// customers writes the table of customers, each once.
func (g *generator) customers(ctx context.Context) error {
	d, n := g.dice(streamCustomers), len(g.people)
	locales := map[string][]choice{
		"US": {{"en-US", 0.88}, {"es-US", 0.12}},
		"UK": {{"en-GB", 1}},
		"DE": {{"de-DE", 0.93}, {"en-GB", 0.07}},
		"FR": {{"fr-FR", 1}},
		"JP": {{"ja-JP", 1}},
	}
	tiers := []choice{{"none", 0.55}, {"silver", 0.28}, {"gold", 0.13}, {"platinum", 0.04}}
	return writeFile(ctx, g, "part-00000.parquet", n, n, func(i int, row *customerRow) {
		p := &g.people[i]
		*row = customerRow{
			CustomerID: p.id, Marketplace: p.marketplace,
			Locale: d.choose(locales[p.marketplace]), LoyaltyTier: d.choose(tiers),
			SignupDate: signup(d).String(),
			TrustScore: trust(d), FraudScore: fraud(d),
			EmailOptIn: p.email, SMSOptIn: p.sms, PushOptIn: p.push,
		}
	})
}

// signup returns a day of the five years before the shop's data; recent ones are
// likelier.
func signup(d dice) ceap.Date { return firstDay().AddDays(-1 - d.early(5*365)) }

// trust returns a trust score: high for most, low for some, unknown for a few.
func trust(d dice) *float64 {
	var score float64
	switch u := d.Float64(); {
	case u < 0.01:
		return nil
	case u < 0.05:
		score = d.between(0, 0.5)
	default:
		low := d.Float64()
		score = 1 - 0.45*low*low
	}
	score = hundredths(score)
	return &score
}

// fraud returns a fraud score: low for nearly everybody, unknown for a few.
func fraud(d dice) *float64 {
	var score float64
	switch u := d.Float64(); {
	case u < 0.01:
		return nil
	case u < 0.025:
		score = d.between(0.5, 1)
	default:
		high := d.Float64()
		score = 0.3 * high * high
	}
	score = hundredths(score)
	return &score
}
