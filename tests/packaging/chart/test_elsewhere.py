"""Compose file, systemd unit and release archive."""

import re
import shutil
import subprocess
import tarfile

import pytest
import yaml

import chart

from lib.paths import BINARY

COMPOSE = chart.ROOT / "docs/compose/compose.yaml"
UNIT = chart.ROOT / "packaging/tideway.service"


def project_version():
    return re.search(r"project\(tideway VERSION ([0-9.]+)", (chart.ROOT / "CMakeLists.txt").read_text())[1]


def test_compose_has_three_gateways_that_the_gateway_itself_would_start(tmp_path):
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    gateways = {name: service for name, service in services.items() if name.startswith("gateway-")}
    assert len(gateways) == 3 and len({tuple(g["ports"]) for g in gateways.values()}) == 3
    for gateway in gateways.values():
        assert gateway["image"] == f"tideway:${{TIDEWAY_VERSION:-{project_version()}}}"
        assert gateway["read_only"] is True and gateway["cap_drop"] == ["ALL"]
        known = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
        assert all(re.search(rf"\b{name}\b", known) for name in gateway["environment"])
        mounts = [mount.split(":")[1] for mount in gateway["volumes"]]
        assert [gateway["environment"]["TIDEWAY_TLS_CERT"].startswith(mount) for mount in mounts] == [True]


def test_unit_is_one_that_systemd_takes_and_sandboxes(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here")
    unit = tmp_path / "tideway.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/tideway", str(BINARY)))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_unit_waits_longer_than_the_drain():
    stop = int(re.search(r"(?m)^TimeoutStopSec=(\d+)$", UNIT.read_text())[1])
    assert stop > 10 + 5  # TIDEWAY_DRAIN_MS by default, and what comes before and after it


def test_release_archive_holds_a_gateway_that_runs(tmp_path):
    done = subprocess.run([chart.ROOT / "packaging/dist"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    archive = chart.ROOT / done.stdout.split(":")[0]
    listed = (chart.ROOT / "dist/SHA256SUMS").read_text().split()
    assert listed[1] == archive.name
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path)
    root = tmp_path / archive.name.removesuffix(".tar.gz")
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=root)
    assert done.returncode == 0
    shown = subprocess.run([root / "bin/tideway", "--version"], capture_output=True, text=True, check=True).stdout
    assert shown == f"tideway {project_version()}\n"
    for name in ("licences/tideway.txt", "licences/h2o.txt", "systemd/tideway.service", "docs/deploy.md",
                 "chart/Chart.yaml", "libraries.txt"):
        assert (root / name).stat().st_size > 0
