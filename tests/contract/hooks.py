"""What the document says in words only, and how long a stream is listened to."""

import time

import schemathesis

SILENCE_S = 0.05


def on_response(response, **_):
    """A stream has no end: it is left once nothing more comes, however long its headers took."""
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        response.raw.connection.sock.settimeout(SILENCE_S)


def name_a_topic(case):
    """A stream has to name a topic in the header or in the query: OpenAPI can only say that both are optional."""
    topics = [*((case.query or {}).get("topic") or []), (case.headers or {}).get("x-sse-topic") or ""]
    if not any(str(item).strip(" \t,") for item in topics):
        case.headers["x-sse-topic"] = "orders"


def choose_a_filter(case):
    """And that connections can be filtered by prefix, or by topic, or by subject."""
    query = case.query or {}
    filters = [name for name in ("prefix", "topic", "subject") if query.get(name)]
    for name in filters[:-1]:
        del query[name]


def end_soon(case):
    """And that a revocation ends in the future, within ten years."""
    if isinstance(case.body, dict):
        case.body["until"] = int(time.time() * 1000) + 3_600_000


CORRECTIONS = {"openStream": name_a_topic, "listConnections": choose_a_filter, "revoke": end_soon}


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["hooks"] = {"response": on_response}
    correct = CORRECTIONS.get(case.operation.definition.raw.get("operationId"))
    if correct and case.meta is not None and case.meta.generation.mode.is_positive:
        correct(case)
