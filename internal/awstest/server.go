package awstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
)

// shared returns the server of this process, started at the first call.
//
//nolint:gochecknoglobals // a server costs half a second and serves all tests of a process
var shared = sync.OnceValues(startServer)

// server is moto and the proxy in front of it. It runs until the process ends.
type server struct {
	url       string
	moto      *process
	forward   *httputil.ReverseProxy
	transport *http.Transport

	tokens tokens
	writes sync.Mutex // one write to a table at a time; see write

	mu        sync.Mutex
	numbers   int // how many were given
	clouds    map[string]*Cloud
	instances map[string]*instance
	functions map[string]*function
}

func startServer() (*server, error) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("starting the proxy of moto: %w", err)
	}
	address := listener.Addr().String()
	moto, err := startMoto(address)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	target := &url.URL{Scheme: "http", Host: moto.address}
	s := &server{
		url:       "http://" + address,
		moto:      moto,
		transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		clouds:    map[string]*Cloud{},
		instances: map[string]*instance{},
		functions: map[string]*function{},
	}
	s.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport:    s.transport,
		ErrorHandler: s.unreachable,
	}
	go s.serve(listener)
	if err := s.configure(context.Background()); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *server) serve(listener net.Listener) {
	proxy := &http.Server{Handler: s} //nolint:gosec // its clients are tests
	_ = proxy.Serve(listener)
}

// configure turns on moto's interpreter of state machines.
func (s *server) configure(ctx context.Context) error {
	body := []byte(`{"stepfunctions": {"execute_state_machine": true}}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/moto-api/config", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("configuring moto: %w", err)
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("configuring moto: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK {
		return fmt.Errorf("configuring moto: %s", response.Status)
	}
	return nil
}

// ServeHTTP answers one request to the account: first the limits, then the faults,
// then whoever is in charge of the operation.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := readCall(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	from, caller := s.caller(c.key)
	if from != nil {
		from.count(c.Operation)
	}
	if v := overLimit(c, r); v != nil {
		c.refuse(w, v.status, v.code, v.message)
		return
	}
	next := s.handler(c, from)
	victim := from
	if f := s.functionNamed(c.Name); c.Operation == "lambda.Invoke" && f != nil {
		victim = f.owner
	}
	if victim != nil {
		if effect, suffers := victim.suffer(c); suffers {
			effect.apply(&exchange{Call: c, w: w, r: r, next: next, caller: caller})
			return
		}
	}
	next(w, r)
}

// unreachable answers when moto does not.
func (s *server) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	http.Error(w, fmt.Sprintf("moto does not answer: %v\n%s", err, s.moto.log()), http.StatusBadGateway)
}

// newKey returns an access key that nobody has.
func (s *server) newKey() string { return "AKIACEAPTEST" + s.number() }

// number returns a number that no other call returns.
func (s *server) number() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers++
	return strconv.Itoa(s.numbers)
}

// caller returns whose access key it is: a Cloud's own, or that of a process of one
// of its functions.
func (s *server) caller(key string) (*Cloud, *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.instances[key]; in != nil {
		return in.cloud, in
	}
	return s.clouds[key], nil
}

func (s *server) join(c *Cloud) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clouds[c.key] = c
}

// leave forgets a Cloud and its functions; the last one closes the connections to
// moto.
func (s *server) leave(c *Cloud) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clouds, c.key)
	maps.DeleteFunc(s.functions, func(_ string, f *function) bool { return f.owner == c })
	if len(s.clouds) == 0 {
		s.transport.CloseIdleConnections()
	}
}

// functionsOf returns the names of a Cloud's functions, sorted.
func (s *server) functionsOf(c *Cloud) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, f := range s.functions {
		if f.owner == c {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *server) addInstance(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances[in.key] = in
}

func (s *server) removeInstance(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.instances, in.key)
}
