"""What is tested here are the ways in which Tideway is installed. The gateways and clients are those of
tests/integration."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from fixtures import start_gateway  # noqa: E402

__all__ = ["start_gateway"]
