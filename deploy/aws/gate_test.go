package aws_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ceap-platform/ceap/internal/awstest"
)

// gate stands before the emulator and lets through what the template allows to a
// role. What it refuses it answers as AWS does.
type gate struct {
	url  string
	role string

	allowed []statement
	mu      sync.Mutex
	asked   map[string]bool // action and resource, and whether it was allowed
}

// newGate returns the gate of a role, with what its own policies and those
// attached to it say.
func newGate(t *testing.T, tp *template, role string, cloud *awstest.Cloud) *gate {
	t.Helper()
	g := &gate{role: role, asked: map[string]bool{}}
	owners := []string{role}
	for _, policy := range list(tp.resource(t, role)["ManagedPolicyArns"]) {
		if name, ok := object(policy)["Ref"].(string); ok {
			owners = append(owners, name)
		}
	}
	for _, s := range statements(tp) {
		if slices.Contains(owners, s.owner) {
			for i, resource := range s.resources {
				s.resources[i] = tp.arn(t, resource)
			}
			g.allowed = append(g.allowed, s)
		}
	}
	target, err := url.Parse(cloud.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused, err := g.refuses(r)
		switch {
		case err != nil:
			t.Error(err)
		case refused != "":
			awstest.Refuse(w, http.StatusForbidden, "AccessDeniedException", "not authorized to perform: "+refused)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// arn replaces the ARN of a table or bucket by what the deployment gives it.
func (tp *template) arn(t *testing.T, resource string) string {
	t.Helper()
	reference, rest, _ := strings.Cut(resource, "}")
	id, isARN := strings.CutSuffix(strings.TrimPrefix(reference, "${"), ".Arn")
	if !isARN {
		return resource
	}
	switch properties := tp.resource(t, id); {
	case properties["TableName"] != nil:
		return "arn:aws:dynamodb:" + awstest.Region + ":" + awstest.Account + ":table/" + tp.text(properties["TableName"]) + rest
	case properties["BucketName"] != nil:
		return "arn:aws:s3:::" + tp.text(properties["BucketName"]) + rest
	default:
		return resource
	}
}

// refuses returns the first permission that a request needs and the role lacks.
func (g *gate) refuses(r *http.Request) (string, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	action, resources, err := needs(r, body)
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, resource := range resources {
		ok := slices.ContainsFunc(g.allowed, func(s statement) bool {
			return slices.Contains(s.actions, action) && slices.ContainsFunc(s.resources, func(pattern string) bool { return matches(pattern, resource) })
		})
		wanted := action + " on " + resource
		g.asked[wanted] = ok
		if !ok {
			return wanted, nil
		}
	}
	return "", nil
}

// needs returns the action of a request, and the resources on which the role needs
// it; none if it needs no permission.
func needs(r *http.Request, body []byte) (action string, resources []string, err error) {
	const own = ":" + awstest.Region + ":" + awstest.Account + ":"
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/")
	if len(parts) < 5 {
		return "", nil, fmt.Errorf("%s %s is not signed", r.Method, r.URL)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var input struct {
		TableName, IndexName, WorkGroup, StateMachineArn, ExecutionArn, CatalogName string
		RequestItems                                                                map[string]any
	}
	_ = json.Unmarshal(body, &input) // of S3 it is no JSON, and not looked at
	switch service := parts[3]; service {
	case "sts":
		return "", nil, nil
	case "s3":
		action, resource := needsOfS3(r)
		return action, []string{resource}, nil
	case "dynamodb":
		for table := range input.RequestItems {
			resources = append(resources, "arn:aws:dynamodb"+own+"table/"+table)
		}
		if input.IndexName != "" {
			input.TableName += "/index/" + input.IndexName
		}
		if input.TableName != "" {
			resources = append(resources, "arn:aws:dynamodb"+own+"table/"+input.TableName)
		}
	case "athena":
		resources = []string{"arn:aws:athena" + own + "workgroup/primary"} // of the program
		if input.CatalogName != "" {
			resources = []string{"arn:aws:athena" + own + "datacatalog/" + input.CatalogName}
		}
	case "states":
		resources = []string{input.StateMachineArn + strings.ReplaceAll(input.ExecutionArn, "stateMachine", "execution")}
	case "events":
		resources = []string{"arn:aws:events" + own + "event-bus/default"}
	default:
		return "", nil, fmt.Errorf("the test does not know what %s of %s needs", operation, service)
	}
	if len(resources) == 0 || operation == "" {
		return "", nil, fmt.Errorf("the test does not know what %s %s needs: %s", parts[3], operation, body)
	}
	return parts[3] + ":" + operation, resources, nil
}

// needsOfS3 returns what a request in path style needs.
func needsOfS3(r *http.Request) (action, resource string) {
	name := strings.Trim(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(name, "/")
	query := r.URL.Query()
	switch {
	case query.Has("delete"): // the keys are in the body; all of them are files of runs
		return "s3:DeleteObject", "arn:aws:s3:::" + bucket + "/runs/x"
	case key == "" && query.Has("location"):
		return "s3:GetBucketLocation", "arn:aws:s3:::" + bucket
	case key == "":
		return "s3:ListBucket", "arn:aws:s3:::" + bucket
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return "s3:GetObject", "arn:aws:s3:::" + name
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return "s3:AbortMultipartUpload", "arn:aws:s3:::" + name
	case r.Method == http.MethodDelete:
		return "s3:DeleteObject", "arn:aws:s3:::" + name
	default:
		return "s3:PutObject", "arn:aws:s3:::" + name
	}
}

// matches reports whether the resource fits a pattern, in which * stands for any
// characters.
func matches(pattern, resource string) bool {
	pieces := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(resource, pieces[0])
	for i, piece := range pieces[1:] {
		if !ok {
			return false
		}
		if i == len(pieces)-2 {
			return strings.HasSuffix(rest, piece)
		}
		_, rest, ok = strings.Cut(rest, piece)
	}
	return ok && rest == ""
}

// refused returns what the role was refused, sorted.
func (g *gate) refused() []string { return g.answered(false) }

// granted returns the actions that the role made use of, sorted.
func (g *gate) granted() []string {
	actions := map[string]bool{}
	for _, wanted := range g.answered(true) {
		action, _, _ := strings.Cut(wanted, " on ")
		actions[action] = true
	}
	return slices.Sorted(maps.Keys(actions))
}

func (g *gate) answered(ok bool) []string { //nolint:revive // which of two lists
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for wanted, allowed := range g.asked {
		if allowed == ok {
			out = append(out, wanted)
		}
	}
	slices.Sort(out)
	return out
}
