"""The run of all clients, which happens once for all tests: each check for all of them at the same time."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import report
from checks import BEFORE, CHECKS, KEPT, Session
from programs import LIBRARIES, MISSING

from lib.cells import filled
from lib.gateway import Gateway
from lib.paths import results
from lib.ports import free_port
from lib.redis_server import Redis
from lib.relay import Relay
from lib.waiting import wait_until

OPTIONS = {"tls": False, "runtime": "redis", "heartbeat_ms": 400, "retry_ms": 200, "tail_events": KEPT,
           "resume_window_ms": 60000, "drain_ms": 1000, "cors_origins": "*", "log_level": "info", "workers": 1}

_cells = {}


class World:
    """A gateway that restarts on its port, and one that is full, until all clients have been refused."""

    def __init__(self, count, stack):
        self.redis = Redis()
        stack.callback(self.redis.close)
        self.ports = (free_port(), free_port())
        self.gateway = self._start()
        stack.callback(lambda: self.gateway.stop())
        self.full = Gateway(**{**OPTIONS, "runtime": "memory", "max_streams": count}).wait_ready()
        stack.callback(self.full.stop)
        self._holder = self.full.h2()
        for _ in range(count):
            self._holder.subscribe("holder")
        self._count = count
        self.between = {"drain": self._restart, "refusal": self._make_room}

    def _start(self):
        return Gateway(ports=self.ports, redis_url=self.redis.url, **OPTIONS).wait_ready()

    def _restart(self):
        self.gateway.stop()
        self.gateway = self._start()

    def _make_room(self):
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.full.metrics()["tideway_streams_refused_total"] >= self._count, "refusals", 10)
        self._holder.close()


def attempt(check, session):
    """(whether it went well, what to show)"""
    try:
        return True, check(session)
    except Exception as problem:  # whatever it is, it belongs into one cell and not into all
        return False, str(problem) or repr(problem)


def run_all(stack, wanted):
    world = World(len(wanted), stack)
    sessions = []
    for name in wanted:
        relay = Relay([world.gateway.address])
        stack.callback(relay.close)
        session = Session(LIBRARIES[name], relay, lambda: world.gateway, lambda: world.full)
        stack.callback(lambda session=session: session.program.kill())
        sessions.append(session)
    cells = {}
    with ThreadPoolExecutor(len(wanted)) as pool:
        for title, check in CHECKS.items():
            if title in BEFORE:
                list(pool.map(lambda session, title=title: attempt(BEFORE[title], session), sessions))
                world.between[title]()
            cells |= {(name, title): outcome for name, outcome in
                      zip(wanted, pool.map(lambda session, check=check: attempt(check, session), sessions))}
    return cells


@pytest.fixture(scope="session")
def cells(request):
    """(library, check) → (whether it went well, what to show)"""
    wanted = sorted({item.callspec.params["name"] for item in request.session.items} - set(MISSING),
                    key=list(LIBRARIES).index)
    with filled(_cells, run_all, wanted) as cells_of_all:
        yield cells_of_all


def pytest_sessionfinish():
    if _cells:
        report.write(results("e2e"), _cells)
