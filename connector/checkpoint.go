package connector

import "context"

// Checkpoints keeps how far sources without an end have been read, from one run
// to the next. It is safe for concurrent use.
type Checkpoints interface {
	// Load returns the mark that was saved last, "" if there is none.
	Load(ctx context.Context, key CheckpointKey) (mark string, err error)
	// Save keeps the mark in place of the one before.
	Save(ctx context.Context, key CheckpointKey, mark string) error
}

// CheckpointKey says what a mark is about.
type CheckpointKey struct {
	ProgramID   string
	Marketplace string
	ConnectorID string
	Shard       string // the source's own name of the part that is read in order
}

// Committer is the optional ability of a stream to remember that its rows need
// not be read again. Without the call the next run reads them again, which is
// harmless (D4, I4); so a run that fails before it loses nothing.
type Committer interface {
	// Commit is called once the run has stored all rows of the stream, after
	// [Stream.Next] has returned [io.EOF] and before [Stream.Close].
	Commit(ctx context.Context) error
}
