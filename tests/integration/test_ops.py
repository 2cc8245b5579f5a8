"""Health, readiness and metrics; log lines."""

import json
import re

import pytest

from lib.waiting import wait_until



def total(samples, name, **labels):
    """The sum of a metric's samples that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(value for sample, value in samples.items()
               if sample.split("{")[0] == name and all(label in sample for label in wanted))


def find(samples, pattern):
    """The metrics whose names match."""
    return {sample.split("{")[0] for sample in samples if re.search(pattern, sample.split("{")[0])}


def test_ops__health_on_the_main_listener(gateway, protocol):
    answer = gateway.client(protocol).request("GET", "/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_ops__health_and_readiness_on_the_ops_listener(gateway):
    assert gateway.ops("/healthz")[0] == 200
    assert gateway.ops("/readyz")[0] == 200
    assert gateway.ops("/nothing")[0] == 404
    assert gateway.ops("/v1/admin/topics")[0] == 404


def test_ops__metrics_are_not_on_the_main_listener(gateway):
    assert gateway.h2().request("GET", "/metrics").status == 404
    assert gateway.h2().request("GET", "/readyz").status == 404


def test_ops__listener_can_be_off(start_gateway):
    gateway = start_gateway(ready=False, ops_listen="off")
    wait_until(lambda: _answers(gateway), "the gateway")
    with pytest.raises(OSError):
        gateway.ops("/healthz")


def _answers(gateway):
    try:
        return gateway.h2().request("GET", "/healthz").status == 200
    except OSError:
        return False


def test_ops__metrics_are_well_formed_and_have_no_topic_label(gateway):
    gateway.h2().subscribe("secret-topic")
    gateway.deliver("secret-topic", "x")
    status, text = gateway.ops("/metrics")
    assert status == 200
    assert "secret-topic" not in text
    typed = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            assert name not in typed, f"{name} is declared twice"
            assert kind in ("counter", "gauge", "histogram")
            typed.add(name)
        elif line and not line.startswith("#"):
            assert re.fullmatch(
                r'[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? [0-9.e+-]+', line), line
            name = line.split("{")[0].split(" ")[0]
            assert name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, line
    assert len(text) < 100_000


def test_ops__metrics_count_what_happens(gateway):
    client = gateway.h2()
    streams = [client.subscribe("a", "b") for _ in range(3)]
    for _ in range(2):
        gateway.deliver("a", "x")
    gateway.publish("nobody", "x")
    streams[0].wait_events(2)
    streams[0].close()
    wait_until(lambda: gateway.topics()["a"] == 2, "the stream to close")
    samples = gateway.metrics()
    names = {name: find(samples, name) for name in (
        "streams", "connections", "topics", "publish", "deliver", "bytes", "close", "queue",
        "build_info", "_bucket$")}
    assert all(names.values()), names
    assert total(samples, "tideway_streams") == 2
    assert total(samples, "tideway_topics") == 2
    assert total(samples, "tideway_publishes_total", result="accepted") == 2
    assert total(samples, "tideway_publishes_total", result="dropped") == 1
    assert total(samples, "tideway_deliveries_total") == 6
    assert total(samples, "tideway_streams_closed_total", reason="client_closed") == 1


def test_ops__metrics_tell_how_long_each_loops_turns_take(gateway):
    gateway.h2().subscribe("a")

    def longest():
        samples = gateway.metrics()
        return all(samples[f'tideway_loop_turn_longest_seconds{{loop="{loop}"}}'] > 0
                   for loop in ("control", "worker-0", "worker-1"))
    wait_until(longest, "a turn of each loop")


def test_log__lines_are_json_with_time_level_and_message(gateway):
    gateway.h2().subscribe("a")
    gateway.stop()
    assert gateway.output
    for line in gateway.output:
        fields = json.loads(line)
        assert fields["level"] in ("debug", "info", "warn", "error")
        assert {"time", "message"} <= set(fields)


def test_log__text_format(start_gateway):
    gateway = start_gateway(log_format="text")
    gateway.publish("a", "x", id="id-7")
    wait_until(lambda: "id-7" in gateway.text(), "the drop's line")
    gateway.stop()
    assert not gateway.logs


def test_log__streams_are_logged_at_debug_with_their_close_reason(gateway):
    client = gateway.h2()
    stream = client.subscribe("a")
    gateway.wait_log(connectionId=stream.connection_id, level="debug")
    stream.close()
    gateway.wait_log(connectionId=stream.connection_id, level="debug", reason="client_closed")


def test_log__level_is_an_option(start_gateway):
    gateway = start_gateway(log_level="error")
    gateway.h2().subscribe("a")
    gateway.publish("nobody", "x")
    gateway.stop()
    assert gateway.text() == ""


def test_log__hostile_values_stay_on_their_line(gateway):
    topic = '"}\\{"x":"'
    gateway.publish(topic, "x", id='"quoted" \\ id')
    line = gateway.wait_log(id='"quoted" \\ id')
    assert line["topic"] == topic


def test_log__who_has_no_key_writes_a_line_a_second_and_a_short_one(gateway):
    client, filler = gateway.h1(), "\xe9" * 900
    for _ in range(50):
        answer = client.request("POST", "/v1/publish", [("x-sse-topic", filler), ("x-sse-id", filler)], "x")
        assert answer.status == 401
    wait_until(lambda: gateway.metrics()['tideway_publishes_total{result="refused"}'] == 50, "all to be counted")
    gateway.stop()
    lines = [json.loads(line) for line in gateway.output]
    refusals = [line for line in lines if line["message"] == "publish refused"]
    assert 1 <= len(refusals) < 25 and refusals[0]["count"] == 1
    assert all(len(line["topic"]) <= 80 and line["code"] == "unauthorized" for line in refusals)
