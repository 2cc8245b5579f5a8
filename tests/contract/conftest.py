"""The contract as a document, held against the gateway. The gateways are those of tests/integration."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from fixtures import start_gateway  # noqa: E402

__all__ = ["start_gateway"]
