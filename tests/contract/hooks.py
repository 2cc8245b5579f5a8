"""What the document says in words only, and how long a stream is listened to."""

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
    """And that connections can be filtered by prefix, or by topic."""
    query = case.query or {}
    if query.get("prefix") and query.get("topic"):
        del query["prefix"]


CORRECTIONS = {"openStream": name_a_topic, "listConnections": choose_a_filter}


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["hooks"] = {"response": on_response}
    correct = CORRECTIONS.get(case.operation.definition.raw.get("operationId"))
    if correct and case.meta is not None and case.meta.generation.mode.is_positive:
        correct(case)
