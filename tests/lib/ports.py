"""TCP ports for servers that tests start, which no other test process takes at the same time.

The ports from 20000 to 31999 are below those that the kernel gives to outgoing connections. They are divided into blocks. A
process owns a block by binding the block's first port and never releasing it: the kernel refuses that port to everybody
else, and frees it when the process ends, however it ends. tests/support/ports.c does the same for tests in C, and
tests/e2e/ui/gateway.mjs for those of the UI.
"""

import itertools
import socket

FIRST_PORT, BLOCKS, BLOCK_PORTS = 20000, 48, 250

_claim = None  # the socket that is bound to the first port of this process's block
_ports = None


def _bind(port, reuse=False):
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        bound.bind(("127.0.0.1", port))
        return bound
    except OSError:
        bound.close()
        return None


def _claim_block():
    global _claim, _ports
    for block in range(BLOCKS):
        first = FIRST_PORT + block * BLOCK_PORTS
        _claim = _bind(first)
        if _claim:
            _ports = itertools.cycle(range(first + 1, first + BLOCK_PORTS))
            return
    raise RuntimeError(f"all {BLOCKS} blocks of ports are in use by other test processes")


def free_port():
    """A port on which nobody listens. This process returns it again only after all others of its block."""
    if _claim is None:
        _claim_block()
    for port in itertools.islice(_ports, BLOCK_PORTS):
        # Servers bind with SO_REUSEADDR: connections of an earlier server that still close do not matter.
        probe = _bind(port, reuse=True)
        if probe:
            probe.close()
            return port
    raise RuntimeError("every port of this process's block is in use")
