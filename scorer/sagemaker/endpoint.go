package sagemaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/scorer"
)

// endpoint asks a SageMaker endpoint. It is safe for concurrent use.
type endpoint struct {
	config  Config
	load    func(context.Context) (aws.Config, error)
	log     *slog.Logger
	breaker *breaker

	mu     sync.Mutex
	client *sagemakerruntime.Client // nil before the first request
}

// reply is what an endpoint sends back.
type reply struct {
	body  []byte
	media string // its media type, as far as it is one that is known
}

// invoke sends a request, again if a failure may pass, within the time-out of
// the configuration. The error is a [scorer.NotConfigured] if the deployment has
// to act.
func (e *endpoint) invoke(ctx context.Context, body []byte) (reply, error) {
	limited, cancel := context.WithTimeout(ctx, time.Duration(e.config.TimeoutSeconds)*time.Second)
	defer cancel()
	for attempt := 0; ; attempt++ {
		permit, err := e.breaker.allow()
		if err != nil {
			return reply{}, err
		}
		out, err := e.send(limited, body)
		if ctx.Err() != nil {
			permit.drop()
			return reply{}, awsapi.Error(ctx, e.doing(), context.Cause(ctx))
		}
		fault := e.fault(limited, err)
		permit.report(fault)
		switch {
		case err == nil:
			return e.reply(ctx, out), nil
		case !transient(err) || attempt == e.config.MaxRetries || !pause(limited, attempt):
			return reply{}, fault
		}
		e.log.DebugContext(ctx, "asking the model again", "endpoint", e.config.EndpointName, "attempt", attempt+2, "error", fault)
	}
}

func (e *endpoint) doing() string {
	return fmt.Sprintf("asking the SageMaker endpoint %q", e.config.EndpointName)
}

func (e *endpoint) send(ctx context.Context, body []byte) (*sagemakerruntime.InvokeEndpointOutput, error) {
	client, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	c := &e.config
	return client.InvokeEndpoint(ctx, &sagemakerruntime.InvokeEndpointInput{
		EndpointName: &c.EndpointName, Body: body, ContentType: &c.ContentType, Accept: &c.AcceptType,
		TargetVariant: unlessEmpty(c.TargetVariant), TargetModel: unlessEmpty(c.TargetModel),
		TargetContainerHostname: unlessEmpty(c.TargetContainerHostname),
		InferenceComponentName:  unlessEmpty(c.InferenceComponentName), CustomAttributes: unlessEmpty(c.CustomAttributes),
	})
}

// open makes the client when it is first needed, so that opening a program has
// no effects.
func (e *endpoint) open(ctx context.Context) (*sagemakerruntime.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.client == nil {
		c, err := e.load(ctx)
		if err != nil {
			return nil, err
		}
		e.client = sagemakerruntime.NewFromConfig(c, func(o *sagemakerruntime.Options) {
			if e.config.Region != "" {
				o.Region = e.config.Region
			}
			o.Retryer = aws.NopRetryer{} // invoke decides, since the breaker counts each request
		})
	}
	return e.client, nil
}

func (e *endpoint) reply(ctx context.Context, out *sagemakerruntime.InvokeEndpointOutput) reply {
	e.log.DebugContext(ctx, "the model answered", "endpoint", e.config.EndpointName, "variant", aws.ToString(out.InvokedProductionVariant), "bytes", len(out.Body))
	media, _, _ := strings.Cut(aws.ToString(out.ContentType), ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); media {
	case mediaCSV, mediaJSON, mediaLines:
	case "application/x-jsonlines", "application/jsonlines+json":
		media = mediaLines
	default: // containers often say application/octet-stream or text/html, whatever they send
		media = e.config.AcceptType
	}
	return reply{body: out.Body, media: media}
}

// fault says what an error of the SDK means for a person.
func (e *endpoint) fault(ctx context.Context, err error) error {
	name, code := e.config.EndpointName, awsapi.Code(err)
	model, isModel := errors.AsType[*types.ModelError](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ceap.Errorf(ceap.CodeUnavailable, "%s: no answer within %d s", e.doing(), e.config.TimeoutSeconds).
			WithHint("raise timeoutSeconds, or lower batchRows")
	case isModel:
		return ceap.Errorf(ceap.CodeUnavailable, "the container of the SageMaker endpoint %q answered %d: %s",
			name, aws.ToInt32(model.OriginalStatusCode), shortened(aws.ToString(model.OriginalMessage))).
			WithHint("look at the endpoint's log in CloudWatch")
	case code == "ValidationError" && strings.Contains(err.Error(), "not found"):
		return &scorer.NotConfigured{Need: fmt.Sprintf("SageMaker does not know the endpoint %q, or what is asked of it: %s; deploy it, or correct endpointName and region", name, message(err))}
	case code == "AccessDeniedException" || code == "AccessDenied":
		return &scorer.NotConfigured{Need: fmt.Sprintf("the permission sagemaker:InvokeEndpoint on the endpoint %q is missing: allow it for the role or user that CEAP runs as (%s)", name, message(err))}
	default:
		return awsapi.Error(ctx, e.doing(), err)
	}
}

// transient reports whether the same request may succeed later.
func transient(err error) bool {
	if model, ok := errors.AsType[*types.ModelError](err); ok {
		return busy(int(aws.ToInt32(model.OriginalStatusCode)))
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status := response.HTTPStatusCode()
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests || throttled(awsapi.Code(err))
	}
	// Without an answer: the connection broke, or there is no configuration.
	_, sending := errors.AsType[*smithyhttp.RequestSendError](err)
	return sending
}

// busy reports whether a container's status says that it is overloaded or about
// to start. Its 500 is most often what it makes of this request.
func busy(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

func throttled(code string) bool {
	return strings.Contains(code, "Throttl") || strings.Contains(code, "TooManyRequests") || strings.HasPrefix(code, "ModelNotReady") ||
		code == "RequestLimitExceeded"
}

// pause waits before the next attempt, longer each time, and reports whether
// there is time for one.
func pause(ctx context.Context, attempt int) bool {
	jitter := rand.N(time.Second) //nolint:gosec // spreads requests, guards nothing
	timer := time.NewTimer(time.Second<<attempt + jitter)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// message returns what AWS says in an error.
func message(err error) string {
	if fault, ok := errors.AsType[interface {
		error
		ErrorMessage() string
	}](err); ok && fault.ErrorMessage() != "" {
		return shortened(fault.ErrorMessage())
	}
	return shortened(err.Error())
}

// shortened returns the beginning of a text that others wrote.
func shortened(text string) string {
	const most = 300
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
