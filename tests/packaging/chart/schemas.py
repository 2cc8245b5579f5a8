"""Kubernetes' own schemas, and those of the custom resources that the chart uses: is an object valid?"""

import functools
import pathlib

import jsonschema
import kubernetes_validate
import yaml

CRDS = pathlib.Path(__file__).resolve().parents[3] / "build-helm" / "crds"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """As YAML 1.2, where `=` is text like any other."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def strict(schema):
    """A custom resource's schema as `kubectl apply --validate=strict` reads it: nothing that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema and \
            not schema.get("x-kubernetes-preserve-unknown-fields") and schema.get("type") == "object":
        schema["additionalProperties"] = False
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("type", None)
        schema["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return schema


@functools.cache
def custom():
    """(apiVersion, kind) → validator"""
    found = {}
    for path in sorted(CRDS.glob("*.yaml")):
        for document in yaml.load_all(path.read_text(), Loader):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                if not version["served"]:
                    continue
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
                found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = \
                    jsonschema.Draft7Validator(schema)
    return found


def errors(document, version):
    """What is wrong with the object for this Kubernetes (`1.34`), a line each."""
    validator = custom().get((document["apiVersion"], document["kind"]))
    if validator:
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
                for error in validator.iter_errors(document)]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        return [str(error)]
    return []
