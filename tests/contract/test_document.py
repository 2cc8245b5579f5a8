"""/openapi.json: how it is served, and that it leaves nothing out that the sources have."""

import json
import re

import pytest

from lib.paths import ROOT

SOURCE = json.loads((ROOT / "handlers" / "openapi.json").read_text())
METHODS = {"get", "post", "put", "patch", "delete"}


def operations():
    for path, item in SOURCE["paths"].items():
        for method in METHODS & set(item):
            yield method.upper(), path, item[method]


def resolve(node):
    while "$ref" in node:
        name = node["$ref"]
        node = SOURCE
        for step in name.removeprefix("#/").split("/"):
            node = node[step]
    return node


def documented_errors():
    """Every (status, code) that the document's answers have."""
    answers = [(status, answer) for _, _, operation in operations()
               for status, answer in operation["responses"].items()]
    answers += [("404", SOURCE["components"]["responses"]["NotFound"]),
                ("405", SOURCE["components"]["responses"]["MethodNotAllowed"]),
                ("431", SOURCE["components"]["responses"]["HeadersTooLarge"])]
    for status, answer in answers:
        schema = resolve(answer).get("content", {}).get("application/json", {}).get("schema", {})
        for part in schema.get("allOf", []):
            for code in part.get("properties", {}).get("error", {}).get("properties", {}) \
                    .get("code", {}).get("enum", []):
                yield int(status), code


def test_document__has_every_error_of_the_table():
    source = (ROOT / "handlers" / "error_codes.h").read_text()
    table = {(int(status), code)
             for status, code in re.findall(r'X\(\w+, (\d+), "(\w+)"', source)}
    assert len(table) > 20
    assert set(documented_errors()) == table
    codes = SOURCE["components"]["schemas"]["ErrorCode"]["enum"]
    assert sorted(codes) == sorted(code for _, code in table)


def test_document__has_every_route():
    source = (ROOT / "handlers" / "routes.c").read_text()
    table = source[source.index("main_routes[]"):source.index("ops_routes[]")]
    routes = {(method, path) for method, path in re.findall(r'ROUTE\("(\w+)",\s*"([^"]+)"', table)
              if path not in ("/", "/admin", "/admin/*")}
    assert len(routes) > 8
    assert {(method, re.sub(r"\{\w+\}", ":", path)) for method, path, _ in operations()} == routes


def test_document__names_what_needs_a_key(start_gateway):
    """An operation without `security` answers without a key, all others with 401."""
    client = start_gateway(max_auth_failures=0).h2()
    for method, path, operation in operations():
        status = client.request(method, re.sub(r"\{\w+\}", "x", path)).status
        assert (status == 401) == ("security" in operation), (method, path, status)


@pytest.mark.parametrize("protocol", ["h2", "h1"])
def test_document__is_served_without_a_key(start_gateway, protocol):
    client = start_gateway().client(protocol)
    answer = client.request("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    served = answer.json()
    version = re.search(r"project\(tideway VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert served["info"].pop("version") == version
    assert served == {**SOURCE, "info": {key: value for key, value in SOURCE["info"].items()
                                         if key != "version"}}
    again = client.request("GET", "/openapi.json", [("if-none-match", answer.headers["etag"])])
    assert (again.status, bytes(again.body)) == (304, b"")


def test_document__may_be_read_by_pages_of_allowed_origins(start_gateway):
    client = start_gateway(cors_origins="https://docs.example").h2()
    answer = client.request("GET", "/openapi.json", [("origin", "https://docs.example")])
    assert answer.headers["access-control-allow-origin"] == "https://docs.example"
