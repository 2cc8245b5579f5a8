"""Connections that end badly: resets, corrupt records, shutdown in the middle, input after the end. See deps/h2o/README.md for
the numbers of the holes."""

import contextlib
import ssl

import clients as raw
from siege import LARGEST, MB, PUBLISH, STREAM, Tls, connect, forever, pour, streams

from lib.process_stats import rss_bytes
from lib.waiting import wait_until


def test_hole_1__clients_that_reset_leave_nothing(besieged):
    for _ in range(100):
        client = connect(besieged)
        client.send(streams(5))
        client.frames_until(lambda f: f.type == raw.HEADERS)
        client.reset()
    wait_until(lambda: besieged.metrics()["tideway_streams"] == 1, "their streams to be gone")


def test_hole_2__a_corrupt_record_while_a_write_is_blocked(besieged):
    client = Tls(besieged, receive_buffer=4096)
    client.write(streams(50))
    for number in range(50):
        besieged.deliver("honest", "x" * 20000, id=number)
    client.write(raw.ping() * 50)
    client.send(b"\x17\x03\x03\x00\x40" + b"\xee" * 64)
    client.wait_for_end()


def test_hole_5__a_connection_dies_with_requests_pending(besieged):
    for _ in range(10):
        client = connect(besieged, receive_buffer=4096, window=LARGEST)
        held = b"".join(raw.headers(1 + 2 * n, raw.request("/v1/publish", **PUBLISH), end_stream=False)
                        for n in range(100))
        client.send(held, streams(50, 201))
        pour(client, forever(raw.ping() * 1000), 0.2)
        client.reset()
    wait_until(lambda: besieged.metrics()["tideway_streams"] == 1, "their streams to be gone")


def test_hole_6__the_end_comes_in_the_middle_of_a_header_block(start_gateway):
    gateway = start_gateway()
    with connect(gateway) as client:
        block = raw.request("/v1/stream", **STREAM)
        client.send(raw.headers(1, block), raw.headers(3, block[:10], end_headers=False))
        client.frames_until(lambda f: f.type == raw.HEADERS)
        gateway.stop(timeout=10)


def test_hole_7__input_after_a_connection_error_is_not_kept(besieged):
    client = connect(besieged, receive_buffer=4096, window=LARGEST)
    client.send(raw.window_update(0, LARGEST - 65535), streams(100))
    for number in range(20):
        besieged.deliver("honest", "x" * 10000, id=number)
    before = rss_bytes(besieged.process.pid)
    client.send(raw.frame(raw.CONTINUATION, raw.END_HEADERS, 1001, b"x"))
    pour(client, forever(b"\0" * 65536))
    assert rss_bytes(besieged.process.pid) - before < 16 * MB
    client.reset()


def test_hole_7__input_after_close_notify_is_not_kept(besieged):
    client = Tls(besieged)
    client.write(streams(1))
    with contextlib.suppress(ssl.SSLError):
        client.tls.unwrap()
    before = rss_bytes(besieged.process.pid)
    client.send(client.outgoing.read())
    pour(client, forever(b"\x17" * 65519))
    assert rss_bytes(besieged.process.pid) - before < 16 * MB
    client.reset()


def test_hole_16__an_http1_subscriber_that_goes_is_noticed(besieged):
    for end in (raw.Http1.reset, lambda client: client.socket.close()):
        client = raw.Http1(besieged.port, tls=True)
        client.send(b"GET /v1/stream?topic=other HTTP/1.1\r\nhost: x\r\n\r\n")
        wait_until(lambda: besieged.metrics()["tideway_streams"] == 2, "its stream")
        end(client)
        wait_until(lambda: besieged.metrics()["tideway_streams"] == 1, "its end to be noticed")
