"""The run of all fronts, which happens once for all tests: each check for all of them at the same time."""

import pathlib
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

import report
from checks import CHECKS
from fronts import FRONTS, MISSING
from sites import Site

from lib.cells import filled
from lib.certificates import make_certificate
from lib.paths import results
from lib.redis_server import Redis

_cells = {}


def attempt(function, *arguments):
    """(whether it went well, what to show)"""
    try:
        return True, function(*arguments)
    except Exception as problem:  # whatever it is, it belongs into one cell and not into all
        return False, f"{type(problem).__name__}: {problem}"


def run_all(stack, wanted):
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tideway-fronts-")))
    folder.chmod(0o755)  # some of them drop their privileges
    redis = Redis()
    stack.callback(redis.close)
    certificate = make_certificate(folder)
    pool = stack.enter_context(ThreadPoolExecutor(len(wanted)))
    folders = [folder / str(number) for number in range(len(wanted))]
    for each in folders:
        each.mkdir(mode=0o777)
        each.chmod(0o777)
    sites = dict(zip(wanted, pool.map(lambda name, each: attempt(Site, FRONTS[name], each, redis.url, certificate),
                                      wanted, folders)))
    cells = {}
    for name, (well, site) in sites.items():
        if well:
            stack.callback(site.close)
        else:
            cells |= {(name, check): (False, site) for check in CHECKS}
    running = {name: site for name, (well, site) in sites.items() if well}
    for title, check in CHECKS.items():
        outcomes = pool.map(lambda site: attempt(check, site), running.values())
        cells |= {(name, title): outcome for name, outcome in zip(running, outcomes)}
    return cells


@pytest.fixture(scope="session")
def cells(request):
    """(front, check) → (whether it went well, what to show)"""
    wanted = sorted({item.callspec.params["name"] for item in request.session.items
                     if "name" in getattr(item, "callspec", pytest).params} - set(MISSING), key=list(FRONTS).index)
    with filled(_cells, run_all, wanted) as cells_of_all:
        yield cells_of_all


def pytest_sessionfinish():
    if _cells:
        report.write(results("e2e"), _cells)
