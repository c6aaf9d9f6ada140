//go:build cgo

package main

import (
	"archive/zip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/duckdb/duckdb-go/v2" // generates the rows

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/plugin"
	dynamo "github.com/ceap-platform/ceap/store/dynamodb"
)

// world is a stage on the emulator, with a table of rows and a program over it.
type world struct {
	dir    string
	cloud  *awstest.Cloud
	lake   *athena.Fake
	files  *s3.Client
	places []string // the environment of whatever belongs to the stage
}

const (
	artifactsBucket = "ceap-artifacts-bench"
	resultsBucket   = "ceap-results-bench"
	largeDay        = "2026-01-26"
)

func newWorld(ctx context.Context, dir string, rows, small int64) (*world, error) {
	cloud, err := awstest.Open(ctx)
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, cloud: cloud, files: awsapi.S3(cloud.Config)}
	w.places = append(cloud.Environ(), "CEAP_DIR="+dir, "CEAP_STAGE=bench", "CEAP_ARTIFACTS_BUCKET="+artifactsBucket, "CEAP_RESULTS_BUCKET="+resultsBucket)
	return w, errors.Join(w.project(), generate(ctx, dir, rows, small), w.open(ctx, rows))
}

// open makes what the stage consists of.
func (w *world) open(ctx context.Context, rows int64) (err error) {
	for _, name := range []string{artifactsBucket, resultsBucket} {
		if _, err := w.files.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
			return err
		}
	}
	tables := dynamodb.NewFromConfig(w.cloud.Config)
	for _, table := range dynamo.Tables("bench") {
		if _, err := tables.CreateTable(ctx, table); err != nil {
			return err
		}
	}
	w.lake, err = athena.New(athena.Options{S3: w.files, Folder: filepath.Join(w.dir, "warehouse"), UnloadFiles: 3, UnloadRows: int(rows)})
	if err != nil {
		return err
	}
	w.cloud.HandleAthena(w.lake)
	// The SDK of this process finds the emulator as those of others do.
	for _, entry := range w.cloud.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return w.apply(ctx, builtin.All())
}

// apply stores the program in the store of the plug-ins.
func (w *world) apply(ctx context.Context, plugins plugin.Set) error {
	c, _, err := config.Load(config.Sources{Environ: w.places})
	if err != nil {
		return err
	}
	a, err := app.New(ctx, c.OnAWS(), plugins, app.Deps{})
	if err != nil {
		return err
	}
	_, err = a.ApplyProgram(ctx, "programs/bench.yaml")
	return errors.Join(err, a.Close())
}

// read reads a file of a run's.
func (w *world) read(ctx context.Context, bucket, key string) ([]byte, error) {
	if bucket == "" {
		return os.ReadFile(key) //nolint:gosec // a file of ours
	}
	out, err := w.files.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close() //nolint:errcheck // it is only read
	return io.ReadAll(out.Body)
}

// smallDay returns a day of few rows, another for each n.
func smallDay(n int) string { return fmt.Sprintf("2026-01-%02d", 10+n) }

func (w *world) close() error { return errors.Join(w.lake.Close(), w.cloud.Close()) }

// project writes the guide's program, with a rules model.
func (w *world) project() error {
	files := map[string]string{
		"ceap.yaml": "programs: programs\n",
		"programs/bench.yaml": `programId: bench
programName: Benchmark
marketplace: US
candidateTTLDays: 30
dataConnectors:
  - connectorId: athena-product-deliveries
    connectorType: data-warehouse
    sourceConfig:
      database: bench
      query: >-
        SELECT customer_id, product_id, order_id, delivery_date, order_value, product_category, product_title, marketplace, email_eligible, sms_eligible
        FROM product_deliveries WHERE delivery_date_partition BETWEEN '{startDate}' AND '{endDate}' AND marketplace = '{marketplace}'
      maxWaitSeconds: 3600
      fieldMappings: {customerId: customer_id, subjectId: product_id, subjectType: product, eventDate: delivery_date,
        orderValue: order_value, marketplace: marketplace, emailEligible: email_eligible, smsEligible: sms_eligible}
filterChain: {filters: [{filterId: eligibility, filterType: eligibility, order: 1, parameters: {requiredChannels: [email]}}]}
scoringModels: [{modelId: value, modelType: rules, config: {expression: orderValue / (orderValue + 50)}}]
`,
	}
	for name, text := range files {
		path := filepath.Join(w.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// generate writes the table: a row has the guide's columns and a title, some 200
// bytes that compress badly. Every row becomes a candidate, in no order of customers.
func generate(ctx context.Context, dir string, rows, small int64) error {
	folder := filepath.Join(dir, "warehouse", "bench", "product_deliveries")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	days := []string{fmt.Sprintf("SELECT i, '%s' AS day FROM range(%d) t(i)", largeDay, rows)}
	for n := range int64(medianOf) {
		days = append(days, fmt.Sprintf("SELECT i, '%s' FROM range(%d, %d) t(i)", smallDay(int(n)), n*small, (n+1)*small))
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf(`COPY (
		SELECT printf('CUST-%%08d', i * 7919 %% %d) AS customer_id, printf('PROD-%%06d', i %% 10007) AS product_id, printf('ORD-%%09d', i) AS order_id,
			day AS delivery_date, (i * 31 %% 20000)::DOUBLE / 100 AS order_value, ['books', 'electronics', 'garden', 'toys', 'music'][1 + i %% 5] AS product_category,
			md5(i::VARCHAR) || md5((i + 1)::VARCHAR) || md5((i + 2)::VARCHAR) || md5((i + 3)::VARCHAR) AS product_title,
			'US' AS marketplace, true AS email_eligible, i %% 7 < 3 AS sms_eligible, day AS delivery_date_partition
		FROM (%s)
	) TO '%s' (FORMAT parquet, PARTITION_BY (delivery_date_partition))`, max(rows, medianOf*small), strings.Join(days, " UNION ALL "), folder))
	return errors.Join(err, db.Close())
}

// size is the size of a package.
type size struct {
	Arch  string `json:"arch"`
	Bytes int64  `json:"bytes"`
}

// packages builds the packages, returns their sizes, and unpacks the one that this
// machine can run.
func packages(ctx context.Context, dir string) (sizes []size, binary string, err error) {
	build := exec.CommandContext(ctx, "scripts/package-lambda")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("building the packages: %w\n%s", err, out)
	}
	for _, arch := range []string{"arm64", "amd64"} {
		info, err := os.Stat(archive(arch))
		if err != nil {
			return nil, "", err
		}
		sizes = append(sizes, size{arch, info.Size()})
	}
	binary = filepath.Join(dir, "bootstrap")
	return sizes, binary, unpack(archive(runtime.GOARCH), binary)
}

func archive(arch string) string { return filepath.Join("dist", "ceap-lambda-"+arch+".zip") }

// unpack takes the bootstrap out of its package.
func unpack(from, to string) error {
	r, err := zip.OpenReader(from)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it is only read
	in, err := r.Open("bootstrap")
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700) //nolint:gosec // a program of ours
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
