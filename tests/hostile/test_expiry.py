"""Tokens that expire together: however many streams end, no turn of a loop is long."""

import contextlib
import os
import time

import jwt

from lib.swarm import Swarm
from lib.tokens import SECRET
from lib.turns import longest_turn
from lib.waiting import wait_until

STREAMS, CONNECTIONS = (100000, 10) if os.environ.get("TIDEWAY_FULL") == "1" else (10000, 2)
TURN_S = 0.02


def test_expiry__of_all_streams_at_once_takes_short_turns(start_gateway, tmp_path):
    keys = tmp_path / "secret"
    keys.write_text(SECRET)
    gateway = start_gateway(workers=1, private_topics="*", token_keys=keys, max_streams_per_connection=STREAMS,
                            max_connections_per_ip=0, max_streams_per_ip=0)
    end = int(time.time()) + 2 + STREAMS // 6000
    text = jwt.encode({"exp": end, "sub": "u", "tideway": {"subscribe": ["*"]}}, SECRET, "HS256")
    with contextlib.ExitStack() as stack:
        swarms = [stack.enter_context(Swarm(gateway.address)) for _ in range(CONNECTIONS)]
        for swarm in swarms:
            swarm.open(STREAMS // CONNECTIONS, "t", [("authorization", f"Bearer {text}")])
        opened, before = time.time(), longest_turn(gateway)
        print(f"{STREAMS} streams, {end - opened:.1f} s before they end; longest turn so far: {before * 1000:.1f} ms of CPU")
        assert opened < end
        for swarm in swarms:
            swarm.wait(lambda swarm=swarm: len(swarm.ended) == STREAMS // CONNECTIONS, "the ends")
        print(f"the last end came {time.time() - end:.2f} s after the tokens expired")
        metrics = gateway.metrics()
        assert metrics['tideway_streams_closed_total{reason="token_expired"}'] == STREAMS
        wait_until(lambda: gateway.metrics()["tideway_streams"] == 0, "the streams to be gone")
        print(f"longest turn: {longest_turn(gateway) * 1000:.1f} ms of CPU; turns over budget:",
              metrics['tideway_loop_turns_over_budget_total{loop="worker-0"}'])
        assert longest_turn(gateway) < max(TURN_S, before)
