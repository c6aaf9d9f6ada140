package sample

import (
	"context"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
)

const deliveryTable = "product_deliveries"

// product is something that the shop sells.
type product struct {
	id, category string
	price        float64
}

// deliveryRow has the guide's nine columns and the two that its first example
// reads. An empty text and a value of 0 are NULL.
type deliveryRow struct {
	CustomerID      string  `parquet:"customer_id,optional"`
	ProductID       string  `parquet:"product_id,dict"`
	OrderID         string  `parquet:"order_id"`
	DeliveryDate    string  `parquet:"delivery_date,optional,dict"`
	OrderValue      float64 `parquet:"order_value,optional"`
	ProductCategory string  `parquet:"product_category,dict"`
	Marketplace     string  `parquet:"marketplace,dict"`
	EmailEligible   *bool   `parquet:"email_eligible,optional"`
	SMSEligible     *bool   `parquet:"sms_eligible,optional"`
	EmailOptIn      bool    `parquet:"email_opt_in"`
	DeliveryStatus  string  `parquet:"delivery_status,dict"`
}

// makeCatalog returns n products, the best-selling first.
func makeCatalog(d dice, n int) []product {
	categories := []choice{
		{"Books", 0.22},
		{"Kitchen", 0.2},
		{"Clothing", 0.18},
		{"Electronics", 0.14},
		{"Toys", 0.1},
		{"Garden", 0.09},
		{"Beauty", 0.07},
	}
	medians := map[string]float64{
		"Books": 14, "Kitchen": 27, "Clothing": 33, "Electronics": 85, "Toys": 22, "Garden": 38, "Beauty": 17,
	}
	catalog := make([]product, n)
	for i, id := range d.Perm(n) {
		category := d.choose(categories)
		price := max(1.99, cents(d.logNormal(medians[category], 0.55)))
		catalog[i] = product{id: fmt.Sprintf("PROD-%05d", id+1), category: category, price: price}
	}
	return catalog
}

// deliveries writes a file per day, and remembers the reviews that follow.
func (g *generator) deliveries(ctx context.Context) error {
	d := deliveryMaker{dice: g.dice(streamDeliveries), g: g}
	first := 0
	for i, n := range share(g.options.Rows, dayWeights()) {
		d.day, d.date = firstDay().AddDays(i), firstDay().AddDays(i).String()
		if n == 0 {
			continue
		}
		name := "delivery_date_partition=" + d.date + "/part-00000.parquet"
		err := writeFile(ctx, g, name, n, g.options.Rows, func(i int, row *deliveryRow) { d.fill(first+i, i, row) })
		if err != nil {
			return err
		}
		first += n
	}
	return nil
}

// dayWeights returns how much is delivered each day: little on Sundays, and less
// and less after the holidays.
func dayWeights() []float64 {
	week := [...]float64{time.Sunday: 0.3, 1.15, 1.1, 1.05, 1, 1.1, 0.75}
	weights := make([]float64, days)
	for i := range weights {
		day := firstDay().AddDays(i).In(time.UTC)
		weights[i] = week[day.Weekday()] * (1.25 - 0.3*float64(i)/days)
		if day.Month() == time.January && day.Day() == 1 {
			weights[i] *= 0.1
		}
	}
	return weights
}

// deliveryMaker makes the deliveries of one day after another.
type deliveryMaker struct {
	dice
	g    *generator
	day  ceap.Date
	date string
	last deliveryRow // of this day
}

// fill makes delivery number n of all, number i of its day.
func (d *deliveryMaker) fill(n, i int, row *deliveryRow) {
	if i > 0 && d.chance(0.006) { // a feed that delivers at least once repeats itself
		*row = d.last
		return
	}
	who, what := &d.g.people[d.regular(len(d.g.people))], &d.g.catalog[d.early(len(d.g.catalog))]
	*row = deliveryRow{
		CustomerID: who.id, ProductID: what.id, OrderID: fmt.Sprintf("ORD-%08d", n+1),
		DeliveryDate: d.date, ProductCategory: what.category, Marketplace: who.marketplace,
		OrderValue:    cents(what.price * float64(d.quantity())),
		EmailEligible: new(who.email && !d.chance(0.03)), // mails to some bounce
		SMSEligible:   new(who.sms),
		EmailOptIn:    who.email,
		DeliveryStatus: d.choose([]choice{
			{"DELIVERED", 0.93}, {"RETURNED", 0.04}, {"IN_TRANSIT", 0.02}, {"LOST", 0.01},
		}),
	}
	if row.DeliveryStatus == "DELIVERED" {
		d.review(row)
	}
	d.soil(row)
	d.last = *row
}

func (d *deliveryMaker) quantity() int {
	switch u := d.Float64(); {
	case u < 0.84:
		return 1
	case u < 0.96:
		return 2
	default:
		return 3
	}
}

// review decides whether the customer reviews the product: some bought and
// reviewed it before, some do so within two weeks.
func (d *deliveryMaker) review(row *deliveryRow) {
	on := d.day
	switch u := d.Float64(); {
	case u < 0.06:
		on = on.AddDays(-30 - d.IntN(370))
	case u < 0.16:
		on = on.AddDays(1 + d.IntN(14))
	default:
		return
	}
	if on <= lastDay() {
		d.g.reviewed = append(d.g.reviewed, reviewRow{
			CustomerID: row.CustomerID, ProductID: row.ProductID, SubmittedAt: on.String(),
		})
	}
}

// soil makes a few rows as bad as real ones.
func (d *deliveryMaker) soil(row *deliveryRow) {
	switch u := d.Float64(); {
	case u < 0.003:
		row.CustomerID = "" // a guest
	case u < 0.004:
		row.CustomerID = "  "
	case u < 0.005:
		row.DeliveryDate = ""
	case u < 0.006:
		row.DeliveryDate = "0000-00-00"
	case u < 0.007:
		row.DeliveryDate = d.day.In(time.UTC).Format("02/01/2006")
	case u < 0.0075:
		row.DeliveryDate = "2062" + d.date[4:] // digits swapped
	case u < 0.0125:
		row.OrderValue = 0
	case u < 0.0225:
		row.EmailEligible = nil
	}
}
