"""What each program prints of an event."""

import json


def show(event, id, data):
    print(json.dumps({"event": event or "message", "id": id, "data": data[:99], "size": len(data)}), flush=True)
