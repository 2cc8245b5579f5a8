"""The raw clients of deps/h2o/tests, whose module has the name of another one here."""

import importlib.util
import pathlib
import sys

_path = pathlib.Path(__file__).resolve().parents[2] / "deps" / "h2o" / "tests" / "clients.py"
_spec = importlib.util.spec_from_file_location("raw_clients", _path)
clients = importlib.util.module_from_spec(_spec)
sys.modules["raw_clients"] = clients
_spec.loader.exec_module(clients)
