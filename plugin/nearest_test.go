package plugin_test

import (
	"testing"

	"github.com/ceap-platform/ceap/plugin"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"customerId", "subjectId", "workGroup", "candidateTTLDays", "sms", "query"}
	for name, want := range map[string]string{
		"workgroup": "workGroup", "work_group": "workGroup", "CUSTOMER-ID": "customerId",
		"custmerId": "customerId", "qurey": "query", "ttlDays": "candidateTTLDays",
		"smss": "sms", "fax": "", "": "", "zzzzzzzz": "", "database": "",
	} {
		if got := plugin.Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestUnknownName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		known []string
		want  string
	}{
		{[]string{"eligibility", "trust"}, `unknown filter type "eligiblity"; did you mean "eligibility"? known: eligibility, trust`},
		{nil, `unknown filter type "eligiblity"; there is none in this build`},
	} {
		if got := plugin.UnknownName("filter type", "eligiblity", tt.known).Error(); got != tt.want {
			t.Errorf("error is %q, want %q", got, tt.want)
		}
	}
}
