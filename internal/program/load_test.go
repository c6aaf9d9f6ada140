package program_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ceap-platform/ceap/internal/program"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLoad_Guide(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"guide/program-config.json", "guide/put-item.json"} {
		l := program.Load(n, readFile(t, n), options())
		t.Logf("%s\n%v\n%d", n, l.Problems, len(l.Programs))
		for _, p := range l.Programs {
			t.Logf("%s", p.Document)
		}
	}
}
