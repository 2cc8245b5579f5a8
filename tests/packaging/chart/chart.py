"""Renders the chart."""

import json
import re
import subprocess
import tempfile

import yaml

from lib.paths import ROOT

CHART = ROOT / "helm" / "tideway"
HELM = ROOT / "build-helm" / "bin" / "helm"
FILES = sorted((CHART / "ci").glob("*-values.yaml"))
NEWEST = "1.37"


def run(*arguments):
    return subprocess.run([HELM, *arguments], capture_output=True, text=True)


def render_text(*files, version=NEWEST, values=None, release="events", namespace="prod", arguments=()):
    """What `helm template` does; `values` is one more set of values."""
    arguments = ["template", release, str(CHART), "--namespace", namespace, "--kube-version", version, *arguments]
    for file in files:
        arguments += ["--values", str(file)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as extra:
        if values:
            json.dump(values, extra)
            extra.flush()
            arguments += ["--values", extra.name]
        return run(*arguments)


def render(*files, **options):
    """The objects, by (kind, name)."""
    done = render_text(*files, **options)
    assert done.returncode == 0, done.stderr
    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
    named = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    assert len(named) == len(objects), "two objects of one name"
    return named


def refusal(**values):
    """The message with which these values are refused."""
    done = render_text(values=values)
    assert done.returncode != 0, "accepted"
    return done.stderr


def container(objects, kind="Deployment", name="events-tideway"):
    return objects[kind, name]["spec"]["template"]["spec"]["containers"][0]


def environment(objects, secrets):
    """What Kubernetes would put into the gateway's environment; `secrets`: {(name, key): value}."""
    values = {}
    for entry in container(objects)["env"]:
        if "value" in entry:
            value = re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], entry["value"])
        elif "secretKeyRef" in entry["valueFrom"]:
            reference = entry["valueFrom"]["secretKeyRef"]
            value = secrets[reference["name"], reference["key"]]
        else:
            assert entry["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
            value = "192.0.2.7"
        values[entry["name"]] = value
    return values
