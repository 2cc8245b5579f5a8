"""What the document says in words only."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """A stream has to name a topic in the header or in the query: OpenAPI can only say that both are optional."""
    if case.operation.path != "/v1/stream" or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    topics = [*((case.query or {}).get("topic") or []), (case.headers or {}).get("x-sse-topic") or ""]
    if not any(str(item).strip(" \t,") for item in topics):
        case.headers["x-sse-topic"] = "orders"
