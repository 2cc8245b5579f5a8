"""Every publisher with every subscriber, and what each example promises beside."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from matrix import KEPT
from programs import LANGUAGES, available, language, wait_until
from lib.relay import Relay
from lib.tokens import SECRET, token

EVERY_LANGUAGE = pytest.mark.parametrize("name", LANGUAGES)
MODES = pytest.mark.parametrize("mode", ["memory", "redis"])
MISSED = 20  # events, of which only some are kept


@MODES
@pytest.mark.parametrize("subscriber", LANGUAGES)
@pytest.mark.parametrize("publisher", LANGUAGES)
def test_pair__each_event_once_and_in_order(run, mode, publisher, subscriber):
    language(publisher)
    language(subscriber)
    assert run(mode).pairs[publisher, subscriber].problem == ""


@MODES
def test_run__ends_clean_and_every_subscriber_reconnected_twice_over_h2(run, mode):
    done = run(mode)
    assert done.problems == []
    assert done.protocols == {name: {"h2"} for name in done.languages}
    assert done.reconnects == {name: 2 for name in done.languages}


@pytest.fixture(scope="session")
def outcome():
    """outcome(scenario, name): runs the scenario for all languages at once when first asked for it, and
    fails if it failed for that one."""
    futures = {}

    def of(scenario, name):
        language(name)
        if scenario not in futures:
            names = available()
            with ThreadPoolExecutor(len(names)) as pool:
                futures[scenario] = {name: pool.submit(scenario, name) for name in names}
        return futures[scenario][name].result()
    return of


@pytest.fixture(scope="session")
def resuming(gateway, start):
    """A subscriber that is cut twice: before it has seen an event, and then for longer than events
    are kept."""
    def scenario(name):
        topic = f"resume.{name}"
        client = gateway.h2()

        def connected():
            return any(row["topics"] == [topic]
                       for row in gateway.admin("/connections", client)["data"])

        def deliver(id):
            gateway.deliver(topic, id, id=id, client=client)

        relay = Relay([gateway.address])
        subscriber = start(name, "subscribe", [topic], relay.url, gateway.key)
        wait_until(connected, f"{name} to connect")
        wait_until(relay.is_quiet, f"{name} to have read the opening of its stream")
        relay.cut(refuse=True, gently=True)  # it must have the id with which its stream opens
        wait_until(lambda: not connected(), f"{name} to be gone")
        deliver("first")
        relay.accept()
        wait_until(subscriber.records, f"{name} to get the event that it missed")

        relay.cut(refuse=True)
        refused = len(relay.refused_at)
        wait_until(lambda: not connected(), f"{name} to be gone")
        for number in range(MISSED):
            deliver(str(number))
        wait_until(lambda: len(relay.refused_at) >= refused + 4, f"four attempts of {name}")
        relay.accept()
        wait_until(connected, f"{name} to connect again")
        deliver("live")
        wait_until(lambda: subscriber.records()[-1].get("id") == "live", f"{name} to get an event")
        subscriber.interrupt()
        code = subscriber.wait()
        relay.close()
        return subscriber, code, relay.refused_at[refused:]
    return scenario


@EVERY_LANGUAGE
def test_subscriber__misses_nothing_between_the_opening_of_its_stream_and_its_first_event(
        outcome, resuming, name):
    subscriber, _, _ = outcome(resuming, name)
    assert subscriber.records()[0] == {"id": "first", "event": "message", "data": "first"}


@EVERY_LANGUAGE
def test_subscriber__tells_of_a_gap_and_goes_on(outcome, resuming, name):
    subscriber, code, _ = outcome(resuming, name)
    _, gap, *events = subscriber.records()
    assert gap == {"gap": {"reason": "unknown_id", "topics": [f"resume.{name}"]}}
    assert [event["id"] for event in events] == [
        *(str(number) for number in range(MISSED - KEPT, MISSED)), "live"]
    assert code == 0, subscriber.error_text()


@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "browser"])
def test_subscriber__waits_longer_after_each_failure(outcome, resuming, name):
    """EventSource itself always waits for what `retry:` says."""
    first, second, third, fourth = outcome(resuming, name)[2][:4]
    assert fourth - third > second - first


@pytest.fixture(scope="session")
def publishing_strictly(gateway, start, tls):
    """A publisher behind a relay that speaks HTTP/2 or nothing."""
    def scenario(name):
        relay = Relay([gateway.address], certificate=tls[1])
        publisher = start(name, "publish", ["nobody"], relay.url, gateway.key)
        publisher.feed([{"id": "1", "data": "x"}])
        wait_until(publisher.records, f"an answer to {name}")
        publisher.interrupt()
        code = publisher.wait()
        relay.close()
        return publisher, code, relay
    return scenario


@EVERY_LANGUAGE
def test_publisher__speaks_http2(outcome, publishing_strictly, name):
    publisher, _, relay = outcome(publishing_strictly, name)
    assert relay.accepted > 0
    assert publisher.records()[0] == {"status": "dropped", "id": "1", "droppedTopics": ["nobody"]}


@EVERY_LANGUAGE
def test_publisher__ends_clean_on_ctrl_c(outcome, publishing_strictly, name):
    publisher, code, _ = outcome(publishing_strictly, name)
    assert code == 0, publisher.error_text()


PROGRAMS = pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "browser"])


@pytest.fixture(scope="session")
def publishing_with_a_wrong_key(gateway, start):
    def scenario(name):
        if name != "browser":  # the page shows the answer to its user
            publisher = start(name, "publish", ["a"], gateway.url, "wrong-key")
            publisher.feed([{"data": "x"}])
            return publisher, publisher.wait()
    return scenario


@PROGRAMS
def test_publisher__ends_with_the_gateways_reason_when_it_is_refused(
        outcome, publishing_with_a_wrong_key, name):
    publisher, code = outcome(publishing_with_a_wrong_key, name)
    assert code not in (0, None)
    assert "unauthorized" in publisher.text()


@pytest.fixture(scope="session")
def publishing_to_a_stranger(gateway, start, other_authority):
    def scenario(name):
        if name != "browser":  # which has its own authorities
            publisher = start(name, "publish", ["a"], gateway.url, gateway.key, other_authority)
            publisher.feed([{"data": "x"}])
            publisher.wait_error("certificate")
            publisher.interrupt()
            publisher.wait()
            return publisher
    return scenario


@PROGRAMS
def test_publisher__trusts_its_authority_alone(outcome, publishing_to_a_stranger, name):
    assert outcome(publishing_to_a_stranger, name).records() == []


@pytest.fixture(scope="session")
def private(start_gateways, tmp_path_factory):
    """A gateway whose topics need tokens."""
    path = tmp_path_factory.mktemp("tokens") / "secret"
    path.write_text(SECRET)
    return start_gateways(private_topics="*", token_keys=path)[0]


@PROGRAMS
def test_programs__follow_and_publish_with_a_token(private, start, name):
    language(name)
    topic = f"private.{name}"
    granted = token([topic], [topic])
    subscriber = start(name, "subscribe", [topic], private.url, "", token=granted)
    wait_until(lambda: private.topics().get(topic), f"{name} to connect")
    publisher = start(name, "publish", [topic], private.url, "", token=granted)
    publisher.feed([{"id": "1", "data": "private"}])
    wait_until(subscriber.records, f"{name} to get the event")
    assert subscriber.records()[-1]["data"] == "private"
