// Publish sends each line of standard input to the topics that are named, and prints the gateway's answers.
package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"tideway.example/gateway"
)

const (
	retry      = 500 * time.Millisecond
	backoffMax = 30 * time.Second
	timeout    = 10 * time.Second
	lineMax    = 16 << 20 // bytes
)

type publication struct {
	ID    string  `json:"id"`
	Event string  `json:"event"`
	Data  *string `json:"data"`
}

// A JSON object with data, and perhaps id and event, is taken apart; any other line is a payload.
func parse(line string) publication {
	var p publication
	if json.Unmarshal([]byte(line), &p) != nil || p.Data == nil {
		p = publication{Data: &line}
	}
	if p.ID == "" {
		p.ID = rand.Text()
	}
	return p
}

func post(ctx context.Context, client *http.Client, topics []string, p publication) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, gateway.URL("/v1/publish"), strings.NewReader(*p.Data))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+cmp.Or(os.Getenv("TIDEWAY_API_KEY"), os.Getenv("TIDEWAY_TOKEN")))
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	request.Header.Set("X-SSE-Topic", strings.Join(topics, ","))
	request.Header.Set("X-SSE-Id", p.ID)
	if p.Event != "" {
		request.Header.Set("X-SSE-Event", p.Event)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	if err := gateway.Check(response); err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// publish tries until the gateway has answered. A repeat has the same id, so that subscribers can tell.
func publish(ctx context.Context, client *http.Client, topics []string, p publication) (string, error) {
	for delay := retry; ; delay = min(2*delay, backoffMax) {
		answer, err := post(ctx, client, topics, p)
		if err == nil || errors.As(err, new(gateway.Refused)) {
			return answer, err
		}
		wait := delay + mathrand.N(delay/2)
		log.Printf("trying again in %v: %v", wait, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// readLines sends the lines of standard input that are not empty, and then what ended them.
func readLines() (<-chan string, <-chan error) {
	lines, end := make(chan string), make(chan error, 1)
	go func() {
		scanner := bufio.NewScanner(os.Stdin)
		scanner.Buffer(nil, lineMax)
		for scanner.Scan() {
			if scanner.Text() != "" {
				lines <- scanner.Text()
			}
		}
		end <- scanner.Err()
	}()
	return lines, end
}

func publishLines(ctx context.Context, client *http.Client, topics []string) error {
	lines, end := readLines()
	for {
		select {
		case line := <-lines:
			answer, err := publish(ctx, client, topics, parse(line))
			if err != nil {
				return err
			}
			fmt.Println(answer)
		case err := <-end:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func main() {
	log.SetFlags(0)
	gateway.Run(publishLines)
}
