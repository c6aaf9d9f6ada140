package journal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
)

// read returns all outcomes, or the first error of opening, All and Find.
func read(t *testing.T, artifacts *memory) ([]ceap.Outcome, error) {
	t.Helper()
	j, err := journal.Open(t.Context(), artifacts, "run-1")
	if err != nil {
		return nil, err
	}
	found, err := j.Find(t.Context(), journal.Query{CustomerID: "CUST-00000001"})
	if err != nil {
		return nil, err
	}
	var outcomes []ceap.Outcome
	for o, err := range j.All(t.Context()) {
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
	}
	if want := filter(outcomes, journal.Query{CustomerID: "CUST-00000001"}); !cmp.Equal(want, found) {
		t.Errorf("Find and All disagree:\n%s", cmp.Diff(want, found))
	}
	return outcomes, nil
}

func TestJournal_AFlippedByteIsAnErrorOrHarmless(t *testing.T) {
	t.Parallel()
	whole := newMemory()
	want := sample(20)
	write(t, whole, 1, 20, want)
	for name, data := range whole.files {
		for i := range data {
			artifacts := newMemory()
			maps.Copy(artifacts.files, whole.files)
			artifacts.files[name] = slices.Clone(data)
			artifacts.files[name][i] ^= 1 << (i % 8)
			got, err := read(t, artifacts)
			switch {
			case name == partName && (!journal.IsDamaged(err) || !strings.Contains(err.Error(), name)):
				t.Errorf("byte %d of %s: the error is %v, want one of damage with the name", i, name, err)
			case err == nil && !cmp.Equal(want, got):
				t.Errorf("byte %d of %s: other outcomes and no error:\n%s", i, name, cmp.Diff(want, got))
			case err != nil && ceap.ErrorCode(err) == ceap.CodeInternal:
				t.Errorf("byte %d of %s: %v has no code", i, name, err)
			}
		}
	}
}

func TestJournal_ATruncatedFileIsAnErrorWithItsName(t *testing.T) {
	t.Parallel()
	whole := newMemory()
	write(t, whole, 1, 20, sample(20))
	for name, data := range whole.files {
		for _, size := range []int{0, 1, len(data) / 2, len(data) - 2} {
			artifacts := newMemory()
			maps.Copy(artifacts.files, whole.files)
			artifacts.files[name] = data[:size]
			if _, err := read(t, artifacts); !journal.IsDamaged(err) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s cut to %d bytes: the error is %v, want one of damage with the name", name, size, err)
			}
		}
	}
	delete(whole.files, partName)
	if _, err := read(t, whole); !journal.IsDamaged(err) || !strings.Contains(err.Error(), partName) {
		t.Errorf("without its part the error is %v, want one of damage with the name", err)
	}
}

func TestOpen_OtherManifests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(m map[string]any)
		code   ceap.Code
	}{
		"of a newer version":        {func(m map[string]any) { m["version"] = 2 }, ceap.CodeUnsupported},
		"of another run":            {func(m map[string]any) { m["runId"] = "run-2" }, ceap.CodeUnavailable},
		"with a file elsewhere":     {func(m map[string]any) { m["files"].([]any)[0].(map[string]any)["name"] = "../x" }, ceap.CodeUnavailable},
		"with a wrong sum":          {func(m map[string]any) { m["rows"] = 21 }, ceap.CodeUnavailable},
		"with a negative count":     {func(m map[string]any) { m["counts"] = map[string]int{"created": 21, "failed": -1} }, ceap.CodeUnavailable},
		"swept, but naming a file":  {func(m map[string]any) { m["sweptAt"] = noon() }, ceap.CodeUnavailable},
		"with a file without bytes": {func(m map[string]any) { m["files"].([]any)[0].(map[string]any)["bytes"] = 0 }, ceap.CodeUnavailable},
		"as large as none can be":   {func(m map[string]any) { m["programId"] = strings.Repeat("x", 5<<20) }, ceap.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			artifacts := newMemory()
			write(t, artifacts, 1, 20, sample(20))
			var manifest map[string]any
			if err := json.Unmarshal(artifacts.files[manifestName], &manifest); err != nil {
				t.Fatal(err)
			}
			c.change(manifest)
			artifacts.files[manifestName], _ = json.Marshal(manifest)
			_, err := journal.Open(t.Context(), artifacts, "run-1")
			if ceap.ErrorCode(err) != c.code || !strings.Contains(err.Error(), manifestName) {
				t.Errorf("Open returns %v, want %s with the name", err, c.code)
			}
		})
	}
}

func TestJournal_AllDoesNotHideTheCallersPanic(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	write(t, artifacts, 1, 20, sample(20))
	mine := errors.New("mine")
	defer func() {
		if got := recover(); got != mine { //nolint:errorlint // the very value
			t.Errorf("the panic is %v, want %v", got, mine)
		}
	}()
	for range open(t, artifacts).All(t.Context()) {
		panic(mine)
	}
}

// FuzzRead changes the part and the manifest: what differs from what was written
// is an error, and never a panic.
func FuzzRead(f *testing.F) {
	whole := newMemory()
	w, err := journal.Create(f.Context(), whole, noon, head(1))
	if err != nil {
		f.Fatal(err)
	}
	if err := w.Write(sample(20)); err != nil {
		f.Fatal(err)
	}
	if _, err := w.Close(true); err != nil {
		f.Fatal(err)
	}
	part, manifest := whole.files[partName], whole.files[manifestName]
	f.Add(part, manifest)
	f.Add(part[:len(part)/2], manifest)
	f.Add(part, manifest[:len(manifest)/2])
	f.Add([]byte("PAR1PAR1"), []byte("{}"))
	f.Add(part, bytes.Replace(manifest, []byte(`"rows": 20`), []byte(`"rows": 19`), 2))
	f.Fuzz(func(t *testing.T, part, manifest []byte) {
		got, err := read(t, &memory{files: map[string][]byte{partName: part, manifestName: manifest}})
		if err == nil && len(got) > 0 && !cmp.Equal(sample(20), got) {
			t.Errorf("changed outcomes are read without an error:\n%s", cmp.Diff(sample(20), got))
		}
	})
}

// The checksum keeps the decoder from reading what this package did not write.
// If something gets past it, it is still an error of damage.
func TestJournal_ForgedParts(t *testing.T) {
	t.Parallel()
	type stranger struct {
		CustomerID int64 `parquet:"customer_id"`
	}
	var other bytes.Buffer
	if err := parquet.Write(&other, make([]stranger, 20)); err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string][]byte{
		"of another schema": other.Bytes(),
		"that is text":      []byte("customer_id,outcome"),
		"without a footer":  []byte("PAR1\x00\x00\x00\x00PAR1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			artifacts := newMemory()
			m := write(t, artifacts, 1, 20, sample(20))
			sum := sha256.Sum256(part)
			m.Files = []journal.File{{Name: "attempt-1/part-00001.parquet", Rows: 20, Bytes: int64(len(part)), SHA256: hex.EncodeToString(sum[:])}}
			artifacts.files[partName] = part
			artifacts.files[manifestName], _ = json.Marshal(m)
			j := open(t, artifacts)
			if _, err := j.Find(t.Context(), journal.Query{CustomerID: "CUST-00000001"}); !journal.IsDamaged(err) {
				t.Errorf("Find returns %v, want an error of damage", err)
			}
			for _, err := range j.All(t.Context()) {
				if !journal.IsDamaged(err) {
					t.Errorf("All yields %v, want an error of damage", err)
				}
			}
		})
	}
}
