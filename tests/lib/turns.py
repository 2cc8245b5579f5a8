"""How long the turns of a gateway's loop take when much is there at once."""

import contextlib
import signal


@contextlib.contextmanager
def stopped(gateway):
    """What is sent meanwhile is all there at once when it goes on."""
    gateway.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        gateway.signal(signal.SIGCONT)


def longest_turn(gateway):
    """Of the one worker's loop, seconds of CPU time."""
    return gateway.metrics()['tideway_loop_turn_longest_cpu_seconds{loop="worker-0"}']
