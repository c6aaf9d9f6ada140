package sample

import (
	"context"
	"fmt"
	"math"
	"time"
)

const videoTable = "video_watch_history"

// videoRow has the columns that the guide's second example reads. An empty text
// is NULL.
type videoRow struct {
	CustomerID       string  `parquet:"customer_id,optional"`
	VideoID          string  `parquet:"video_id,dict"`
	WatchDate        string  `parquet:"watch_date,dict"`
	WatchCompletedAt string  `parquet:"watch_completed_at,optional"`
	WatchPercentage  float64 `parquet:"watch_percentage"`
	Device           string  `parquet:"device,dict"`
	Marketplace      string  `parquet:"marketplace,dict"`
}

// videos writes what was watched, in the order of the days.
func (g *generator) videos(ctx context.Context) error {
	d, n := g.dice(streamVideos), max(1, g.options.Rows*3/5)
	titles := max(10, min(5_000, n/100))
	devices := []choice{{"tv", 0.46}, {"phone", 0.31}, {"tablet", 0.12}, {"web", 0.11}}
	return writeFile(ctx, g, "part-00000.parquet", n, n, func(i int, row *videoRow) {
		day := firstDay().AddDays(i * days / n)
		who := &g.people[d.regular(len(g.people))]
		*row = videoRow{
			CustomerID: who.id, VideoID: fmt.Sprintf("VID-%04d", 1+d.early(titles)),
			WatchDate: day.String(), WatchPercentage: percentage(d),
			Device: d.choose(devices), Marketplace: who.marketplace,
		}
		if row.WatchPercentage >= 80 {
			row.WatchCompletedAt = day.In(time.UTC).Add(evening(d)).Format(time.RFC3339)
		}
		switch u := d.Float64(); {
		case u < 0.004:
			row.CustomerID = "" // watched without an account
		case u < 0.006 && row.WatchCompletedAt != "":
			row.WatchCompletedAt = "1970-01-01T00:00:00Z" // a device that lost its clock
		}
	})
}

// percentage returns how much of a video was watched: nearly all of it by most,
// anything by the others.
func percentage(d dice) float64 {
	p := d.between(1, 90)
	if d.chance(0.45) {
		p = d.between(90, 100)
	}
	return math.Round(p*10) / 10
}

// evening returns a time of day, in whole seconds, mostly in the evening.
func evening(d dice) time.Duration {
	hour := math.Mod(24+20+2.5*d.NormFloat64(), 24) // no draw is 17 deviations off, which would be below 0
	return time.Duration(hour * float64(time.Hour)).Truncate(time.Second)
}
