package journal_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// memory is store.Artifacts in memory. Its files may be changed by hand.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
	// refuse, if set, is asked before an operation ("create", "close", "open",
	// "remove") on a name, and its error is the operation's.
	refuse func(operation, name string) error
}

var _ store.Artifacts = (*memory)(nil)

func newMemory() *memory { return &memory{files: map[string][]byte{}} }

func (m *memory) allow(operation, name string) error {
	if m.refuse == nil {
		return nil
	}
	return m.refuse(operation, name)
}

func (m *memory) Create(ctx context.Context, name string) (store.ArtifactWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.allow("create", name); err != nil {
		return nil, err
	}
	return &memoryWriter{memory: m, name: name}, nil
}

func (m *memory) Open(ctx context.Context, name string) (store.ArtifactReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.allow("open", name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	if !ok {
		return nil, ceap.Errorf(ceap.CodeNotFound, "there is no %s", name)
	}
	return memoryReader{bytes.NewReader(data)}, nil
}

func (m *memory) List(ctx context.Context, prefix string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memory) Remove(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.allow("remove", prefix); err != nil {
		return err
	}
	if !strings.HasSuffix(prefix, "/") {
		return ceap.Errorf(ceap.CodeInvalid, "%q does not end in a slash", prefix)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.files {
		if strings.HasPrefix(name, prefix) {
			delete(m.files, name)
		}
	}
	return nil
}

func (m *memory) names() []string {
	names, _ := m.List(context.Background(), "")
	return names
}

type memoryWriter struct {
	memory *memory
	name   string
	data   bytes.Buffer
	done   bool
}

func (w *memoryWriter) Write(b []byte) (int, error) { return w.data.Write(b) }

func (w *memoryWriter) Close() error {
	if err := w.memory.allow("close", w.name); err != nil {
		return err
	}
	w.memory.mu.Lock()
	defer w.memory.mu.Unlock()
	if !w.done {
		w.memory.files[w.name] = w.data.Bytes()
	}
	w.done = true
	return nil
}

func (w *memoryWriter) Discard() error {
	w.done = true
	return nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }

var _ io.ReaderAt = memoryReader{}
