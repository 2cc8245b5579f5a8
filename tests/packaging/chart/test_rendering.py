"""The chart renders, and what it renders is what Kubernetes takes."""

import json
import re
import subprocess

import pytest
import yaml

import chart
import schemas
from cluster import Cluster

from lib.paths import BINARY
from lib.waiting import wait_until

OLDEST = "1.27"


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


@pytest.mark.parametrize("file", chart.FILES, ids=lambda path: path.stem)
def test_lints(file):
    done = chart.run("lint", "--strict", str(chart.CHART), "--values", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, chart.NEWEST])
@pytest.mark.parametrize("file", chart.FILES, ids=lambda path: path.stem)
def test_objects_are_valid(file, version):
    found = {name: schemas.errors(document, version)
             for name, document in chart.render(file, version=version).items()}
    assert len(found) >= 3
    assert not {name: errors for name, errors in found.items() if errors}


def test_validation_finds_what_is_wrong():
    objects = chart.render(chart.CHART / "ci/scaling-values.yaml", chart.CHART / "ci/cert-manager-values.yaml")
    deployment = objects["Deployment", "events-tideway"]
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    assert "livenessprobe" in schemas.errors(deployment, chart.NEWEST)[0]
    certificate = objects["Certificate", "events-tideway"]
    certificate["spec"]["issuer"] = certificate["spec"].pop("issuerRef")
    assert len(schemas.errors(certificate, chart.NEWEST)) == 2


def test_values_files_reach_every_template():
    rendered = "".join(chart.render_text(file).stdout for file in chart.FILES)
    templates = [path.relative_to(chart.CHART) for path in (chart.CHART / "templates").rglob("*.yaml")]
    missing = [str(path) for path in templates if f"# Source: tideway/{path}\n" not in rendered]
    assert len(templates) > 10 and not missing


@pytest.mark.parametrize("file", chart.FILES, ids=lambda path: path.stem)
def test_rendering_twice_gives_the_same(file):
    assert chart.render_text(file).stdout == chart.render_text(file).stdout


def test_nothing_random_in_the_templates():
    text = "".join(path.read_text() for path in (chart.CHART / "templates").rglob("*.*"))
    assert not re.findall(r"\b(rand\w+|genCA|genSelfSignedCert|genPrivateKey|uuidv4|now)\b", text)
    # The one thing that is asked of the cluster: how many gateways something else has made of it.
    assert re.findall(r"\(lookup [^)]*\(.*?\)\)", text) == [
        '(lookup "apps/v1" "Deployment" .Release.Namespace (include "tideway.fullname" .))']


def test_versions_are_the_projects():
    text = (chart.ROOT / "CMakeLists.txt").read_text()
    version = re.search(r"project\(tideway VERSION ([0-9.]+)", text)[1]
    about = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (version, version)
    shown = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["tideway", version]
    assert chart.container(chart.render())["image"] == f"tideway:{version}"


