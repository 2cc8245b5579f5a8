"""Publishes each line of standard input to the topics that are named, and prints the gateway's answers."""

import itertools
import json
import os
import sys
import uuid

import httpx

import gateway

RETRY_S = 0.5


def parse(line):
    """A JSON object with `data`, and perhaps `id` and `event`, is taken apart; any other line is a payload."""
    try:
        value = json.loads(line)
    except ValueError:
        return {"data": line}
    return value if isinstance(value, dict) and "data" in value else {"data": line}


def publish(client, topics, publication):
    """Tries until the gateway has answered. A repeat has the same id, so that subscribers can tell."""
    key = os.environ.get("TIDEWAY_API_KEY") or os.environ.get("TIDEWAY_TOKEN", "")
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "text/plain; charset=utf-8",
        "X-SSE-Topic": ",".join(topics),
        "X-SSE-Id": publication.get("id") or str(uuid.uuid4()),
    }
    if publication.get("event"):
        headers["X-SSE-Event"] = publication["event"]
    for failures in itertools.count():
        try:
            response = client.post("/v1/publish", headers=headers,
                                   content=publication["data"].encode())
            gateway.check(response)
            return response.text
        except httpx.HTTPError as error:
            gateway.back_off(RETRY_S, failures, error)


def main(topics):
    with gateway.client() as client:
        for line in sys.stdin:
            if line.strip():
                print(publish(client, topics, parse(line.rstrip("\n"))), flush=True)


gateway.run(main)
