// launchdarkly/eventsource; it reconnects by itself.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/launchdarkly/eventsource"

	"tideway.test/clients/show"
)

func main() {
	stream, err := eventsource.SubscribeWithURL(os.Args[1], eventsource.StreamOptionInitialRetry(200*time.Millisecond),
		eventsource.StreamOptionCanRetryFirstConnection(-1),
		eventsource.StreamOptionErrorHandler(func(err error) eventsource.StreamErrorHandlerResult {
			fmt.Fprintln(os.Stderr, err)
			return eventsource.StreamErrorHandlerResult{}
		}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for event := range stream.Events {
		show.Event(event.Event(), event.Id(), event.Data())
	}
}