def test_chart_knows_every_option_of_the_gateway():
    """values.yaml, values.schema.json and README.md are what helm/generate makes of the option table."""
    done = subprocess.run([chart.ROOT / "helm/generate", "--check", BINARY], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values, message", [
    ({"replicaCount": -1}, "replicaCount"),
    ({"replicaCont": 3}, "replicaCont"),
    ({"runtime": "etcd"}, "runtime"),
    ({"config": {"heartbeatMs": 5}}, "heartbeatMs"),
    ({"config": {"heartbeatMs": "15s"}}, "heartbeatMs"),
    ({"config": {"heartBeatMs": 15000}}, "heartBeatMs"),
    ({"config": {"logLevel": "verbose"}}, "logLevel"),
    ({"apiKeys": {"keys": ["short"]}}, "keys"),
    ({"apiKeys": {"keys": ["one-key-of-24-letters-,x"]}}, "keys"),
    ({"service": {"port": 70000}}, "port"),
    ({"redis": {"bundled": {"enabled": False}, "url": "http://redis:6379"}}, "url"),
    ({"image": {"digest": "sha256:abc"}}, "digest"),
    ({"listenAddress": "::"}, "listenAddress"),
    ({"podDisruptionBudget": {"maxUnavailable": "some"}}, "maxUnavailable"),
    ({"runtime": "memory"}, "set replicaCount to 1"),
    ({"redis": {"bundled": {"enabled": False}}}, "give redis.url"),
    ({"redis": {"url": "redis://elsewhere:6379"}}, "redis.bundled.enabled is true"),
    ({"redis": {"bundled": {"enabled": False}, "url": "redis://r", "existingSecret": "s"}}, "redis.passwordKey"),
    ({"config": {"privateTopics": "*"}}, "tokenKeys.existingSecret"),
    ({"tls": {"certManager": {"enabled": True}}}, "tls.certManager.issuerRef"),
    ({"gatewayApi": {"enabled": True}}, "gatewayApi.parentRefs"),
    ({"gatewayApi": {"enabled": True, "parentRefs": [{"name": "g"}]}}, "backendTLS.hostname"),
    ({"ingress": {"enabled": True}}, "ingress.hosts"),
    ({"podDisruptionBudget": {"minAvailable": 1}}, "podDisruptionBudget.minAvailable"),
    ({"autoscaling": {"enabled": True, "cpuUtilization": None}}, "autoscaling.cpuUtilization"),
    ({"runtime": "memory", "replicaCount": None}, "set replicaCount to 1"),
    ({"service": {"ipFamilies": ["IPv5"]}}, "ipFamilies"),
    ({"terminationGracePeriodSeconds": 12}, "terminationGracePeriodSeconds is 12"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_values_are_refused_by_name(values, message):
    assert message in chart.refusal(**values)


def test_rolling_update_is_gentle():
    deployment = chart.render(values={"config": {"drainMs": 45500}})["Deployment", "events-tideway"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    pod = deployment["template"]["spec"]
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= 46 + sleep + 5
    before = chart.render(version="1.29")["Deployment", "events-tideway"]["spec"]["template"]["spec"]
    assert "lifecycle" not in before["containers"][0], "1.29 has no sleep action"


def test_pods_meet_the_restricted_standard():
    objects = chart.render(chart.CHART / "ci/scaling-values.yaml")
    pods = [o["spec"] if o["kind"] == "Pod" else o["spec"]["template"]["spec"]
            for o in objects.values() if o["kind"] in ("Pod", "Deployment", "StatefulSet")]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def mounted_files(objects):
    """Path of each file that a secret is mounted as → (secret, entry)."""
    pod = objects["Deployment", "events-tideway"]["spec"]["template"]["spec"]
    paths = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0].get("volumeMounts", [])}
    return {f"{paths[volume['name']]}/{item['path']}": (volume["secret"]["secretName"], item["key"])
            for volume in pod.get("volumes", []) for item in volume.get("secret", {}).get("items", [])}


def test_secrets_may_be_files_that_change_without_new_pods():
    redis = {"bundled": {"enabled": False}, "url": "redis+sentinel://s:26379/main", "existingSecret": "redis",
             "passwordKey": "password", "sentinelPasswordKey": "sentinels", "passwordsAsFiles": True}
    objects = chart.render(values={"apiKeys": {"existingSecret": "keys", "secretKey": "all", "asFile": True}, "redis": redis})
    env = {entry["name"]: entry.get("value") for entry in chart.container(objects)["env"]}
    files = mounted_files(objects)
    assert files[env["SSE_PUBLISHER_API_KEYS_FILE"]] == ("keys", "all")
    assert files[env["TIDEWAY_REDIS_PASSWORD_FILE"]] == ("redis", "password")
    assert files[env["TIDEWAY_REDIS_SENTINEL_PASSWORD_FILE"]] == ("redis", "sentinels")
    assert not {"SSE_PUBLISHER_API_KEYS", "TIDEWAY_REDIS_PASSWORD", "TIDEWAY_REDIS_SENTINEL_PASSWORD"} & set(env)
    made = chart.render(values={"apiKeys": {"keys": ["a-key-of-24-characters--"], "asFile": True}})
    annotations = made["Deployment", "events-tideway"]["spec"]["template"]["metadata"]["annotations"]
    assert "checksum/api-keys" not in annotations, "new keys need no new pods"


def test_keys_of_tokens_are_a_file():
    objects = chart.render(values={"config": {"privateTopics": "orders.*"}, "tokenKeys": {"existingSecret": "jwks", "secretKey": "set"}})
    env = {entry["name"]: entry.get("value") for entry in chart.container(objects)["env"]}
    assert mounted_files(objects)[env["TIDEWAY_TOKEN_KEYS"]] == ("jwks", "set")
    assert env["TIDEWAY_PRIVATE_TOPICS"] == "orders.*"


@pytest.mark.parametrize("resources, workers", [
    ({"limits": {"cpu": "4"}}, "4"), ({"limits": {"cpu": "1500m"}}, "2"), ({"limits": {"cpu": 1}}, "1"),
    ({"limits": {"cpu": 0.5}}, "1"), ({"limits": {"cpu": "96"}}, "64")])
def test_workers_follow_the_cpu_limit(resources, workers):
    env = {e["name"]: e.get("value") for e in chart.container(chart.render(values={"resources": resources}))["env"]}
    assert env["TIDEWAY_WORKERS"] == workers


def test_large_numbers_are_not_rounded():
    env = {e["name"]: e.get("value")
           for e in chart.container(chart.render(values={"config": {"tailBytes": 1099511627775}}))["env"]}
    assert env["TIDEWAY_TAIL_BYTES"] == "1099511627775"


@pytest.mark.parametrize("values", [{"replicaCount": None}, {"autoscaling": {"enabled": True}}])
def test_replicas_are_left_to_what_else_scales(values):
    assert "replicas" not in chart.render(values=values)["Deployment", "events-tideway"]["spec"]


@pytest.mark.parametrize("values", [{"replicaCount": None}, {"autoscaling": {"enabled": True}}])
def test_an_upgrade_keeps_the_replicas_that_the_cluster_has(values, cluster):
    cluster.deployment("events-tideway", replicas=7)
    deployment = cluster.render(values=values)["Deployment", "events-tideway"]
    assert deployment["spec"]["replicas"] == 7
    assert cluster.render()["Deployment", "events-tideway"]["spec"]["replicas"] == 3


def test_the_autoscaler_needs_no_adapter_for_metrics_by_default():
    autoscaler = chart.render(values={"autoscaling": {"enabled": True}})["HorizontalPodAutoscaler", "events-tideway"]
    assert [metric["type"] for metric in autoscaler["spec"]["metrics"]] == ["Resource"]


def test_knobs_reach_the_pods():
    objects = chart.render(chart.CHART / "ci/knobs-values.yaml")
    pod = objects["Deployment", "events-tideway"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"].startswith("registry.example/tideway:")
    assert pod["imagePullSecrets"] == [{"name": "shared"}, {"name": "own"}]
    assert [c["name"] for c in pod["containers"]] == ["tideway", "logs"] and pod["initContainers"][0]["name"] == "wait"
    assert container["envFrom"] == [{"configMapRef": {"name": "more"}}]
    assert container["lifecycle"] == {"preStop": {"exec": {"command": ["/bin/true"]}}}
    assert {"name": "cache", "mountPath": "/cache"} in container["volumeMounts"]
    assert objects["ConfigMap", "events-extra"]["data"] == {"release": "events"}
    assert all(o["metadata"]["labels"]["team"] == "push" for (_, name), o in objects.items() if name != "events-extra")
    service = objects["Service", "events-tideway"]["spec"]
    assert service["ipFamilies"] == ["IPv6", "IPv4"] and service["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert objects["PodDisruptionBudget", "events-tideway"]["spec"]["minAvailable"] == "50%"
    assert objects["HorizontalPodAutoscaler", "events-tideway"]["spec"]["behavior"] == {
        "scaleDown": {"selectPolicy": "Disabled"}}


def test_helm_test_gets_through_the_network_policy():
    objects = chart.render(chart.CHART / "ci/scaling-values.yaml", values={
        "networkPolicy": {"enabled": True, "ingressFrom": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}})
    allowed = objects["NetworkPolicy", "events-tideway"]["spec"]["ingress"][0]["from"]
    tester = objects["Pod", "events-tideway-test"]["metadata"]["labels"].items()
    assert any(peer.get("podSelector", {}).get("matchLabels", {"": ""}).items() <= tester for peer in allowed)


def test_protocol_is_told_to_proxies():
    for file, protocol in (("defaults", "https"), ("ingress", "kubernetes.io/h2c")):
        service = chart.render(chart.CHART / f"ci/{file}-values.yaml")["Service", "events-tideway"]
        assert [port["appProtocol"] for port in service["spec"]["ports"]] == [protocol]


def test_selectors_meet_their_pods():
    objects = chart.render(chart.CHART / "ci/scaling-values.yaml")
    gateway = objects["Deployment", "events-tideway"]["spec"]["template"]["metadata"]["labels"].items()
    redis = objects["StatefulSet", "events-tideway-redis"]["spec"]["template"]["metadata"]["labels"].items()
    for (kind, name), o in objects.items():
        pods, others = (redis, gateway) if name.endswith("-redis") else (gateway, redis)
        selector = {"Service": lambda: o["spec"]["selector"],
                    "NetworkPolicy": lambda: o["spec"]["podSelector"]["matchLabels"],
                    "PodDisruptionBudget": lambda: o["spec"]["selector"]["matchLabels"]}.get(kind)
        if selector:
            assert selector().items() <= pods and not selector().items() <= others, (kind, name)
    monitor = objects["ServiceMonitor", "events-tideway"]["spec"]["selector"]["matchLabels"].items()
    services = [name for (kind, name), o in objects.items()
                if kind == "Service" and monitor <= o["metadata"]["labels"].items()]
    assert services == ["events-tideway-ops"]


def metrics_of(gateway):
    try:
        return gateway.ops("/metrics")[1]
    except OSError:
        return ""


def test_dashboard_and_alerts_use_metrics_that_exist(start_gateway):
    # Without Redis in reach the gateway is not ready, but shows the metrics that it would have.
    on_redis = start_gateway(ready=False, runtime="redis", redis_url="redis://127.0.0.1:1")
    wait_until(lambda: "tideway_redis_up" in metrics_of(on_redis), "metrics")
    exposed = set(re.findall(r"(?m)^# TYPE (\w+)", metrics_of(on_redis)))
    objects = chart.render(chart.CHART / "ci/scaling-values.yaml")
    dashboard = json.loads(objects["ConfigMap", "events-tideway-dashboard"]["data"]["tideway.json"])
    rules = objects["PrometheusRule", "events-tideway"]["spec"]["groups"][0]["rules"]
    autoscaler = objects["HorizontalPodAutoscaler", "events-tideway"]["spec"]["metrics"]
    used = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]] + \
        [rule["expr"] for rule in rules] + [m["pods"]["metric"]["name"] for m in autoscaler if m["type"] == "Pods"]
    names = set(re.findall(r"tideway_\w+", " ".join(used)))
    assert len(names) >= 20
    assert not {name for name in names if name.removesuffix("_bucket") not in exposed}
