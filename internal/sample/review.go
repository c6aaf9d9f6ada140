package sample

import "context"

const reviewTable = "review_submissions"

type reviewRow struct {
	CustomerID  string `parquet:"customer_id"`
	ProductID   string `parquet:"product_id,dict"`
	SubmittedAt string `parquet:"submitted_at,dict"`
	Rating      int32  `parquet:"rating"`
}

// reviews writes the reviews that the deliveries led to. Each names its customer:
// one NULL in the list of a NOT IN empties the query's result.
func (g *generator) reviews(ctx context.Context) error {
	d, n := g.dice(streamReviews), len(g.reviewed)
	return writeFile(ctx, g, "part-00000.parquet", n, n, func(i int, row *reviewRow) {
		*row = g.reviewed[i]
		row.Rating = rating(d)
	})
}

// rating returns 1 to 5 stars, mostly 5.
func rating(d dice) int32 {
	u := d.Float64()
	stars := int32(5)
	for _, below := range []float64{0.58, 0.8, 0.89, 0.94} {
		if u >= below {
			stars--
		}
	}
	return stars
}
