"""The scripts that run inside Redis, one by one, on a real server: what docs/internals/redis.md says of them."""

import time

import pytest

from lib.redis_lane import EPOCH, Lane, Refused, own
from lib.redis_server import Redis

OTHER_EPOCH = "00000000000000bb"


@pytest.fixture(scope="module")
def server():
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def lane(server):
    lane = Lane(server)
    lane.call("FLUSHALL")
    yield lane
    lane.call.close()


@pytest.fixture
def pair(lane):
    """Registrations a-1 and b-1 in one epoch."""
    lane.join("a-1")
    lane.join("b-1", known=EPOCH)
    lane.lease("a-1")
    lane.lease("b-1")
    return lane


# --- revocations ---

def revoke(lane, *entries, most=10, now=1000):
    return lane.run("revoke", EPOCH, most, now, *entries)


def revocations(lane, number=""):
    answer = lane.run("revocations", EPOCH, number)
    return dict(zip(answer[::2], answer[1::2]))


def test_a_revocation_is_listed_and_told_to_all_nodes_once(pair):
    pair.expire("b-1")  # it may come back
    assert revocations(pair) == {"": "0"}
    for _ in range(2):
        assert revoke(pair, "500 2000 a b", "600 2000 c") == 1
    assert revocations(pair) == {"a b": "500 2000", "c": "600 2000", "": "2"}
    assert revocations(pair, "2") == {}
    for node in ("a-1", "b-1"):
        assert [fields for _, fields in pair.inbox(node)] == [["m", "R500 2000 a b"], ["m", "R600 2000 c"]]


def test_two_revocations_of_a_subject_are_merged_into_the_later_moments(pair):
    for entry, merged in (("500 2000 a", "500 2000"), ("400 3000 a", "500 3000"), ("600 2500 a", "600 3000"),
                          ("1 1 a", "600 3000")):
        assert revoke(pair, entry) == 1
        assert revocations(pair)["a"] == merged
    assert revocations(pair)[""] == "3"


def test_a_full_list_forgets_what_has_ended_and_refuses_the_rest(pair):
    assert revoke(pair, *(f"1 {2000 + i} s{i}" for i in range(10))) == 1
    assert revoke(pair, "1 3000 more", "2 3000 s5") == 0
    assert "more" not in revocations(pair) and revocations(pair)["s5"] == "2 3000"
    assert revoke(pair, "1 3000 more", now=2001) == 1
    assert set(revocations(pair)) == {"", "more", *(f"s{i}" for i in range(2, 10))}


# --- joining ---

def test_the_first_one_begins_an_epoch(lane):
    assert lane.join("a-1") == [EPOCH, "0", "0", "0", 0, "0"]
    assert lane.join("b-1", fresh=OTHER_EPOCH) == [EPOCH, "0", "0", "0", 0, "0"]


def test_who_is_still_there_goes_on_where_it_was(pair):
    pair.follow("a-1", "t")
    pair.publish("b-1", ("x", "t"))
    assert pair.join("a-1", known=EPOCH) == [EPOCH, "1", "0", "0", 1, "1"]


@pytest.mark.parametrize("run", ["other:repl", "run:other"])
def test_another_identity_is_another_epoch_whose_numbers_go_on(pair, run):
    pair.follow("a-1", "t")
    pair.publish("b-1", ("x", "t"))
    assert pair.join("a-1", EPOCH, run, OTHER_EPOCH, "a-2") == [OTHER_EPOCH, "1", "1", "0", 0, "1"]
    with pytest.raises(Refused, match="EPOCH"):
        pair.publish("b-1", ("y", "t"))


def test_who_was_buried_gets_its_successor(pair):
    assert pair.run("leave", EPOCH, "a-1", 10, 0, 0) == 2
    assert pair.join("a-1", known=EPOCH, successor="a-2")[4] == 0
    assert pair.lease("a-2")[2] == 0


def test_all_members_have_the_same_layout_of_lanes(lane):
    lane.join("a-1", lanes=8)
    assert lane.layout == f"8:{EPOCH}"
    lane.join("b-1", fresh=OTHER_EPOCH, lanes=8)  # lane 0 takes over what is there
    assert lane.layout == f"8:{EPOCH}"
    lane.join("b-1", fresh=OTHER_EPOCH, lanes=8, layout=f"8:{OTHER_EPOCH}")
    assert lane.layout == f"8:{EPOCH}"
    with pytest.raises(Refused, match="LANES the other nodes have lanes 8:.*, TIDEWAY_REDIS_LANES is 1$"):
        lane.join("c-1", fresh=OTHER_EPOCH, lanes=1)
    with pytest.raises(Refused, match="LANES"):
        lane.join("b-1", known=EPOCH, fresh=OTHER_EPOCH, lanes=8, layout=f"8:{OTHER_EPOCH}", takes=0)  # another lane
    assert lane.join("b-1", known=EPOCH, lanes=8, layout=f"8:{EPOCH}", takes=0)[4] == 1


