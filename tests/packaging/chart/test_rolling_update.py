"""A rolling update as Kubernetes would make it of what the chart renders: a new gateway is started and ready, an old one
leaves the endpoints, gets SIGTERM and drains, one after another. Resuming clients lose nothing."""

import pytest

import chart
from test_running import Pod

from lib.redis_server import Redis
from lib.rolling_update import CLIENTS, Roll
from lib.waiting import DEADLINE_S


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.close()


def test_rolling_update_loses_nothing(redis):
    objects = chart.render(values={"config": {"drainMs": 2000}})
    deployment = objects["Deployment", "events-tideway"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    grace_s = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    pods, roll = [], None

    def start():
        pods.append(Pod(objects, TIDEWAY_REDIS_URL=redis.url))
        return pods[-1].wait_ready()

    try:
        roll = Roll(start, deployment["replicas"])
        for old in list(roll.endpoints.ready):
            roll.replace(old, timeout=grace_s)  # maxSurge 1
        count = roll.finish()
        assert roll.crowd.resumed >= CLIENTS and count > 20
    finally:
        if roll:
            roll.close()
        for pod in pods:
            if not pod.stopped:
                pod.stop(timeout=DEADLINE_S * 2)
