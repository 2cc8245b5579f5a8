"""h2spec's generic, HPACK and HTTP/2 parts against the gateway, over TLS (tests/h2spec pins the program).

Every test of it that does not pass is named here with the reason; one that is named and passes fails, too.
"""

import os
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from lib.paths import ROOT, SANITIZED


H2SPEC = pathlib.Path(os.environ.get("TIDEWAY_H2SPEC", ROOT / "build-deps" / "bin" / "h2spec"))

NEVER_ENDS = "h2spec waits until the response has ended, which an event stream does not"
NO_LENGTH = "h2spec wants to know the length of the response first, which an event stream has not"

# An answer that ends, and an event stream, which h2o carries in another way (deps/h2o/src).
EXCEPTIONS = {
    "/healthz": {},
    "/v1/stream?topic=a": {
        "generic/2: Sends a PRIORITY frame on closed stream": NEVER_ENDS,
        "http2/5.1: closed: Sends a DATA frame": NEVER_ENDS,
        "http2/5.1: closed: Sends a HEADERS frame": NEVER_ENDS,
        "http2/5.1: closed: Sends a CONTINUATION frame": NEVER_ENDS,
        "http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE": NO_LENGTH,
        "http2/6.9.1: Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame": NO_LENGTH,
        "http2/6.9.2: Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame": NO_LENGTH,
        "http2/6.9.2: Sends a SETTINGS frame for window size to be negative": NO_LENGTH,
    },
}
TESTS = 146  # of h2spec 2.2.1's parts, with --strict


def run(gateway, path, report):
    """Outcome of each test by its name: "", or what h2spec says about it."""
    host, port = gateway.address
    subprocess.run([H2SPEC, "--tls", "--insecure", "--strict", "--host", host, "--port", str(port), "--path", path,
                    "--timeout", "5" if SANITIZED else "2", "--junit-report", report, "generic", "hpack", "http2"],
                   stdout=subprocess.DEVNULL, timeout=240, check=False)  # the report says what failed
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problems = [(child.text or child.tag).strip() for child in case]
        outcomes[f"{case.get('package')}: {case.get('classname')}"] = "; ".join(problems)
    return outcomes


@pytest.mark.skipif(not H2SPEC.exists(), reason="h2spec is not built: that needs Go (./dev deps)")
@pytest.mark.parametrize("path", EXCEPTIONS)
def test_h2spec__passes_but_for_what_is_named(start_gateway, tmp_path, path):
    gateway = start_gateway(workers=1)
    outcomes = run(gateway, path, tmp_path / "report.xml")
    failed = {name for name, problem in outcomes.items() if problem}
    expected = set(EXCEPTIONS[path])
    assert {name: outcomes[name] for name in failed - expected} == {}, "unexpected failures"
    assert expected - failed == set(), "these pass now, or are no tests of h2spec: take them off the list"
    assert len(outcomes) == TESTS
