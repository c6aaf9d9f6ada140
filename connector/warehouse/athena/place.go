package athena

import (
	"context"
	"errors"
	"fmt"
	"strings"

	awsathena "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// place is where a job's results go. It is part of its ticket, as the same place
// makes the same SQL.
type place struct {
	WorkGroup string `json:"workGroup"`
	Root      string `json:"root,omitempty"`     // s3://bucket/prefix/ of the job; "" if the workgroup manages results
	Enforced  string `json:"enforced,omitempty"` // the place that the workgroup enforces
}

// managed reports whether results are no files.
func (p place) managed() bool { return p.Root == "" }

// place asks the workgroup where results may go. To ask needs a permission that
// a query does not; without it, nothing is taken for enforced.
func (a *Athena) place(ctx context.Context, c *clients, s warehouse.Statement) (place, error) {
	p := place{WorkGroup: s.Job.WorkGroup}
	if p.WorkGroup == "" {
		p.WorkGroup = a.settings.WorkGroup
	}
	out, err := c.athena.GetWorkGroup(ctx, &awsathena.GetWorkGroupInput{WorkGroup: &p.WorkGroup})
	var conf *types.WorkGroupConfiguration
	switch {
	case err == nil && out.WorkGroup.State == types.WorkGroupStateDisabled:
		return p, s.Failed(ceap.CodeInvalid, -1, "the workgroup "+p.WorkGroup+" is disabled").
			WithHint("turn it on in Athena, or set another with sourceConfig.workGroup or connectors.data-warehouse.workGroup")
	case err == nil:
		conf = out.WorkGroup.Configuration
	default:
		if failure := a.startFailed(ctx, s, p, modeSelect, err); ceap.ErrorCode(failure) != ceap.CodeForbidden {
			return p, failure
		}
	}
	if conf != nil && conf.ManagedQueryResultsConfiguration != nil && conf.ManagedQueryResultsConfiguration.Enabled {
		return p, nil
	}
	own := ""
	if conf != nil && conf.ResultConfiguration != nil && conf.ResultConfiguration.OutputLocation != nil {
		own = *conf.ResultConfiguration.OutputLocation
	}
	root := bucketURL(s.Job.ResultsBucket)
	if root == "" {
		root = bucketURL(a.settings.ResultsBucket)
	}
	switch enforced := own != "" && conf.EnforceWorkGroupConfiguration != nil && *conf.EnforceWorkGroupConfiguration; {
	case enforced:
		p.Enforced, root = own, own
	case root == "":
		root = own
	}
	if root == "" {
		return p, s.Failed(ceap.CodeInvalid, -1, "there is no place for results").
			WithHint("set connectors.data-warehouse.resultsBucket in ceap.yaml, or sourceConfig.resultsBucket in the program, or a location in the workgroup %s", p.WorkGroup)
	}
	prefix := s.Job.ResultsPrefix
	if prefix == "" {
		prefix = "ceap/"
	}
	p.Root = strings.TrimRight(root, "/") + "/" + prefix
	return p, nil
}

// bucketURL returns s3://bucket for a bucket's name, which may be written so
// already.
func bucketURL(bucket string) string {
	if bucket == "" || strings.HasPrefix(bucket, "s3://") {
		return bucket
	}
	return "s3://" + bucket
}

// split returns bucket and key of s3://bucket/key.
func split(url string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	return bucket, key
}

// startFailed returns the error of a query, or of asking for its workgroup, that
// Athena refuses before it gives it an id.
func (a *Athena) startFailed(ctx context.Context, s warehouse.Statement, p place, m mode, err error) error {
	failure := awsapi.Error(ctx, "Query execution failed", err)
	refused, ok := errors.AsType[*types.InvalidRequestException](err)
	if !ok {
		if busy, ok := errors.AsType[*types.TooManyRequestsException](err); ok && busy.Reason == types.ThrottleReasonConcurrentQueryLimitExceeded {
			return s.Failed(ceap.CodeRateLimited, -1, "too many queries run or wait in this account").
				WithHint("run fewer programs at a time, or raise Athena's quota of active DML queries")
		}
		return failure
	}
	text := ""
	if refused.Message != nil {
		text = *refused.Message
	}
	switch lower := strings.ToLower(text); {
	case strings.Contains(lower, "workgroup") && strings.Contains(lower, "not found"):
		return s.Failed(ceap.CodeInvalid, -1, "there is no workgroup "+p.WorkGroup).
			WithHint("set sourceConfig.workGroup or connectors.data-warehouse.workGroup to one that exists: `aws athena list-work-groups`")
	case strings.Contains(lower, "output bucket") || strings.Contains(lower, "output location") || strings.Contains(lower, "s3 location"):
		bucket, _ := split(p.Root)
		return s.Failed(ceap.CodeInvalid, -1, fmt.Sprintf("results cannot go to the bucket %s: %s", bucket, text)).
			WithHint("make the bucket in the query's region, or set another with sourceConfig.resultsBucket or connectors.data-warehouse.resultsBucket")
	case strings.Contains(lower, "catalog") && strings.Contains(lower, "not exist"):
		return s.Failed(ceap.CodeInvalid, -1, text).WithHint("set connectors.data-warehouse.catalog to one of `aws athena list-data-catalogs`")
	default:
		return a.refused(ctx, s, p, m, text)
	}
}
