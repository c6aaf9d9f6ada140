package athena

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

// openFiles is how many files are looked at side by side.
const openFiles = 8

// file is a file that an UNLOAD wrote.
type file struct {
	key     string
	object  *object
	parquet *tabular.Parquet
	groups  []tabular.RowGroup
}

// files opens the files that the query's manifest lists, in its order. Other files
// below the same prefix belong to nobody.
func (j *job) files(ctx context.Context, x *execution) ([]file, error) {
	urls, err := j.manifest(ctx, x)
	if err != nil {
		return nil, err
	}
	files := make([]file, len(urls))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openFiles)
	for i, url := range urls {
		group.Go(func() (err error) {
			bucket, key := split(url)
			files[i], err = openFile(ctx, j.s3, bucket, key, "")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return files, nil
}

// manifest returns the URLs of the files. A query without rows may have neither
// files nor a manifest.
func (j *job) manifest(ctx context.Context, x *execution) ([]string, error) {
	if x.manifest == "" {
		return nil, nil
	}
	bucket, key := split(x.manifest)
	out, err := j.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, awsapi.Error(ctx, "Query execution failed: reading the list of its files, "+x.manifest, err)
	}
	defer out.Body.Close() //nolint:errcheck // it is only read
	data, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, awsapi.Error(ctx, "Query execution failed: reading the list of its files, "+x.manifest, err)
	}
	var urls []string
	for line := range strings.Lines(string(data)) {
		if line = strings.Trim(line, "\" \r\n"); line != "" {
			urls = append(urls, line)
		}
	}
	return urls, nil
}

func openFile(ctx context.Context, client *s3.Client, bucket, key, etag string) (file, error) {
	o, err := openObject(ctx, client, bucket, key, etag)
	if err != nil {
		return file{}, err
	}
	p, err := tabular.OpenParquet(o, o.size)
	if err != nil {
		return file{}, fileFailed(o.url(), err)
	}
	return file{key: key, object: o, parquet: p, groups: p.RowGroups()}, nil
}

// fileFailed returns the error of a file of results.
func fileFailed(url string, err error) error {
	if d, ok := errors.AsType[*tabular.Damage](err); ok {
		return &ceap.Error{Code: ceap.CodeUnavailable, Message: "Query execution failed: reading the result " + url, Err: d, Hint: "run it again"}
	}
	return err
}

// columns returns the columns of the files, which are the same in each; of the
// query if there are none.
func (j *job) columns(ctx context.Context, files []file) ([]connector.Column, error) {
	if len(files) == 0 {
		return j.emptyColumns(ctx)
	}
	var columns []connector.Column
	for i, f := range files {
		found := fileColumns(f)
		if i > 0 && fmt.Sprint(found) != fmt.Sprint(columns) {
			return nil, ceap.Errorf(ceap.CodeUnavailable, "Query execution failed: the result's files %s and %s have other columns", files[0].object.url(), f.object.url()).WithHint("run it again")
		}
		columns = found
	}
	return columns, nil
}

func fileColumns(f file) []connector.Column {
	var out []connector.Column
	for _, c := range f.parquet.Columns() {
		out = append(out, connector.Column{Name: c.Name, Type: athenaType(c.Type)})
	}
	return out
}
