"""Revoking the tokens of a subject, and closing its streams: three gateways on one Redis."""

import json
import time

HOUR_MS = 3600 * 1000


def now_ms():
    return int(time.time() * 1000)


def test_revocations__of_another_form_are_refused(gateway):
    until, client = now_ms() + HOUR_MS, gateway.h2()
    wrong = [{"subject": "a"}, {"until": until}, {"subject": "", "until": until}, {"subject": 7, "until": until},
             {"subject": "x" * 257, "until": until}, {"subject": "a", "until": str(until)},
             {"subject": "a", "until": now_ms() - 1}, {"subject": "a", "until": until // 1000},
             {"subject": "a", "until": until * 1000}, {"subject": "a", "until": until + 0.5},
             {"subject": "a", "until": until, "also": 1}]
    bodies = [*(json.dumps(one).encode() for one in wrong), b"", b"[]", b'{"subject":"a"',
              b'{"subject":"a","subject":"b","until":%d}' % until]
    for body in bodies:
        answer = client.request("POST", "/v1/admin/revocations", [gateway.auth()], body)
        assert (answer.status, answer.json()["error"]["code"]) == (400, "invalid_revocation"), body
    answer = client.request("POST", "/v1/admin/revocations", [gateway.auth()], b" " * 4097)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "payload_too_large")
