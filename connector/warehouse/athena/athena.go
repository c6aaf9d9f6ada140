// Package athena is the engine of the warehouse connector for Amazon Athena.
//
// # How results are read
//
// A query runs as UNLOAD to Parquet, whose files are typed, tell NULL from empty
// text and can be read in parts. Athena refuses that for queries whose columns
// lack names or share them, and for a few types; these run once more as they are,
// and their CSV file is read. Where the workgroup manages results, which has no
// files, rows come from the API, 1,000 at a time. The report of the rows says
// which it was if it was not the first.
//
// # Places and names
//
// Results lie in the program's bucket, else in the deployment's, else where the
// workgroup says; a place that the workgroup enforces is always used. Below it
// each attempt has a prefix of its own. An attempt's token is made of the job, the
// number of the attempt and the SQL, so that to start it again gives the same
// query.
//
// # Types
//
// Values are those that the embedded engine gives for the same data. Lists, maps
// and rows are text, from CSV as Athena writes it, which cannot be read back:
// CAST(x AS JSON) inside json_format can.
package athena

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsathena "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// Name is what deployments write.
const Name = "athena"

// Engine describes the engine.
func Engine() warehouse.Description {
	return warehouse.Description{
		Name: Name, Style: warehouse.Positional, Named: true,
		Open: func(env plugin.Env, s warehouse.Settings) (warehouse.Engine, error) {
			return New(env, s, awsapi.Lazy(s.Region)), nil
		},
	}
}

// Athena runs statements with Athena. It is safe for concurrent use.
type Athena struct {
	load     func(context.Context) (aws.Config, error)
	settings warehouse.Settings
	now      func() time.Time
	newID    func() string
	sleep    func(context.Context, time.Duration) error
}

var (
	_ warehouse.Engine    = (*Athena)(nil)
	_ warehouse.Starter   = (*Athena)(nil)
	_ warehouse.Describer = (*Athena)(nil)
	_ warehouse.Inspector = (*Athena)(nil)
)

// New returns the engine. load gives the configuration of AWS when it is first
// needed.
func New(env plugin.Env, s warehouse.Settings, load func(context.Context) (aws.Config, error)) *Athena {
	a := &Athena{load: load, settings: s, now: env.Now, newID: env.NewID, sleep: sleep}
	if a.newID == nil {
		a.newID = rand.Text
	}
	return a
}

// sleep waits for d, or for the end of ctx and returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// clients are what one call of the engine talks to.
type clients struct {
	athena *awsathena.Client
	s3     *s3.Client
}

func (a *Athena) clients(ctx context.Context) (*clients, error) {
	c, err := a.load(ctx)
	if err != nil {
		return nil, err
	}
	return &clients{athena: awsathena.NewFromConfig(c), s3: awsapi.S3(c)}, nil
}
