//go:build cgo

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// List prices of us-east-1, in dollars: check before relying.
const (
	priceScanned    = 5.00 / 1e12          // a byte that Athena scans
	priceGBSecond   = 0.0000133334         // of a function on arm64
	priceInvocation = 0.20 / 1e6           // of a function
	priceWrite      = 0.625 / 1e6          // of up to 1 KB into an on-demand table or index
	priceRead       = 0.125 / 1e6          // of up to 4 KB, consistent
	priceTransition = 25.0 / 1e6           // of a standard state machine
	priceGet        = 0.40 / 1e6           // of an object
	pricePut        = 5.00 / 1e6           // of an object, or of a part of one
	priceStored     = 0.023 / (30 * 86400) // a GB and second in S3
)

// Quotas of AWS: check before relying.
const (
	queryMinutes   = 30.0     // of an Athena query
	callSeconds    = 900.0    // of a function
	tableWrites    = 40_000.0 // units a second, default of a table
	newTableWrites = 4_000.0  // of a new on-demand table
	childStarts    = 100.0    // standard executions a second
	prefixGets     = 5_500.0  // requests a second on a prefix of S3; it grows under load
)

// What a stage is deployed with by default, and how runs are cut.
const (
	partRows      = 100_000 // PartRows
	maxParts      = 1_000   // of a kind, about; see pipeline.Distributed
	concurrency   = 50      // PartConcurrency
	functionGB    = 1769.0 / 1024
	writers       = 64       // candidates that a process writes at a time; see store/dynamodb.Config
	pieceBytes    = 48 << 20 // entries that a part holds before it writes a piece for every shard
	entryBytes    = 400      // of a row between the Maps, in memory
	packedBytes   = 200      // of a row between the Maps, in S3
	scannedBytes  = 120      // of a row, in the columns that the query reads
	rowsAGroup    = 50       // rows that are read by one request
	indexes       = 2        // of the table of candidates; each is written once
	putBytes      = 8 << 20  // of a part of a file in S3
	filesAPart    = 5        // report, journal, rows, pieces and the like
	artifactsDays = 30       // ArtifactDays
	transitions   = 3        // of a child
	stepsAround   = 30.0     // transitions outside of the Maps
)

// perRow is what was measured of a row.
type perRow struct {
	Extract float64 `json:"extractSeconds"` // processor time
	Store   float64 `json:"storeSeconds"`   // processor time
	Writes  float64 `json:"writes"`         // requests
	Reads   float64 `json:"reads"`          // keys
	Item    float64 `json:"itemBytes"`
}

// projection is what a run of so many new candidates takes and costs.
type projection struct {
	Rows    float64  `json:"rows"`
	Lines   []line   `json:"lines"`
	Dollars float64  `json:"dollars"`
	Seconds float64  `json:"seconds"`
	Notes   []string `json:"notes"`
}

