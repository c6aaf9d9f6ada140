package dynamodb_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/goleak"

	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(stopping{m}, awstest.Leaks()...)
}

// stopping ends the emulators after the tests.
type stopping struct{ *testing.M }

func (s stopping) Run() int {
	code := s.M.Run()
	for _, e := range emulators {
		e.stop()
	}
	return code
}

// TestStore_ConformanceElsewhere runs the suite on emulators that are stricter than
// moto in one thing or another. The files of runs stay with moto.
func TestStore_ConformanceElsewhere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("more emulators run without -short")
	}
	for _, e := range emulators {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			endpoint := e.start(t)
			storetest.Run(t, func(t *testing.T) store.Roles {
				t.Helper()
				s := bareStage(t)
				s.move(endpoint)
				s.deploy(t)
				return s.open(t)
			})
		})
	}
}

// everywhere runs a test on an empty stage of each emulator.
func everywhere(t *testing.T, test func(*testing.T, *stage)) {
	t.Helper()
	t.Run("moto", func(t *testing.T) {
		t.Parallel()
		test(t, newStage(t))
	})
	for _, e := range emulators {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := bareStage(t)
			s.move(e.start(t))
			s.deploy(t)
			test(t, s)
		})
	}
}

// move lets the stage's tables lie with another emulator.
func (s *stage) move(endpoint *url.URL) {
	c := s.cloud.Config.Copy()
	c.HTTPClient = &http.Client{Transport: mover{endpoint, c.HTTPClient}}
	s.load = func(context.Context) (aws.Config, error) { return c.Copy(), nil }
	s.db = awsdb.NewFromConfig(c)
}

// mover sends requests to DynamoDB elsewhere.
type mover struct {
	to     *url.URL
	others aws.HTTPClient
}

func (m mover) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_") {
		return m.others.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	response, err := m.send(r, r.Header.Get("X-Amz-Target"), body)
	if err != nil || response.StatusCode != http.StatusBadRequest || !bytes.Contains(body, []byte("ReturnValuesOnConditionCheckFailure")) {
		return response, err
	}
	return m.addItem(r, body, response)
}

func (m mover) send(r *http.Request, target string, body []byte) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = m.to.Scheme, m.to.Host
	r.Header.Set("X-Amz-Target", target)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return m.others.Do(r)
}

// addItem adds the item to the answer of a condition that failed: dynalite does not
// know that one may ask for it.
func (m mover) addItem(r *http.Request, body []byte, response *http.Response) (*http.Response, error) {
	answer, err := decodeBody(response)
	if kind, _ := answer["__type"].(string); err != nil || !strings.HasSuffix(kind, "#ConditionalCheckFailedException") || answer["Item"] != nil {
		return encodeBody(response, answer, err)
	}
	var request struct {
		TableName string
		Item, Key map[string]any
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	if request.Key == nil {
		request.Key = map[string]any{"PK": request.Item["PK"], "SK": request.Item["SK"]}
	}
	get, err := json.Marshal(map[string]any{"TableName": request.TableName, "Key": request.Key, "ConsistentRead": true})
	if err != nil {
		return nil, err
	}
	found, err := m.send(r, "DynamoDB_20120810.GetItem", get)
	if err != nil {
		return nil, err
	}
	it, err := decodeBody(found)
	answer["Item"] = it["Item"]
	return encodeBody(response, answer, err)
}

func decodeBody(r *http.Response) (body map[string]any, err error) {
	defer func() { _ = r.Body.Close() }() // it was read to its end
	err = json.NewDecoder(r.Body).Decode(&body)
	return body, err
}

func encodeBody(r *http.Response, body map[string]any, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	r.Header.Del("Content-Length")
	r.Header.Del("X-Amz-Crc32") // of the answer as it was
	return r, err
}

// emulator is a server of DynamoDB's interface. It is started once for all tests,
// which have stages of their own.
type emulator struct {
	name    string
	tool    string // its file below .tools
	needed  bool   // whether setup always installs it
	command func(tool string) (args []string, port func(*bufio.Reader) (string, error))

	once     sync.Once
	endpoint *url.URL
	err      error
	stops    []func()
}

//nolint:gochecknoglobals // each is started once in the process
var emulators = []*emulator{
	{name: "dynalite", tool: "node/node_modules/dynalite/index.js", needed: true, command: func(tool string) ([]string, func(*bufio.Reader) (string, error)) {
		const program = `
			const server = require(process.argv[1])({createTableMs: 0, deleteTableMs: 0, updateTableMs: 0})
			server.listen(0, '127.0.0.1', () => console.log(server.address().port))
			process.stdin.on('end', () => process.exit()).resume()`
		return []string{"node", "-e", program, tool}, readLine
	}},
	{name: "DynamoDB Local", tool: "dynamodb/lib", command: func(tool string) ([]string, func(*bufio.Reader) (string, error)) {
		port := freePort()
		args := []string{
			"java", "-Djava.library.path=" + tool, "-cp", filepath.Join(tool, "*"),
			"software.amazon.dynamodb.services.local.main.ServerRunner", "-inMemory", "-sharedDb", "-disableTelemetry", "-port", port,
		}
		return args, func(r *bufio.Reader) (string, error) { return port, waitFor(r, "CorsParams") }
	}},
}

// start returns where the emulator listens. Without the tool the test is skipped, or
// fails where CEAP_REQUIRE_TOOLS is 1 and setup always installs it.
func (e *emulator) start(t *testing.T) *url.URL {
	t.Helper()
	tool, err := filepath.Abs(filepath.Join("..", "..", ".tools", e.tool))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tool); err != nil {
		if os.Getenv("CEAP_REQUIRE_TOOLS") == "1" && e.needed {
			t.Fatalf("%s is missing: run `make setup`", e.name)
		}
		t.Skipf("%s is missing: run `make setup`", e.name)
	}
	e.once.Do(func() { e.endpoint, e.err = e.run(tool) })
	if e.err != nil {
		t.Fatalf("starting %s: %v", e.name, e.err)
	}
	return e.endpoint
}

func (e *emulator) run(tool string) (*url.URL, error) {
	args, port := e.command(tool)
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // it outlives every context of a test
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	out := bufio.NewReader(stdout)
	number, err := port(out)
	var group sync.WaitGroup
	group.Go(func() { _, _ = io.Copy(io.Discard, out) }) // so that it never waits for a reader
	e.stops = append(e.stops, func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		group.Wait()
		_ = cmd.Wait() // it says that it was killed
	})
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + number
	return &url.URL{Scheme: "http", Host: address}, listens(address)
}

func (e *emulator) stop() {
	for _, stop := range e.stops {
		stop()
	}
}

// listens waits until the address accepts connections.
func listens(address string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 600 {
		conn, err := net.Dial("tcp", address) //nolint:noctx // it outlives every context of a test
		if err == nil {
			return conn.Close()
		}
		<-tick.C
	}
	return fmt.Errorf("nothing listens at %s", address)
}

// freePort returns a port that nobody uses at the moment.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends at once
	if err != nil {
		return "0"
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener has an address with a port
	return port
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimSpace(line), err
}

// waitFor reads up to a line that starts so.
func waitFor(r *bufio.Reader, start string) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, start) {
			return err
		}
	}
}
