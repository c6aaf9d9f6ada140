package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	athenatypes "github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	states "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
)

// redeploy is what to do when something of the stage is missing or old.
const redeploy = "deploy the template for this stage"

// checker looks at a stage and collects what it sees.
type checker struct {
	*Stage

	ctx    context.Context //nolint:containedctx // of one call of Check
	config aws.Config
	checks []connector.Check
}

// Check looks at what the template makes: identity, tables, bucket, functions, state
// machine, schedule group, and quotas against that many parts at work at a time,
// unless the functions say another number. It changes nothing. A check that was
// refused names the action that is not allowed. artifacts names the bucket of the
// runs' files; "" means that of the template.
func (s *Stage) Check(ctx context.Context, artifacts string, concurrency int) []connector.Check {
	k := &checker{Stage: s, ctx: ctx}
	var err error
	if k.config, err = s.load(ctx); err != nil {
		k.failed("identity", "", err)
		return k.checks
	}
	if !k.identity() {
		return k.checks
	}
	k.tables()
	k.bucket(artifacts)
	concurrency = k.functions(concurrency)
	k.machine()
	k.group()
	k.quotas(concurrency)
	return k.checks
}

func (k *checker) add(status, name, remedy, format string, args ...any) {
	k.checks = append(k.checks, connector.Check{Name: name, Status: status, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (k *checker) ok(name, format string, args ...any) {
	k.add(connector.CheckOK, name, "", format, args...)
}

func (k *checker) warn(name, remedy, format string, args ...any) {
	k.add(connector.CheckWarning, name, remedy, format, args...)
}

func (k *checker) bad(name, remedy, format string, args ...any) {
	k.add(connector.CheckFailed, name, remedy, format, args...)
}

// failed reports an error; action is what must be allowed for the look.
func (k *checker) failed(name, action string, err error) {
	k.checks = append(k.checks, failedCheck(name, action, err))
}

func failedCheck(name, action string, err error) connector.Check {
	check := connector.Check{Name: name, Status: connector.CheckFailed, Detail: err.Error()}
	if e, ok := errors.AsType[*ceap.Error](err); ok && e.Hint != "" {
		check.Detail, check.Remedy = strings.Replace(check.Detail, "; "+e.Hint, "", 1), e.Hint
	}
	if ceap.ErrorCode(err) == ceap.CodeForbidden && action != "" {
		check.Remedy = "allow the action " + action + " for the user or role that calls ceap"
	}
	return check
}

// identity says who asks. Without credentials nothing else can be seen.
func (k *checker) identity() bool {
	me, err := sts.NewFromConfig(k.config).GetCallerIdentity(k.ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		k.failed("identity", "sts:GetCallerIdentity", awsapi.Error(k.ctx, "asking who the AWS credentials belong to", err))
		return false
	}
	k.ok("identity", "%s in account %s, region %s, stage %s", aws.ToString(me.Arn), aws.ToString(me.Account), k.config.Region, k.Name)
	return true
}

func (k *checker) bucket(name string) {
	if name == "" {
		account, err := k.Account(k.ctx)
		if err != nil {
			k.failed("artifacts bucket", "sts:GetCallerIdentity", err)
			return
		}
		name = strings.Join([]string{"ceap-artifacts", k.Name, account, k.config.Region}, "-")
	}
	k.checks = append(k.checks, k.CheckBucket(k.ctx, "artifacts bucket", name))
}

// CheckBucket reports whether a bucket is there and can be listed.
func (s *Stage) CheckBucket(ctx context.Context, what, name string) connector.Check {
	c, err := s.load(ctx)
	if err == nil {
		_, err = awsapi.S3(c).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name, MaxKeys: aws.Int32(1)})
		err = awsapi.Error(ctx, "listing the bucket "+name, err)
	}
	if err != nil {
		return failedCheck(what, "s3:ListBucket", err)
	}
	return connector.Check{Name: what, Status: connector.CheckOK, Detail: name + " can be listed"}
}

// functions looks at the functions, and returns how many parts they have at work at
// a time.
func (k *checker) functions(concurrency int) int {
	client := lambda.NewFromConfig(k.config)
	for _, f := range []struct{ name, handler string }{
		{"ETLLambda", "etl"}, {"control", "control"}, {"part", "part"},
	} {
		full := "ceap-" + k.Name + "-" + f.name
		check := "function " + full
		out, err := client.GetFunctionConfiguration(k.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &full})
		if err != nil {
			k.failed(check, "lambda:GetFunctionConfiguration", awsapi.Error(k.ctx, "looking at the function "+full, err))
			continue
		}
		variables := map[string]string{}
		if out.Environment != nil {
			variables = out.Environment.Variables
		}
		if n, err := strconv.Atoi(variables["CEAP_CONCURRENCY"]); err == nil {
			concurrency = n
		}
		switch {
		case aws.ToString(out.Handler) != f.handler:
			k.bad(check, redeploy, "its handler is %q, not %q", aws.ToString(out.Handler), f.handler)
		case cmp.Or(out.State, lambdatypes.StateActive) != lambdatypes.StateActive && out.State != lambdatypes.StateInactive:
			k.bad(check, "wait, or deploy again", "it is %s: %s", out.State, aws.ToString(out.StateReason))
		case variables["CEAP_STAGE"] != k.Name:
			k.bad(check, redeploy, "its stage (CEAP_STAGE) is %q, not %q", variables["CEAP_STAGE"], k.Name)
		default:
			k.alias(client, full, check, aws.ToInt32(out.MemorySize), aws.ToInt32(out.Timeout))
		}
	}
	return concurrency
}