@pytest.mark.parametrize("takes", [0, 1])
def test_another_layout_begins_another_epoch_once_nobody_lives(lane, takes):
    lane.join("a-1", lanes=8)
    lane.follow("a-1", "t")
    lane.publish("a-1", ("x", "t"))
    lane.expire("a-1")
    answer = lane.join("c-1", fresh=OTHER_EPOCH, lanes=2, layout="2:fedcba9876543210", takes=takes)
    assert answer == [OTHER_EPOCH, "1", "1", "0", 0, "1"]
    assert lane.layout == ("2:fedcba9876543210", f"2:{OTHER_EPOCH}")[takes]  # what was known of before is over, too


def test_a_layout_outlives_an_empty_server(lane):
    lane.join("a-1", known=OTHER_EPOCH, lanes=8, layout="8:fedcba9876543210")
    assert lane.layout == "8:fedcba9876543210"


def test_after_an_epoch_nobody_counts_as_gone_until_its_time_is_over(lane):
    lane.join("a-1", known=OTHER_EPOCH)  # a member of what was there before an empty server
    assert lane.publish("a-1", ("x", "t"))[1] == [(0, 0, [1])]
    assert lane.run("followed", EPOCH, "t") == [1]
    lane.call("HSET", lane.key("state"), "grace", 1)
    assert lane.publish("a-1", ("x", "u"))[1] == [(0, 0, [0])]
    lane.lease("a-1")
    assert lane.call("HEXISTS", lane.key("state"), "grace") == 0


@pytest.mark.parametrize("script, arguments", [
    ("lease", [own("a-1"), 1000, "nodeId", "a"]), ("follow", [own("a-1"), "t", 1]), ("unfollow", [own("a-1"), 0, "t"]),
    ("publish", [own("a-1"), 10, 1000, 1, "1 x", 3, 1, "t"]), ("call", [own("a-1"), "b", "m"]), ("ack", [own("a-1"), 1, 1]),
    ("missed", [own("a-1"), 0, 1, "t"]),
])
def test_every_script_of_a_registration_sees_epoch_and_burial(pair, script, arguments):
    with pytest.raises(Refused, match="^EPOCH"):
        pair.run(script, OTHER_EPOCH, *arguments)
    pair.call("HSET", pair.key("inboxes"), "a-1:s", 2)  # a session has begun since this was sent
    before = pair.call("DBSIZE"), pair.seq()
    with pytest.raises(Refused, match="^BURIED"):
        pair.run(script, EPOCH, *arguments)
    assert (pair.call("DBSIZE"), pair.seq()) == before


@pytest.mark.parametrize("script, arguments", [
    ("leave", ["a-1", 10, 0, 0]), ("sweep", [10, 0]), ("read", ["t", "+", 10, 10]), ("followed", ["t"]),
    ("list_nodes", []), ("list_topics", [0, 10, ""]),
])
def test_every_other_script_sees_the_epoch(pair, script, arguments):
    with pytest.raises(Refused, match="^EPOCH"):
        pair.run(script, OTHER_EPOCH, *arguments)


# --- publishing ---

def test_what_nobody_follows_is_dropped_and_kept_nowhere(pair):
    assert pair.publish("a-1", ("x", "t")) == (1, [(0, 0, [0])])
    assert pair.history("t") == [] and pair.inbox("a-1") == []


def test_a_call_is_one_entry_of_each_inbox_and_chains(pair):
    assert pair.follow("a-1", "t") == ["0", "0"]
    pair.follow("b-1", "t", "u", streams=3)
    first, rows = pair.publish("a-1", ("1", "t"), ("2", "u"), ("3", "t", "u"), ("4", "v"))
    assert first == 1
    assert rows == [(3, 1, [1]), (3, 0, [1]), (6, 1, [1, 1]), (0, 0, [0])]
    assert pair.inbox("a-1") == [["3-0", ["1", "1 1", "3", "1 3"]]]
    assert pair.inbox("b-1") == [["3-0", ["1", "1 11 21 3"]]]  # in a row
    pair.publish("a-1", ("5", "u"))
    assert pair.inbox("b-1")[1] == ["5-3", ["5", "1 5"]]
    assert [e[0] for e in pair.history("u")] == ["2-0", "3-2", "5-3"]
    assert pair.follow("b-1") == ["5", "5"]


