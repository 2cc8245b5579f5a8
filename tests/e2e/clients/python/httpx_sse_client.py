"""httpx-sse, which parses one stream: the program reconnects, as its README shows."""

import sys
import time

import httpx
import httpx_sse

from show import show

last_id, retry_s = "", 3.0
with httpx.Client(timeout=httpx.Timeout(5, read=None)) as client:
    while True:
        try:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            with httpx_sse.connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
                for event in source.iter_sse():
                    last_id = event.id or last_id
                    retry_s = retry_s if event.retry is None else event.retry / 1000
                    show(event.event, event.id, event.data)
        except (httpx.HTTPError, httpx_sse.SSEError) as error:
            print(repr(error), file=sys.stderr)
        time.sleep(retry_s)
