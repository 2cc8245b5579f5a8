"""sseclient-py (the same module name as sseclient, so it has an environment of its own), on requests: it parses one stream,
and the program reconnects."""

import sys
import time

import requests
import sseclient

from show import show

last_id, retry_s = "", 3.0
while True:
    try:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        with requests.get(sys.argv[1], headers=headers, stream=True, timeout=(5, None)) as response:
            response.raise_for_status()
            for event in sseclient.SSEClient(response).events():
                last_id = event.id or last_id
                retry_s = retry_s if event.retry is None else int(event.retry) / 1000
                show(event.event, event.id, event.data)
    except requests.RequestException as error:
        print(repr(error), file=sys.stderr)
    time.sleep(retry_s)
