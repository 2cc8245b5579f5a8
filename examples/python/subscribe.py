"""Prints every event of the topics that are named as a line of JSON, across reconnects."""

import json
import os
import sys

import httpx
import httpx_sse

import gateway


def show(value):
    print(json.dumps(value, ensure_ascii=False), flush=True)


class Subscription:
    def __init__(self, topics):
        self.headers = {"X-SSE-Topic": ",".join(topics), "X-SSE-Id": "example-python"}
        if token := os.environ.get("TIDEWAY_TOKEN"):
            self.headers["Authorization"] = f"Bearer {token}"
        self.last_event_id = ""
        self.retry_s = 3.0
        self.failures = 0

    def on_event(self, event):
        show({"id": event.id, "event": event.event, "data": event.data})

    def on_gap(self, gap):
        """Events were lost for good: an application would fetch the state of these topics anew."""
        show({"gap": gap})

    def on_block(self, block):
        """httpx-sse also reports blocks without data: heartbeats, `retry:`, and the id with which a
        stream opens, from which one resumes that has seen no event yet."""
        if block.retry is not None:
            self.retry_s = block.retry / 1000
        if block.event == "tideway.gap":
            self.on_gap(block.json())
        elif block.data or self.is_new(block.id):
            self.on_event(block)
        self.last_event_id = block.id or self.last_event_id

    def is_new(self, event_id):
        return event_id not in ("", self.last_event_id) and not event_id.startswith("~")

    def follow(self, client):
        """One stream; comes back when it ends."""
        headers = dict(self.headers)
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        with httpx_sse.connect_sse(client, "GET", "/v1/stream", headers=headers) as source:
            gateway.check(source.response)
            print("connected:", source.response.headers["x-sse-connection-id"], file=sys.stderr)
            self.failures = 0
            for block in source.iter_sse():
                self.on_block(block)


def main(topics):
    subscription = Subscription(topics)
    with gateway.client() as client:
        while True:
            try:
                subscription.follow(client)
                gateway.back_off(subscription.retry_s, 0, "the stream ended")
            except httpx.HTTPError as error:
                gateway.back_off(subscription.retry_s, subscription.failures, error)
                subscription.failures += 1


gateway.run(main)
