"""The little of a Kubernetes API that helm asks while it renders: versions, and one deployment."""

import http.server
import json
import pathlib
import threading

import chart

GROUPS = {"apps/v1": [{"name": "deployments", "singularName": "deployment", "namespaced": True, "kind": "Deployment",
                       "verbs": ["get", "list"]}]}


def answer(path, deployments):
    """What the API says at a path: (status, object)."""
    if path == "/version":
        return 200, {"major": "1", "minor": chart.NEWEST.split(".")[1], "gitVersion": f"v{chart.NEWEST}.0"}
    if path == "/api":
        return 200, {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/api/v1":
        return 200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": []}
    if path == "/apis":
        return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": name.split("/")[0], "versions": [{"groupVersion": name, "version": name.split("/")[1]}],
             "preferredVersion": {"groupVersion": name, "version": name.split("/")[1]}} for name in GROUPS]}
    group = path.removeprefix("/apis/")
    if group in GROUPS:
        return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": GROUPS[group]}
    prefix = "/apis/apps/v1/namespaces/prod/deployments/"
    found = deployments.get(path.removeprefix(prefix)) if path.startswith(prefix) else None
    if found:
        return 200, found
    return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}


class Cluster:
    def __init__(self, directory):
        self.deployments = deployments = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = answer(self.path.split("?")[0], deployments)
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.config = pathlib.Path(directory) / "kubeconfig"
        self.config.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "users": [{"name": "it", "user": {}}]}))

    def deployment(self, name, replicas):
        self.deployments[name] = {"apiVersion": "apps/v1", "kind": "Deployment",
                                  "metadata": {"name": name, "namespace": "prod"}, "spec": {"replicas": replicas}}

    def render(self, *files, **options):
        return chart.render(*files, arguments=["--dry-run=server", "--kubeconfig", str(self.config)], **options)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
