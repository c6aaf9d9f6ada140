package sagemaker

import (
	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/scorer"
)

// question is what a request asks about one or more candidates that are alike
// for the model.
type question struct {
	key     string // what the cache calls it
	row     []byte
	asked   []int         // the candidates' places in the batch
	answer  scorer.Result // how it was answered
	standBy *scorer.Result
}

// What a request holds beside its rows.
const (
	jsonBefore = `{"instances":[`
	jsonAfter  = `]}`
)

// requests groups questions by the bounds of a request. A question that is too
// large for any gets its answer here.
func (c *Config) requests(questions []*question) [][]*question {
	var groups [][]*question
	var group []*question
	size := len(jsonBefore) + len(jsonAfter)
	empty := size
	for _, q := range questions {
		if empty+len(q.row) > c.BatchBytes {
			q.answer.Err = ceap.Errorf(ceap.CodeInvalid, "the candidate's features take %d bytes, and a request has at most %d", len(q.row), c.BatchBytes).
				WithHint("raise batchBytes, or leave large texts out of features")
			continue
		}
		if len(group) == c.BatchRows || size+len(q.row)+1 > c.BatchBytes && len(group) > 0 {
			groups, group, size = append(groups, group), nil, empty
		}
		group = append(group, q)
		size += len(q.row) + 1
	}
	if len(group) > 0 {
		groups = append(groups, group)
	}
	return groups
}

// body returns the body of a request.
func (c *Config) body(group []*question) []byte {
	n := len(jsonBefore) + len(jsonAfter)
	for _, q := range group {
		n += len(q.row) + 1
	}
	b, between := make([]byte, 0, n), byte('\n')
	if c.ContentType == mediaJSON {
		b, between = append(b, jsonBefore...), ','
	}
	for i, q := range group {
		if i > 0 {
			b = append(b, between)
		}
		b = append(b, q.row...)
	}
	if c.ContentType == mediaJSON {
		b = append(b, jsonAfter...)
	}
	return b
}