def test_one_that_was_buried_gets_nothing(pair):
    pair.follow("a-1", "t")
    pair.follow("b-1", "t")
    pair.run("leave", EPOCH, "b-1", 0, 0, 0)
    assert pair.publish("a-1", ("x", "t"))[1] == [(0, 1, [1])]
    assert pair.call("EXISTS", pair.key("i:b-1")) == 0


def test_who_falls_behind_is_cut_and_the_chain_shows_it(pair):
    pair.follow("b-1", "t")
    pair.publish("a-1", ("x" * 60, "t"), limit=100)
    pair.publish("a-1", ("y" * 60, "t"), limit=100)
    pair.publish("a-1", ("z", "t"), limit=100)
    assert pair.inbox("b-1") == []
    assert pair.lease("b-1")[1:3] == ["3", 1]
    assert pair.run("ack", EPOCH, own("b-1"), 0, 0) == "3"
    pair.publish("a-1", ("w", "t"), limit=100)
    assert pair.inbox("b-1") == [["4-3", ["4", "1 w"]]]


def test_what_was_processed_is_trimmed(pair):
    pair.follow("b-1", "t")
    for body in "123":
        pair.publish("a-1", (body, "t"))
    assert pair.run("ack", EPOCH, own("b-1"), 2, 6) == "3"
    assert pair.inbox("b-1") == [["3-2", ["3", "1 3"]]]
    assert pair.call("HGET", pair.key("inboxes"), "b-1:b") == "3"


def test_a_message_goes_to_the_one_that_lives(pair):
    assert pair.run("call", EPOCH, own("a-1"), "b", "hello") == 1
    assert pair.inbox("b-1") == [["1-0", ["m", "hello"]]]
    assert pair.run("call", EPOCH, own("a-1"), "c", "hello") == 0
    pair.expire("b-1")
    assert pair.run("call", EPOCH, own("a-1"), "b-1", "hello") == 0


# --- topics ---

def test_a_window_keeps_a_topic_open_for_its_time(pair):
    pair.follow("a-1", "t", "u")
    pair.unfollow("a-1", "t", window_ms=60000)
    pair.unfollow("a-1", "u", window_ms=1)
    time.sleep(0.01)
    assert pair.run("followed", EPOCH, "t", "u") == [1, 0]
    assert pair.publish("a-1", ("x", "t", "u"))[1] == [(0, 0, [1, 0])]


def test_the_last_one_takes_a_topic_with_it(pair):
    pair.follow("a-1", "t")
    pair.follow("b-1", "t")
    pair.unfollow("a-1", "t")
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [1, "t", ["node-b-1", "1"]]
    pair.unfollow("b-1", "t")
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [0]
    assert pair.call("EXISTS", pair.key("t:t")) == 0


def test_a_topic_without_streams_is_not_listed(pair):
    pair.follow("a-1", "t", streams=0)
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [0]
    pair.follow("a-1", "t", streams=2)
    pair.follow("b-1", "t", streams=1)
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [1, "t", ["node-a-1", "2", "node-b-1", "1"]]
    pair.follow("a-1", "t", streams=0)
    pair.follow("b-1", "t", streams=0)
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [0]
    assert pair.run("followed", EPOCH, "t") == [1]


def test_a_burial_of_many_topics_ends_whatever_its_slices_are(pair):
    names = [f"t{i}" for i in range(1000)]
    pair.follow("b-1", *names)
    pair.doubt("b-1")
    answers = []
    while answers[-1:] != [0]:
        answers.append(pair.run("leave", EPOCH, "", 100, 0, 0))
    assert answers.count(1) in (9, 10) and answers[-2:] == [2, 0]
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [0]
    assert {key.split(":", 2)[2].split(":")[0] for key in pair.call("KEYS", "*")} == {"state", "nodes", "inboxes", "n"}


def test_one_that_renews_its_lease_in_time_is_not_buried(pair):
    """Redis' clock has jumped: the leases of all have run out at once."""
    pair.expire("b-1")
    assert pair.run("leave", EPOCH, "", 100, 0, 60000) == 0
    pair.lease("b-1")
    pair.expire("b-1")
    assert pair.run("leave", EPOCH, "", 100, 0, 60000) == 0
    assert pair.run("leave", EPOCH, "", 100, 0, 60000) == 0
    pair.call("HSET", pair.key("inboxes"), "b-1:d", 1)
    assert pair.run("leave", EPOCH, "", 100, 0, 60000) == 2


