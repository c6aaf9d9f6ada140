package app

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// checkpoints keeps how far sources were read beside the files of runs.
type checkpoints struct{ app *App }

var _ connector.Checkpoints = checkpoints{}

// maxMark bounds a mark, in bytes.
const maxMark = 64 << 10

// nameOf returns the artefact of a mark. Ids may hold any characters.
func nameOf(key connector.CheckpointKey) string {
	parts := []string{"checkpoints"}
	for _, part := range []string{key.ProgramID, key.Marketplace, key.ConnectorID, key.Shard} {
		parts = append(parts, "_"+strings.ReplaceAll(url.PathEscape(part), ".", "%2E"))
	}
	return strings.Join(parts, "/")
}

// Load implements [connector.Checkpoints].
func (c checkpoints) Load(ctx context.Context, key connector.CheckpointKey) (string, error) {
	roles, err := c.app.store()
	if err != nil {
		return "", err
	}
	file, err := roles.Artifacts.Open(ctx, nameOf(key))
	if ceap.ErrorCode(err) == ceap.CodeNotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading a checkpoint: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	mark, err := io.ReadAll(io.NewSectionReader(file, 0, min(file.Size(), maxMark)))
	if err != nil {
		return "", fmt.Errorf("reading a checkpoint: %w", err)
	}
	return string(mark), nil
}

// Save implements [connector.Checkpoints].
func (c checkpoints) Save(ctx context.Context, key connector.CheckpointKey, mark string) error {
	if len(mark) > maxMark {
		return ceap.Errorf(ceap.CodeInternal, "a checkpoint has %d bytes; at most %d are kept", len(mark), maxMark)
	}
	roles, err := c.app.store()
	if err != nil {
		return err
	}
	file, err := roles.Artifacts.Create(ctx, nameOf(key))
	if err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	if _, err := io.WriteString(file, mark); err != nil {
		_ = file.Discard() // the first error counts
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	return file.Close()
}
