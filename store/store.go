// Package store is the contract of what CEAP keeps, role by role: candidates,
// programs, runs, opt-outs and the artefacts of runs. A store opens the roles it
// has; what must be atomic is one method, and callers get no transactions.
//
// storetest is the conformance suite.
package store

import (
	"context"
	"io"
	"time"

	"github.com/ceap-platform/ceap"
)

// Roles is what a store opens. All roles are safe for concurrent use.
type Roles struct {
	Candidates Candidates
	Programs   Programs
	Runs       Runs
	OptOuts    OptOuts
	Scores     Scores
	Artifacts  Artifacts
	Maintainer Maintainer
	Close      func() error // ends the use of all roles; never nil
}

// Candidates keeps candidates. A candidate past its ExpiresAt is never returned
// as open, whether or not it has been swept (D3).
type Candidates interface {
	// Upsert writes the candidates, which hold no key twice, and returns one
	// result each, in their order. It is fastest when they are sorted by
	// [ceap.Key.Compare] and share one program and marketplace.
	//
	// Per candidate (D4, D5, D6), in one atomic step: without a stored one it is
	// created with version 1; an open one that differs in content is updated,
	// with its version one higher and CreatedAt and ExpiresAt as they were, else
	// unchanged and not written; a sent, consumed, expired, deleted or opted-out
	// one is rejected. With a later EventDate an expired one is opened again, and
	// a sent or consumed one too once ReopenAfter has passed since it was closed:
	// it counts as created, with a new CreatedAt and a version one higher. A
	// candidate that the same run has already written keeps the outcome it then
	// had, so that a run may be repeated from its beginning.
	//
	// Content is everything a row and the models said; not who wrote it and when.
	//
	// A returned error means that nothing is known of any of them; the caller may
	// call again with the same arguments.
	Upsert(ctx context.Context, batch []*ceap.Candidate, opts UpsertOptions) ([]UpsertResult, error)
	// Get returns the candidate of that key, whatever its status. Returns
	// not_found if there is none or it was deleted.
	Get(ctx context.Context, key ceap.Key) (ceap.Candidate, error)
	// Find returns a page of candidates (I31).
	Find(ctx context.Context, q Query) (Page, error)
	// Close marks a candidate sent or consumed, or deletes it, leaving a closing
	// mark (D5). Repeating it is harmless. Returns not_found if there is none.
	Close(ctx context.Context, key ceap.Key, closing Closing) error
	// Sweep removes what has been expired or closed for good by now, and returns
	// how many candidates it removed. Closing marks older than their life go too.
	Sweep(ctx context.Context, now time.Time) (int64, error)
}

// UpsertOptions says how a batch is written.
type UpsertOptions struct {
	RunID       string    // the run that writes
	Now         time.Time // the run's clock: CreatedAt and UpdatedAt of what is written
	TTL         time.Duration
	ReopenAfter time.Duration // after which a sent or consumed candidate may come back; 0 means never (D5)
	DryRun      bool          // tell the outcomes, write nothing
}

// UpsertResult is what became of one candidate. Kind is created, updated,
// unchanged, rejected or failed; the last two have a code and a reason.
type UpsertResult struct {
	Kind   ceap.OutcomeKind
	Code   string
	Reason string
}

// Query selects candidates. Exactly one of the three forms is used: by
// CustomerID, by Channel, or by CreatedFrom and CreatedTo.
type Query struct {
	// CustomerID selects the candidates of exactly that customer, in the order of
	// their keys; ProgramID and Marketplace narrow it.
	CustomerID string

	ProgramID   string
	Marketplace string // "" means all

	// Channel selects the candidates of a program that are eligible for the
	// channel, best first by [ceap.CompareRank]. "*" means any channel or none.
	Channel string

	// CreatedFrom and CreatedTo, both inclusive, select the candidates of a
	// program by the UTC date of their creation, oldest first. Those of one
	// instant come in an order of the store's own, which stays the same.
	CreatedFrom, CreatedTo *ceap.Date

	SubjectType string // narrows each form; "" means all
	SubjectID   string // narrows each form; "" means all

	IncludeClosed bool      // also those that are sent, consumed or expired
	Now           time.Time // decides what is expired
	Limit         int       // 1..1000; 0 means 100
	Cursor        string    // Page.Next of the page before; "" for the first
}

// Page is a part of an answer.
type Page struct {
	Candidates []ceap.Candidate
	Next       string // the cursor of the next page; "" after the last
}

// Closing says how a candidate is closed.
type Closing struct {
	Status  ceap.Status // StatusSent, StatusConsumed or StatusDeleted
	Channel string
	At      time.Time
}

// Programs keeps program documents, one item per program and marketplace.
type Programs interface {
	// Put creates or replaces an item. CreatedAt of an item that exists stays.
	Put(ctx context.Context, item ceap.ProgramItem) error
	// List returns the items of the program, or of all programs for "", sorted by
	// program and marketplace.
	List(ctx context.Context, programID string) ([]ceap.ProgramItem, error)
	// Delete removes an item. Returns not_found if there is none.
	Delete(ctx context.Context, programID, marketplace string) error
}

