// Package gateway is what publisher and subscriber share: settings, the HTTP client, Ctrl-C.
package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Refused is an answer that would be the same next time: there is no point in trying again.
type Refused struct{ answer }

// Busy is an answer that may be another one later.
type Busy struct{ answer }

type answer struct {
	status int
	body   string
}

func (a answer) Error() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// URL returns the address of a path of the gateway.
func URL(path string) string {
	base := os.Getenv("TIDEWAY_URL")
	if base == "" {
		base = "https://127.0.0.1:8443"
	}
	return strings.TrimRight(base, "/") + path
}

// Client returns an HTTP/2 client that trusts TIDEWAY_CA, or the system's authorities without it. A connection
// that is silent is probed, so that a dead one is noticed.
func Client() (*http.Client, error) {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if path := os.Getenv("TIDEWAY_CA"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", path)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: authorities}
	}
	return &http.Client{Transport: transport}, nil
}

// Check returns nil for an answer of success; otherwise Refused or Busy, and the body is closed.
func Check(response *http.Response) error {
	if response.StatusCode < 300 {
		return nil
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	a := answer{response.StatusCode, string(body)}
	if a.status == http.StatusTooManyRequests || a.status >= 500 {
		return Busy{a}
	}
	return Refused{a}
}

// Run runs the program until it ends or Ctrl-C cancels its context, which is a clean end.
func Run(program func(ctx context.Context, client *http.Client, topics []string) error) {
	topics := os.Args[1:]
	if len(topics) == 0 {
		fmt.Fprintln(os.Stderr, "name at least one topic")
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	client, err := Client()
	if err == nil {
		err = program(ctx, client, topics)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
