package program_test

import (
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
)

// What the deployment lacks is the operator's to mend, unless the document is
// wrong too.
func TestProgram_RefusedByTheDeployment(t *testing.T) {
	t.Parallel()
	const connectors = `"dataConnectors": [
		{"connectorId": "a", "connectorType": "data-warehouse", "sourceConfig": {"database": "d", "query": "SELECT 1"}},
		{"connectorId": "b", "connectorType": "data-warehouse", "sourceConfig": {"database": "d", "query": "SELECT 2"}}]`
	const refusal = "connectors.data-warehouse.engine: the engine is not in this build; use another"
	o := options()
	o.Settings = func(string, string) any { return warehouseSettings{Engine: "absent"} }
	for document, want := range map[string]struct {
		code ceap.Code
		text string
	}{
		`{"programId": "p", "marketplace": "US", ` + connectors + `}`: {ceap.CodeUnsupported, refusal},
		`{"programId": "p", "marketplace": "US", "enabled": 3, ` + connectors + `}`: {
			ceap.CodeInvalid, refusal + "\np.json:1:52: enabled: is the number 3; use true or false",
		},
	} {
		p, err := program.Load("p.json", []byte(document), o).Program("US")
		if ceap.ErrorCode(err) != want.code || err.Error() != want.text {
			t.Errorf("%s gives %s: %v\nwant %s: %s", document, ceap.ErrorCode(err), err, want.code, want.text)
		}
		if _, err := p.Open(o); ceap.ErrorCode(err) != ceap.CodeUnsupported {
			t.Errorf("opening it gives %v", err)
		}
	}
}