// Runs keeps the records of runs.
type Runs interface {
	// Begin claims the run's batch, per program and marketplace (D44), and stores
	// the run as running. At most one run of a program and marketplace is in
	// progress at a time, across processes; a process that dies gives up its
	// claim.
	//
	// If the batch has been run before, prior is that record, and the run goes on
	// under prior's RunID, which Begin also sets in *run; a finished one with
	// status SUCCEEDED or EMPTY is returned without a claim. Returns conflict if
	// the batch was run with another InputHash, or if a run of the program and
	// marketplace is in progress; the message names it.
	Begin(ctx context.Context, run *ceap.Run) (prior *ceap.Run, claim Claim, err error)
	// Save replaces the record of a run.
	Save(ctx context.Context, run ceap.Run) error
	// Find returns runs, latest first by StartedAt, then by RunID.
	Find(ctx context.Context, q RunQuery) ([]ceap.Run, error)
}

// Claim is the right to work on a run.
type Claim interface {
	// Release gives the claim up. It may be called more than once.
	Release() error
}

// Leaser is the optional ability of [Runs] to let several processes, one after
// the other or side by side, work on one run under one claim: the functions of a
// state machine. A lease that is not renewed ends by itself.
type Leaser interface {
	// Lease is [Runs.Begin] with a claim that outlives the process: it stands
	// until [Leaser.Unlease], or for the duration after it was last renewed. The
	// owner names who holds it, such as the execution; an owner that holds the
	// lease gets it again. held is false for a finished run, as Begin has no claim
	// then.
	Lease(ctx context.Context, run *ceap.Run, owner string, life time.Duration) (prior *ceap.Run, held bool, err error)
	// Renew lets the lease of the run stand for that duration from now. Returns
	// conflict if the owner does not hold it any more.
	Renew(ctx context.Context, run ceap.Run, owner string, life time.Duration) error
	// Unlease gives the lease up. Giving up what is not held is harmless.
	Unlease(ctx context.Context, run ceap.Run, owner string) error
}

// RunQuery selects runs. Empty fields select all.
type RunQuery struct {
	RunID       string
	ProgramID   string
	Marketplace string
	BatchID     string
	Status      ceap.RunStatus
	Limit       int // 0 means 100
}

// OptOuts keeps customers' wishes. A wish is in force as soon as Put returns,
// and survives a crash after that.
type OptOuts interface {
	// Put records an opt-out; the first one's time stays. In the same atomic step
	// it removes the customer's candidates that it covers ([ceap.OptOut.Covers]),
	// and it returns how many these were (I68).
	Put(ctx context.Context, o ceap.OptOut) (removed int64, err error)
	// Withdraw removes the opt-out of exactly that customer, program and channel.
	// Returns not_found if there is none.
	Withdraw(ctx context.Context, customerID, programID, channel string) error
	// OptOutsOf returns the opt-outs of each of the customers; customers without
	// any are missing from the result.
	OptOutsOf(ctx context.Context, customerIDs []string) (map[string][]ceap.OptOut, error)
}

// Scores keeps what models answered, so that the same question need not be asked
// twice and an answer is there when a model fails (I27, I28).
type Scores interface {
	// LoadScores returns what is kept for the model, by the score's Key; keys
	// without an answer, or with one past its ExpiresAt at now, are missing.
	LoadScores(ctx context.Context, modelID string, keys []string, now time.Time) (map[string]ceap.CachedScore, error)
	// SaveScores keeps answers, each in place of the one of its key.
	SaveScores(ctx context.Context, modelID string, scores []ceap.CachedScore) error
}

// Artifacts keeps the files of runs, such as the journal. Names are paths with
// slashes, without "." and ".." parts.
type Artifacts interface {
	// Create starts a file. It appears under its name, whole, when Close returns
	// nil; an earlier file of that name is replaced. Discard drops it instead.
	Create(ctx context.Context, name string) (ArtifactWriter, error)
	// Open opens a file. Returns not_found if there is none.
	Open(ctx context.Context, name string) (ArtifactReader, error)
	// List returns the names that start with the prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// Remove removes the files whose names start with the prefix, which ends in a
	// slash. Removing none is no error.
	Remove(ctx context.Context, prefix string) error
}

// Locator is the optional ability of [Artifacts] to say where a file lies, for
// services that read it themselves.
type Locator interface {
	Locate(ctx context.Context, name string) (bucket, key string, err error)
}

// RangeReader is the optional ability of [Artifacts] to read a piece of a file in
// one request, without opening it.
type RangeReader interface {
	// ReadRange returns those bytes of the file. Returns not_found if there is no
	// such file, and io.ErrUnexpectedEOF if it is shorter.
	ReadRange(ctx context.Context, name string, offset, length int64) ([]byte, error)
}

// ArtifactWriter writes one file.
type ArtifactWriter interface {
	io.Writer
	Close() error
	Discard() error // harmless after Close
}

// ArtifactReader reads one file.
type ArtifactReader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Maintainer looks after a store.
type Maintainer interface {
	// Check returns unavailable if the store cannot be written to.
	Check(ctx context.Context) error
	// Backup writes a consistent copy of the store to a new file while others use
	// it. Returns conflict if the file exists. Returns unsupported if the store
	// has its own way of being backed up.
	Backup(ctx context.Context, file string) error
	// Location says where the store is, for people.
	Location() string
}
