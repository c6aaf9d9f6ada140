package sagemaker

import (
	"math"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/scorer"
)

// Whatever an endpoint sends, there is one result for each row that was asked,
// and each is a finite number or an error without a number.
func FuzzConfig_read(f *testing.F) {
	for _, seed := range []string{
		"0.1\n0.2", "0.1,0.2", "0.1,a\r\n0.2,b\r\n", "\"0.1\"\n\"", "nan\n-Inf", "1e999\n1e-999", "\n\n\n", "",
		`{"predictions": [0.1, {"score": 0.2, "confidence": 0.5}]}`, `[0.1, [0.2]]`, `{"predictions": [NaN, -Infinity]}`, `{"predictions": null}`,
		"{\"score\": 0.1}\n{\"score\": NaN, \"note\": \"NaN \\\" NaN\"}", "[0.1]\n[[]]", "{\n\"score\": 1}", "null\nnull",
	} {
		for kind := range 4 {
			f.Add(seed, kind, 2)
		}
	}
	f.Fuzz(func(t *testing.T, body string, kind, n int) {
		if n < 1 || n > 2000 {
			return
		}
		c, media := defaults(), []string{mediaCSV, mediaLines, mediaJSON, mediaCSV}[kind&3]
		if kind&3 == 3 {
			c.CSVAnswer = "line"
		}
		results, err := c.read(reply{body: []byte(body), media: media}, n)
		if err != nil {
			if results != nil {
				t.Fatalf("there are results beside the error: %v", err)
			}
			return
		}
		if len(results) != n {
			t.Fatalf("%d results for %d rows", len(results), n)
		}
		for _, r := range results {
			checkResult(t, r)
		}
	})
}

func checkResult(t *testing.T, r scorer.Result) {
	t.Helper()
	switch {
	case r.Cached, r.Err != nil && (r.Value != 0 || r.HasConfidence):
		t.Fatalf("%+v", r)
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		t.Fatalf("%v is a score", r.Value)
	case r.HasConfidence && !(r.Confidence >= 0 && r.Confidence <= 1):
		t.Fatalf("%v is a confidence", r.Confidence)
	}
}

// A score comes from nowhere but the text of its own row.
func FuzzConfig_read_keepsRowsApart(f *testing.F) {
	f.Add("0.25")
	f.Add("")
	f.Add("nan")
	f.Add("\"")
	f.Add("0.1,x")
	f.Fuzz(func(t *testing.T, row string) {
		if strings.ContainsAny(row, "\n") {
			return
		}
		c := defaults()
		results, err := c.read(reply{body: []byte("0.125\n" + row + "\n0.75"), media: mediaCSV}, 3)
		if err != nil {
			t.Fatal(err)
		}
		if results[0].Value != 0.125 || results[2].Value != 0.75 || results[0].Err != nil || results[2].Err != nil {
			t.Fatalf("the row %q changed the others: %+v", row, results)
		}
	})
}
