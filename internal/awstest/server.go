package awstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
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

	mu      sync.Mutex
	joined  int // how many Clouds were ever opened
	present int // how many are open
}

func startServer() (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens until the process ends
	if err != nil {
		return nil, fmt.Errorf("starting the proxy of moto: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port //nolint:errcheck,forcetypeassert // a TCP listener has a TCP address
	moto, err := startMoto(port)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	target := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(moto.port))}
	s := &server{
		url:       "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		moto:      moto,
		transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
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

// ServeHTTP answers one request to the account.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.forward.ServeHTTP(w, r)
}

// unreachable answers when moto does not.
func (s *server) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	http.Error(w, fmt.Sprintf("moto does not answer: %v\n%s", err, s.moto.log()), http.StatusBadGateway)
}

// join counts a Cloud in and returns its access key.
func (s *server) join() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined++
	s.present++
	return fmt.Sprintf("AKIACEAPTEST%08d", s.joined)
}

// leave counts a Cloud out; the last one closes the connections to moto.
func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present--
	if s.present == 0 {
		s.transport.CloseIdleConnections()
	}
}