def test_a_burial_opens_the_windows(pair):
    pair.follow("b-1", "t")
    pair.doubt("b-1")
    assert pair.run("leave", EPOCH, "", 100, 60000, 0) == 2
    assert pair.run("followed", EPOCH, "t") == [1]


def test_what_is_forgotten_raises_the_floor(pair):
    pair.follow("a-1", "t", "u")
    pair.publish("a-1", ("1", "t"), ("2", "u"))
    pair.unfollow("a-1", "t")
    assert pair.run("sweep", EPOCH, 10, 3600000) == 0
    time.sleep(0.005)
    assert pair.run("sweep", EPOCH, 10, 1) == 2
    assert pair.history("t") == [] and len(pair.history("u")) == 1
    assert pair.read("t") == [0, "0", "1"]


# --- history ---

def test_history_is_read_in_pieces_by_bytes(pair):
    pair.follow("a-1", "t")
    for i in range(1, 8):
        pair.publish("a-1", (str(i) * 10, "t"), keep=100)
    more, newest, floor, *rows = pair.read("t", size=25)
    assert (more, newest, floor) == (1, "7", "0")
    assert rows[0::2] == ["7-6", "6-5", "5-4"]
    more, _, _, *rows = pair.read("t", before=4, size=1000)
    assert more == 0 and rows[0::2] == ["4-3", "3-2", "2-1", "1-0"]
    more, _, _, *rows = pair.read("t", count=7)
    assert more == 0 and len(rows) == 14
    assert pair.read("t", count=0)[:2] == [1, "7"]


def test_what_was_missed_is_found_by_numbers(pair):
    pair.follow("a-1", "early", "both", "late", "none")
    pair.publish("a-1", ("1", "early"), ("2", "both"), ("3", "both"), ("4", "late"))
    assert pair.run("missed", EPOCH, own("a-1"), 1, 3, "early", "both", "late", "none") == [0, 1, 0, 0]


def test_what_was_missed_is_found_though_history_was_cut(pair):
    pair.follow("a-1", "t", "u")
    pair.publish("a-1", ("1", "t"), ("2", "u"), ("3", "u"))
    for _ in range(300):
        pair.publish("a-1", ("x", "t"), keep=2)
    oldest = int(pair.history("t")[0][0].split("-")[0])
    assert oldest > 10
    assert pair.run("missed", EPOCH, own("a-1"), 1, 3, "t", "u") == [1, 1]
    pair.call("XTRIM", pair.key("h:t"), "MAXLEN", 0)
    assert pair.run("missed", EPOCH, own("a-1"), 1, 3, "t") == [1]


# --- listings ---

def test_nodes_are_listed_by_their_registrations(pair):
    pair.lease("a-1", node_id="z")
    pair.call("HSET", pair.key("n:a-1"), "hostname", "h", "state", "up")
    fields = ("hostname", "ip", "version", "startedAt", "state", "figures")
    listed = [(row[:2], dict(zip(row[2::2], row[3::2]))) for row in pair.run("list_nodes", EPOCH)]
    assert listed == [(["a-1", "z"], {**dict.fromkeys(fields, ""), "hostname": "h", "state": "up"}),
                      (["b-1", "node-b-1"], dict.fromkeys(fields, ""))]


def test_the_dead_are_not_listed(pair):
    pair.follow("b-1", "t")
    pair.expire("b-1")
    assert [row[:2] for row in pair.run("list_nodes", EPOCH)] == [["a-1", "node-a-1"]]
    assert pair.run("list_topics", EPOCH, 0, 10, "") == [1, "t", []]


def test_a_full_redis_refuses_events_and_keeps_the_cluster_together(pair):
    pair.follow("a-1", "t")
    pair.call("CONFIG", "SET", "maxmemory", 1)
    try:
        with pytest.raises(Refused, match="OOM"):
            pair.publish("a-1", ("x", "t"))
        pair.lease("a-1")
        assert pair.run("call", EPOCH, own("a-1"), "b-1", "m") == 1
        pair.follow("a-1", "u")
        pair.unfollow("a-1", "t", window_ms=60000)
        assert pair.join("a-1", known=EPOCH)[4] == 1
    finally:
        pair.call("CONFIG", "SET", "maxmemory", 0)
    assert pair.run("followed", EPOCH, "t") == [1]
