"""Waiting for a condition, with a deadline."""

import time

DEADLINE_S = 20


def wait_until(condition, what="the condition", timeout=DEADLINE_S):
    """Polls until the condition holds and returns its value; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.01)
