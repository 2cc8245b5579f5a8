// Subscribe prints every event of the topics that are named as a line of JSON, across reconnects.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"

	"tideway.example/gateway"
)

const eventMax = 16 << 20 // bytes

type event struct {
	ID    string `json:"id"`
	Event string `json:"event"`
	Data  string `json:"data"`
}

type gap struct {
	Reason string   `json:"reason"`
	Topics []string `json:"topics"`
}

// transport lets an overloaded gateway's answer count as a failed connection, which go-sse tries again.
type transport struct{ http.RoundTripper }

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	err = gateway.Check(response)
	if _, busy := err.(gateway.Busy); busy {
		return nil, err
	}
	return response, nil
}

func show(value any) {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(value); err != nil {
		log.Fatal(err)
	}
}

func onEvent(e sse.Event) {
	if e.Type == "" {
		e.Type = "message"
	}
	show(event{e.LastEventID, e.Type, e.Data})
}

// Events were lost for good: an application would fetch the state of these topics anew.
func onGap(e sse.Event) {
	var lost gap
	if err := json.Unmarshal([]byte(e.Data), &lost); err != nil {
		log.Fatal(err)
	}
	show(map[string]gap{"gap": lost})
}

func follow(ctx context.Context, client *http.Client, topics []string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway.URL("/v1/stream"), nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-SSE-Topic", strings.Join(topics, ","))
	request.Header.Set("X-SSE-Id", "example-go")
	if token := os.Getenv("TIDEWAY_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}

	// go-sse reconnects with Last-Event-ID, after what `retry:` says and longer with each failure in a row.
	source := sse.Client{
		HTTPClient: &http.Client{Transport: transport{client.Transport}},
		Backoff: sse.Backoff{
			InitialInterval: 3 * time.Second,
			Multiplier:      2,
			Jitter:          0.2,
			MaxInterval:     30 * time.Second,
		},
		ResponseValidator: func(response *http.Response) error {
			if err := gateway.Check(response); err != nil {
				return err
			}
			log.Print("connected: ", response.Header.Get("X-SSE-Connection-Id"))
			return sse.DefaultValidator(response)
		},
		OnRetry: func(err error, wait time.Duration) { log.Printf("trying again in %v: %v", wait, err) },
	}
	connection := source.NewConnection(request)
	connection.Buffer(nil, eventMax)
	lastID := ""
	connection.SubscribeToAll(func(e sse.Event) {
		// go-sse also reports blocks without data: `retry:`, and the id with which a stream opens.
		opening := e.Data == "" && (e.LastEventID == lastID || strings.HasPrefix(e.LastEventID, "~"))
		lastID = e.LastEventID
		switch {
		case opening:
		case e.Type == "tideway.gap":
			onGap(e)
		default:
			onEvent(e)
		}
	})
	return connection.Connect()
}

func main() {
	log.SetFlags(0)
	gateway.Run(follow)
}
