"""What publisher and subscriber share: settings, the HTTP client, when to try again, Ctrl-C."""

import os
import random
import ssl
import sys
import time

import httpx

URL = os.environ.get("TIDEWAY_URL", "https://127.0.0.1:8443")
# The gateway sends a heartbeat every 15 s: a stream that is silent for longer than this is dead.
SILENCE_S = 60
BACKOFF_MAX_S = 30


class Refused(Exception):
    """An answer that would be the same next time: there is no point in trying again."""


def client():
    """An HTTP/2 client that trusts TIDEWAY_CA, or the system's authorities without it."""
    tls = ssl.create_default_context(cafile=os.environ.get("TIDEWAY_CA"))
    return httpx.Client(base_url=URL, http2=True, verify=tls,
                        timeout=httpx.Timeout(10, read=SILENCE_S))


def check(response):
    """Raises unless the answer is a success: Refused, or HTTPStatusError if trying again may help."""
    if response.is_success:
        return
    response.read()
    if response.status_code != 429 and response.status_code < 500:
        raise Refused(f"{response.status_code} {response.text}")
    response.raise_for_status()


def back_off(base_s, failures, reason):
    """Waits before the next attempt: longer after each failure in a row, and not when all others do."""
    delay_s = min(base_s * 2 ** min(failures, 16), max(base_s, BACKOFF_MAX_S))
    delay_s *= random.uniform(1, 1.5)
    print(f"trying again in {delay_s:.1f} s: {reason}", file=sys.stderr)
    time.sleep(delay_s)


def run(program):
    """Runs program(topics); Ctrl-C is a clean end."""
    topics = sys.argv[1:]
    if not topics:
        sys.exit("name at least one topic")
    try:
        program(topics)
    except KeyboardInterrupt:
        pass
    except Refused as refused:
        sys.exit(str(refused))
