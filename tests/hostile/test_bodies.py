"""Bodies that nobody asked for. See deps/h2o/README.md for the numbers of the holes."""

import clients as raw
from siege import MB, PUBLISH, connect, forever, pour

from lib.process_stats import rss_bytes


def test_hole_12__bodies_nobody_asked_for(besieged):
    before, ids = rss_bytes(besieged.process.pid), range(1, 101, 2)
    for fields in ({**PUBLISH, "authorization": "Bearer wrong"}, {**PUBLISH, "x_sse_topic": "nobody"}):
        client = connect(besieged)
        client.send(*(raw.headers(n, raw.request("/v1/publish", **fields), end_stream=False) for n in ids))
        pour(client, forever(b"".join(raw.frame(raw.DATA, 0, n, b"z" * 8000) for n in ids)), 1)
        assert rss_bytes(besieged.process.pid) - before < 16 * MB
        client.reset()


def test_streams__take_no_body_but_an_empty_one(gateway, protocol):
    headers = [("x-sse-topic", "honest")]
    refused = gateway.client(protocol).request("GET", "/v1/stream", headers, "x")
    assert refused.status == 413
    assert refused.json()["error"] == {"code": "payload_too_large", "message": "send a body of at most 0 bytes"}
    client = gateway.client(protocol)
    stream = client.start("GET", "/v1/stream", headers, end=False)
    client.send_body(stream, b"", end=True)
    assert stream.wait_response().status == 200
    assert gateway.deliver("honest", "x") == 1
    stream.wait_events(1)