// line is one item, with its arithmetic in words.
type line struct {
	Item    string  `json:"item"`
	How     string  `json:"how"`
	Dollars float64 `json:"dollars,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

func (p *projection) cost(item string, dollars float64, how string, args ...any) {
	p.Lines = append(p.Lines, line{Item: item, How: fmt.Sprintf(how, args...), Dollars: dollars})
	p.Dollars += dollars
}

func (p *projection) time(item string, seconds float64, how string, args ...any) {
	p.Lines = append(p.Lines, line{Item: item, How: fmt.Sprintf(how, args...), Seconds: seconds})
}

func (p *projection) note(how string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(how, args...))
}

// project does the arithmetic.
func project(rows float64, m perRow) projection {
	p := projection{Rows: rows}
	parts := math.Min(math.Ceil(rows/partRows), maxParts)
	each := rows / parts
	pieces := math.Ceil(each * entryBytes / pieceBytes)
	gets := parts * parts * pieces // a piece is one request

	// A row waits for two reads of its group, two writes, and the reads that verify.
	const roundTrips = 3.0/rowsAGroup + 2.0/8 // 8 rows of a group are written at a time
	groups := float64(writers / 8)
	waiting := latency.Seconds() * roundTrips / groups
	storeRow := math.Max(m.Store, waiting)
	units := math.Ceil(m.Item/1024) + m.Writes - 1 // the item, and its mark of under 1 KB
	extracting := rows * m.Extract / concurrency
	storing := rows * storeRow / concurrency
	byTable := rows * units / tableWrites
	byNewTable := rows * units / newTableWrites
	stored := math.Max(storing, byTable)

	p.time("extract", extracting, "%s rows x %s / %d parts at a time", count(rows), micros(m.Extract), concurrency)
	p.time("store, by functions", storing, "%s rows x %s (the larger of %s processor and %s waiting) / %d", count(rows), micros(storeRow), micros(m.Store), micros(waiting), concurrency)
	p.time("store, by the table", byTable, "%s rows x %.0f write units / %s a second", count(rows), units, count(tableWrites))
	p.time("store, by a new table", byNewTable, "%s rows x %.0f write units / %s a second", count(rows), units, count(newTableWrites))
	p.time("start of children", 2*parts/childStarts, "2 x %s parts / %.0f a second", count(parts), childStarts)
	p.time("requests of the shuffle", gets/prefixGets, "%s GETs / %s a second, beside the storing", count(gets), count(prefixGets))
	p.Seconds = extracting + stored + 2*parts/childStarts

	p.cost("Athena", rows*scannedBytes*priceScanned, "%s rows x %d bytes x $5 a TB", count(rows), scannedBytes)
	billed := rows*m.Extract + stored*concurrency
	p.cost("Lambda", billed*functionGB*priceGBSecond, "(%s s to extract + %s s to store) x %.2f GB x $13.33 a million", count(rows*m.Extract), count(stored*concurrency), functionGB)
	writes := units + indexes
	p.cost("DynamoDB writes", rows*writes*priceWrite, "%s rows x %.0f units (item, mark, %d indexes) x $0.625 a million", count(rows), writes, indexes)
	p.cost("DynamoDB reads", rows*m.Reads*priceRead, "%s rows x %.1f keys x $0.125 a million", count(rows), m.Reads)
	p.cost("Step Functions", (2*parts*transitions+stepsAround)*priceTransition, "(2 x %s parts x %d + %.0f) transitions x $25 a million", count(parts), transitions, stepsAround)
	p.cost("S3 GET", gets*priceGet, "%s parts x %s shards x %.0f pieces = %s x $0.40 a million", count(parts), count(parts), pieces, count(gets))
	puts := 2*parts*filesAPart + rows*packedBytes/putBytes
	p.cost("S3 PUT", puts*pricePut, "2 x %s parts x %d files + %s of rows / 8 MiB = %s x $5 a million", count(parts), filesAPart, gigabytes(rows*packedBytes), count(puts))
	kept := 2 * rows * packedBytes / 1e9
	p.cost("S3 storage", kept*artifactsDays*86400*priceStored, "2 x %s for %d days x $0.023 a GB-month", gigabytes(rows*packedBytes), artifactsDays)
	p.bounds(each, storeRow, units)
	return p
}

// bounds says which quotas bound the run.
func (p *projection) bounds(each, storeRow, units float64) {
	p.note("Athena: one query of at most %.0f minutes; more rows than it unloads in that time are more days or more connectors", queryMinutes)
	alone := each * storeRow
	shared := each * units * concurrency / tableWrites
	part := math.Max(alone, shared)
	p.note("a part to store has %s rows and takes %.0f s: by itself %.0f s, by its share of the table's %s writes a second %.0f s; a function has %.0f s",
		count(each), part, alone, count(tableWrites), shared, callSeconds)
	if part > callSeconds {
		p.note("so set PartConcurrency to at most %.0f, or raise the table's quota to %s", math.Floor(callSeconds*0.8*tableWrites/(each*units)), count(each*units*concurrency/(callSeconds*0.8)))
	}
}

// count writes a number as people do: 10 M.
func count(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " B"}, {1e6, " M"}, {1e3, ",000"}} {
		if n >= unit.size && math.Mod(n, unit.size) == 0 {
			return strconv.FormatFloat(n/unit.size, 'f', -1, 64) + unit.name
		}
	}
	switch {
	case n >= 1e6:
		return strconv.FormatFloat(n/1e6, 'f', 1, 64) + " M"
	case n >= 1e3:
		whole := strconv.FormatFloat(n, 'f', 0, 64)
		return whole[:len(whole)-3] + "," + whole[len(whole)-3:]
	default:
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
}

func micros(seconds float64) string { return fmt.Sprintf("%.0f us", seconds*1e6) }

func gigabytes(bytes float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", bytes/1e9), ".0") + " GB"
}

// span writes a time as people do.
func span(seconds float64) string {
	switch {
	case seconds >= 2*3600:
		return fmt.Sprintf("%.1f h", seconds/3600)
	case seconds >= 120:
		return fmt.Sprintf("%.0f min", seconds/60)
	default:
		return fmt.Sprintf("%.1f s", seconds)
	}
}