// alias looks for the alias that state machine and schedules call.
func (k *checker) alias(client *lambda.Client, full, check string, memory, timeout int32) {
	live, err := client.GetAlias(k.ctx, &lambda.GetAliasInput{FunctionName: &full, Name: aws.String("live")})
	if err != nil {
		k.failed(check, "lambda:GetAlias", awsapi.Error(k.ctx, "looking at the alias live of "+full, err))
		return
	}
	k.ok(check, "live is version %s, %d MB, %d s", aws.ToString(live.FunctionVersion), memory, timeout)
}

func (k *checker) machine() {
	const check = "state machine"
	arn, client, err := k.machineARN(k.ctx)
	if err != nil {
		k.failed(check, "", err)
		return
	}
	out, err := client.DescribeStateMachine(k.ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	switch {
	case err != nil:
		k.failed(check, "states:DescribeStateMachine", awsapi.Error(k.ctx, "looking at "+k.StateMachine(), err))
	case out.Status != "" && out.Status != states.StateMachineStatusActive:
		k.bad(check, redeploy, "%s is %s", k.StateMachine(), out.Status)
	case !strings.Contains(aws.ToString(out.Definition), ":function:ceap-"+k.Name+"-part"):
		k.bad(check, redeploy, "%s does not call the functions of the stage", k.StateMachine())
	default:
		k.ok(check, "%s is there", k.StateMachine())
	}
}

// group looks at the group of schedules. What is there without a role serves
// everything but schedules.
func (k *checker) group() {
	const check = "schedule group"
	client := scheduler.NewFromConfig(k.config)
	_, err := client.GetScheduleGroup(k.ctx, &scheduler.GetScheduleGroupInput{Name: aws.String(k.ScheduleGroup())})
	if err != nil {
		k.failed(check, "scheduler:GetScheduleGroup", awsapi.Error(k.ctx, "looking at the schedule group "+k.ScheduleGroup(), err))
		return
	}
	role, err := k.scheduleRole(k.ctx, client)
	if err != nil {
		k.failed(check, "scheduler:ListTagsForResource", err)
		return
	}
	k.ok(check, "%s, schedules run as %s", k.ScheduleGroup(), role)
}

// CheckWorkGroup looks at a workgroup of Athena, and says where it enforces that
// results go: a bucket, or "".
func (s *Stage) CheckWorkGroup(ctx context.Context, name string) (check connector.Check, enforced string) {
	what := "workgroup " + name
	c, err := s.load(ctx)
	if err != nil {
		return failedCheck(what, "", err), ""
	}
	out, err := athena.NewFromConfig(c).GetWorkGroup(ctx, &athena.GetWorkGroupInput{WorkGroup: &name})
	if err != nil {
		return failedCheck(what, "athena:GetWorkGroup", awsapi.Error(ctx, "looking at the workgroup "+name, err)), ""
	}
	check = connector.Check{Name: what, Status: connector.CheckOK}
	if out.WorkGroup.State == athenatypes.WorkGroupStateDisabled {
		check.Status, check.Detail, check.Remedy = connector.CheckFailed, "it is disabled", "turn it on in Athena"
		return check, ""
	}
	conf := out.WorkGroup.Configuration
	if conf == nil {
		conf = &athenatypes.WorkGroupConfiguration{}
	}
	if r := conf.ResultConfiguration; r != nil && aws.ToBool(conf.EnforceWorkGroupConfiguration) {
		enforced, _, _ = strings.Cut(strings.TrimPrefix(aws.ToString(r.OutputLocation), "s3://"), "/")
	}
	cutoff := aws.ToInt64(conf.BytesScannedCutoffPerQuery)
	if cutoff == 0 {
		check.Status, check.Detail = connector.CheckWarning, "a query may scan, and cost, any amount"
		check.Remedy = fmt.Sprintf("set BytesScannedCutoffPerQuery on it, or use ceap-%s, which the template makes with one", s.Name)
		return check, enforced
	}
	check.Detail = fmt.Sprintf("a query may scan at most %.1f GB, about %.2f USD", float64(cutoff)/1e9, float64(cutoff)/1e12*athenaPerTB)
	return check, enforced
}

// athenaPerTB is the list price of us-east-1, in USD. Check before relying.
const athenaPerTB = 5

// quotas compares what the account may do with what a run asks for.
func (k *checker) quotas(concurrency int) {
	const check = "quota of functions"
	part := "ceap-" + k.Name + "-part"
	if out, err := lambda.NewFromConfig(k.config).GetFunctionConcurrency(k.ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &part}); err == nil && out.ReservedConcurrentExecutions != nil {
		if reserved := int(*out.ReservedConcurrentExecutions); reserved < concurrency {
			k.warn(check, "lower PartConcurrency to at most ReservedConcurrency", "%s has %d executions reserved, and a run asks for %d", part, reserved, concurrency)
			return
		}
	}
	const lambdaConcurrency = "L-B99A9384"
	out, err := servicequotas.NewFromConfig(k.config).GetServiceQuota(k.ctx, &servicequotas.GetServiceQuotaInput{
		ServiceCode: aws.String("lambda"), QuotaCode: aws.String(lambdaConcurrency),
	})
	switch {
	case err != nil:
		seen := failedCheck(check, "servicequotas:GetServiceQuota", awsapi.Error(k.ctx, "asking for the quota of concurrent executions", err))
		k.warn(check, cmp.Or(seen.Remedy, fmt.Sprintf("see that Lambda has more than %d concurrent executions", concurrency)), "not known: %s", seen.Detail)
	case out.Quota == nil || out.Quota.Value == nil:
		k.warn(check, fmt.Sprintf("see that Lambda has more than %d concurrent executions", concurrency), "not known: there is no answer")
	case *out.Quota.Value < float64(concurrency)+2: // control and ETL want to run, too
		k.warn(check, "raise the quota of concurrent executions, or lower PartConcurrency", "the account has %.0f concurrent executions, and a run asks for %d", *out.Quota.Value, concurrency)
	default:
		k.ok(check, "the account has %.0f concurrent executions, and a run asks for %d", *out.Quota.Value, concurrency)
	}
}
