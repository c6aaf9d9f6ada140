package awstest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

//go:embed launch_moto.py
var launcher string

// process is a running moto server. It ends with this process, however that ends:
// the launcher reads a pipe of which we hold the other end.
type process struct {
	address string // host:port
	stdin   io.Closer
	stderr  io.Reader

	mu   sync.Mutex
	tail []byte // the end of what it wrote to stderr
}

// startMoto starts moto for clients that use the address given and waits until it
// accepts connections. Returns ErrMissing if it is not installed.
func startMoto(clients string) (*process, error) {
	_, port, err := net.SplitHostPort(clients)
	if err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	python, err := findTool(filepath.Join("aws", "bin", "moto_server"))
	if err != nil {
		return nil, err
	}
	python = filepath.Join(filepath.Dir(python), "python3")
	cmd := exec.Command(python, "-I", "-c", launcher, port)     //nolint:gosec,noctx // our own tool, which outlives every context of a test
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1") //nolint:forbidigo // the tool needs the machine's PATH and HOME
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	p := &process{stdin: stdin, stderr: stderr}
	ended := make(chan struct{})
	go p.wait(cmd, ended)
	// It listens before it prints, so there is nothing to poll for.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = stdin.Close()
		<-ended
		return nil, fmt.Errorf("starting moto: %w\n%s", err, p.log())
	}
	p.address = net.JoinHostPort("127.0.0.1", strings.TrimSpace(line))
	return p, nil
}

// wait keeps the end of what the process writes to stderr, and reaps it.
func (p *process) wait(cmd *exec.Cmd, ended chan<- struct{}) {
	defer close(ended)
	const keep = 16 << 10
	buffer := make([]byte, 4<<10)
	for {
		n, err := p.stderr.Read(buffer)
		p.mu.Lock()
		p.tail = append(p.tail, buffer[:n]...)
		if len(p.tail) > keep {
			p.tail = append([]byte(nil), p.tail[len(p.tail)-keep:]...)
		}
		p.mu.Unlock()
		if err != nil {
			break
		}
	}
	_ = cmd.Wait()
}

// log returns the end of what the process wrote to stderr.
func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.tail)
}

// findTool returns the path of a tool below .tools in the module's root, looked for
// from the working directory upwards. Returns ErrMissing if it is not there.
func findTool(name string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".tools", name)
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrMissing
	case err != nil:
		return "", fmt.Errorf("looking for moto: %w", err)
	}
	return path, nil
}

// moduleRoot returns the nearest folder above the working directory with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the module's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory: %w", fs.ErrNotExist)
		}
		dir = parent
	}
}
