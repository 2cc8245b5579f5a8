/** A real browser's EventSource resumes: nothing lost, nothing twice, over several topics. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "./browser.mjs";
import { startGateway, startPeer, startRedis } from "./gateway.mjs";
import { until } from "./wait.mjs";

const TOPICS = ["orders", "prices", "news"];
/** The publishers do not pause, so what a fast machine publishes while a browser is away has to be kept. */
const OPTIONS = { RETRY_MS: 50, TAIL_EVENTS: 20000 };

/** Between the browser and a gateway: can be cut, without a word to either side, and made whole again. */
async function startNetwork(gateway) {
  const sockets = new Set();
  let whole = true;
  const server = createServer((near) => {
    sockets.add(near);
    near.on("error", () => {}).on("close", () => sockets.delete(near));
    if (!whole) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(gateway.port, "127.0.0.1");
    sockets.add(far);
    far
      .on("error", () => {})
      .on("close", () => {
        sockets.delete(far);
        near.destroy();
      });
    near.on("close", () => far.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${server.address().port}`,
    cut: () => {
      whole = false;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    mend: () => {
      whole = true;
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Publishes 0, 1, 2 … to the topics in turn, each when the one before was accepted, until told to stop. */
function startPublishing(peer) {
  let stopped = false;
  let count = 0;
  async function run() {
    while (!stopped) {
      const answer = await peer.publish(TOPICS[count % TOPICS.length], `e${count}`, `${count}`);
      assert.equal(answer.status, "accepted", JSON.stringify(answer));
      count += 1;
    }
    return count;
  }
  const running = run();
  running.catch(() => {}); // whoever awaits stop() hears of it
  return {
    count: () => count,
    more: (n) => {
      const wanted = count + n;
      return until(`${n} more events`, () =>
        Promise.race([running.then(() => false), count >= wanted]),
      );
    },
    stop: () => {
      stopped = true;
      return running;
    },
  };
}

describe("EventSource", () => {
  let browser;
  const undo = [];
  const later = (stop) => undo.push(stop);

  before(async () => {
    browser = await launch();
  });

  after(() => browser?.close());

  afterEach(async () => {
    while (undo.length > 0) await undo.pop()();
  });

  async function start(options = {}) {
    const gateway = await startGateway({ options: { ...OPTIONS, ...options } });
    later(gateway.stop);
    return gateway;
  }

  /** Publishes at a gateway, and follows the topics there, so that they are open while the browser is away. */
  async function startPublisher(gateway) {
    const peer = startPeer(gateway);
    later(peer.stop);
    await peer.open(TOPICS.length, TOPICS);
    return startPublishing(peer);
  }

  /** A page of this origin with an EventSource on all topics. */
  async function openStream(url) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    later(() => context.close());
    const page = await context.newPage();
    await page.goto(`${url}/healthz`);
    await page.evaluate((topics) => {
      const query = topics.map((topic) => `topic=${topic}`).join("&");
      const source = new EventSource(`/v1/stream?${query}`);
      const seen = { opened: 0, failed: 0, data: [], gaps: [] };
      globalThis.seen = seen;
      source.onopen = () => {
        seen.opened += 1;
      };
      source.onerror = () => {
        seen.failed += 1;
      };
      source.onmessage = (event) => seen.data.push(Number(event.data));
      source.addEventListener("tideway.gap", (event) => seen.gaps.push(JSON.parse(event.data)));
    }, TOPICS);
    const seen = () => page.evaluate(() => globalThis.seen);
    const opened = (times) =>
      until(`the stream to be open ${times} times`, async () => (await seen()).opened >= times);
    await opened(1);
    return { seen, opened };
  }

  /** All that was published: each once and in order. How often it was opened. */
  async function assertExact(stream, count) {
    const { data, gaps, opened } = await until("the last event", async () => {
      const seen = await stream.seen();
      return seen.data.at(-1) === count - 1 && seen;
    });
    assert.deepEqual(gaps, []);
    assert.deepEqual(
      data,
      Array.from({ length: count }, (_, n) => n),
    );
    return opened;
  }

  test("resumes after the server has closed its stream, again and again", async () => {
    const gateway = await start();
    const stream = await openStream(gateway.url);
    const publisher = await startPublisher(gateway);
    for (let closed = 1; closed <= 5; closed++) {
      await publisher.more(20);
      const ids = await until("the browser's stream", () => gateway.streamsOf(TOPICS.length));
      await gateway.closeStream(ids[0]);
      await stream.opened(closed + 1);
    }
    await publisher.more(20);
    assert.equal(await assertExact(stream, await publisher.stop()), 6);
  });

  test("resumes after a gateway's restart, with Redis", async () => {
    const redis = await startRedis();
    later(redis.stop);
    const shared = { RUNTIME: "redis", REDIS_URL: redis.url };
    const [restarted, other] = [await start(shared), await start(shared)];
    const stream = await openStream(restarted.url);
    const publisher = await startPublisher(other);
    for (let times = 1; times <= 2; times++) {
      await publisher.more(20);
      await restarted.restart(restarted.key, () => publisher.more(50));
      await stream.opened(times + 1);
    }
    await publisher.more(20);
    await assertExact(stream, await publisher.stop());
  });

  test("resumes after the network was cut, in the middle of events", async () => {
    const gateway = await start();
    const network = await startNetwork(gateway);
    later(network.stop);
    const stream = await openStream(network.url);
    const publisher = await startPublisher(gateway);
    for (let cuts = 1; cuts <= 5; cuts++) {
      await publisher.more(20);
      network.cut();
      await publisher.more(50);
      await until("the browser to notice", async () => (await stream.seen()).failed >= cuts);
      network.mend();
      await stream.opened(cuts + 1);
    }
    await publisher.more(20);
    await assertExact(stream, await publisher.stop());
  });

  test("is told what it cannot be given: a restart in memory", async () => {
    const gateway = await start();
    const stream = await openStream(gateway.url);
    const peer = startPeer(gateway);
    later(peer.stop);
    for (const topic of TOPICS) await peer.publish(topic, `e-${topic}`, "1");
    await until("the events", async () => (await stream.seen()).data.length === TOPICS.length);
    await gateway.restart(gateway.key);
    await stream.opened(2);
    const { gaps } = await until("the gap", async () => {
      const seen = await stream.seen();
      return seen.gaps.length > 0 && seen;
    });
    assert.deepEqual(gaps, [{ reason: "unknown_id", topics: TOPICS }]);
  });
});
