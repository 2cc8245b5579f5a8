// r3labs/sse; it reconnects by itself.
package main

import (
	"fmt"
	"os"

	"github.com/r3labs/sse/v2"

	"tideway.test/clients/show"
)

func main() {
	client := sse.NewClient(os.Args[1], sse.ClientMaxBufferSize(2<<20))
	err := client.SubscribeRaw(func(event *sse.Event) {
		show.Event(string(event.Event), string(event.ID), string(event.Data))
	})
	fmt.Fprintln(os.Stderr, "the subscription ended:", err)
}
