// Package show prints an event as all client programs do.
package show

import (
	"encoding/json"
	"fmt"
)

// Event prints one event.
func Event(event, id, data string) {
	if event == "" {
		event = "message"
	}
	line, _ := json.Marshal(map[string]any{"event": event, "id": id, "data": data[:min(len(data), 99)], "size": len(data)})
	fmt.Println(string(line))
}
