/**
 * A browser's EventSource over rolling restarts of three gateways: it always comes back, and nothing is lost. Through a
 * balancer of connections, where the gateways end TLS, and through nginx as docs/deploy/nginx.md sets it up, over
 * HTTP/2 and HTTP/1.1. TIDEWAY_ROLLING_RESTARTS says how often in a row.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "./browser.mjs";
import { freePort, makeCertificate, startGateway, startPeer, startRedis } from "./gateway.mjs";
import { until } from "./wait.mjs";

const TIMES = Number(process.env.TIDEWAY_ROLLING_RESTARTS ?? 1);
const GATEWAYS = 3;
const TOPIC = "orders";
/** What is published while the browser is away has to be kept; a balancer sees within the unready time that one goes. */
const OPTIONS = { RUNTIME: "redis", RETRY_MS: 50, TAIL_EVENTS: 20000, DRAIN_MS: 1000 };
const NGINX_PAGE = new URL("../../../docs/deploy/nginx.md", import.meta.url);

/** Gives each connection to a gateway that takes it, in turn. */
async function startBalancer(gateways) {
  const sockets = new Set();
  let next = 0;

  function give(near, tries) {
    if (tries === 0 || near.destroyed) {
      near.destroy();
      return;
    }
    const far = connect(gateways[next++ % gateways.length].port, "127.0.0.1");
    sockets.add(far);
    far.once("error", () => give(near, tries - 1));
    far.once("connect", () => {
      far.removeAllListeners("error").on("error", () => near.destroy());
      near.on("close", () => far.destroy()).resume();
      near.pipe(far).pipe(near);
    });
    far.once("close", () => sockets.delete(far));
  }

  const server = createServer({ pauseOnConnect: true }, (near) => {
    sockets.add(near);
    near.on("error", () => {}).on("close", () => sockets.delete(near));
    give(near, gateways.length);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${server.address().port}`,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** nginx with the settings of its page. */
async function startNginx(gateways) {
  const folder = mkdtempSync(join(tmpdir(), "tideway-nginx-"));
  const certificate = makeCertificate(folder);
  const port = await freePort();
  const [, block] = /<!-- file: nginx.conf -->\n```nginx\n(.*?)```/s.exec(
    readFileSync(NGINX_PAGE, "utf8"),
  );
  const upstreams = gateways.map(({ port }) => `server 127.0.0.1:${port} fail_timeout=2s;`);
  const settings = block
    .replace(/( {4}server [\d.]+:8443 [^\n]*\n)+/, `${upstreams.join("\n")}\n`)
    .replace("listen 443", `listen 127.0.0.1:${port}`)
    .replace(/ssl_certificate \S+;/, `ssl_certificate ${certificate.cert};`)
    .replace(/ssl_certificate_key \S+;/, `ssl_certificate_key ${certificate.key};`);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    join(folder, "main.conf"),
    `daemon off;\nuser root;\npid ${folder}/pid;\nerror_log ${folder}/error.log;\nevents {}\n` +
      `http {\naccess_log off;\n${paths.map((name) => `${name}_temp_path ${folder}/${name};\n`).join("")}${settings}}\n`,
  );
  const child = spawn("nginx", ["-c", join(folder, "main.conf"), "-p", folder], {
    stdio: "inherit",
  });
  await until("nginx", () => {
    const socket = connect(port, "127.0.0.1");
    return new Promise((resolve) => {
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    }).finally(() => socket.destroy());
  });
  return {
    url: `https://127.0.0.1:${port}`,
    stop: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGQUIT");
      setTimeout(() => child.kill("SIGTERM"), 500).unref();
      await gone;
      rmSync(folder, { recursive: true });
    },
  };
}

const FRONTS = {
  "a balancer of connections": [startBalancer, {}],
  nginx: [startNginx, { TLS: "off" }],
};
const PROTOCOLS = { h2: [], "http/1.1": ["--disable-http2"] };

describe("EventSource over rolling restarts", () => {
  const undo = [];
  const later = (stop) => undo.push(stop);
  let redis;

  before(async () => {
    redis = await startRedis();
  });

  after(() => redis?.stop());

  afterEach(async () => {
    while (undo.length > 0) await undo.pop()();
  });

  async function start(options) {
    const gateway = await startGateway({
      options: { ...OPTIONS, REDIS_URL: redis.url, ...options },
    });
    later(gateway.stop);
    return gateway;
  }

  /** Publishes 0, 1, 2 … at a gateway that stays. */
  async function startPublishing() {
    const peer = startPeer(await start({}));
    later(peer.stop);
    await peer.open(1, [TOPIC]);
    let stopped = false;
    let count = 0;
    async function run() {
      for (; !stopped; count += 1) {
        const answer = await peer.publish(TOPIC, `e${count}`, `${count}`);
        assert.equal(answer.status, "accepted", JSON.stringify(answer));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    const running = run();
    running.catch(() => {});
    return async () => {
      stopped = true;
      await running;
      return count;
    };
  }

  async function openStream(url, flags) {
    const browser = await launch({ flags });
    later(() => browser.close());
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await page.goto(`${url}/healthz`);
    await page.evaluate((topic) => {
      const source = new EventSource(`/v1/stream?topic=${topic}`);
      const seen = { opened: 0, gaveUp: 0, data: [], gaps: [] };
      globalThis.seen = seen;
      source.onopen = () => {
        seen.opened += 1;
      };
      source.onerror = () => {
        seen.gaveUp += source.readyState === EventSource.CLOSED ? 1 : 0;
      };
      source.onmessage = (event) => seen.data.push(Number(event.data));
      source.addEventListener("tideway.gap", (event) => seen.gaps.push(JSON.parse(event.data)));
    }, TOPIC);
    const seen = () => page.evaluate(() => globalThis.seen);
    await until("the stream", async () => (await seen()).opened > 0);
    const protocol = await page.evaluate(
      () => performance.getEntriesByType("navigation")[0].nextHopProtocol,
    );
    return { seen, protocol };
  }

  for (const [name, [startFront, options]] of Object.entries(FRONTS)) {
    for (const [protocol, flags] of Object.entries(PROTOCOLS)) {
      test(`comes back ${TIMES} times through ${name}, ${protocol}`, async () => {
        const gateways = [];
        while (gateways.length < GATEWAYS) gateways.push(await start(options));
        const front = await startFront(gateways);
        later(front.stop);
        const stop = await startPublishing();
        const stream = await openStream(front.url, flags);
        assert.equal(stream.protocol, protocol);
        for (let times = 0; times < TIMES; times++) {
          for (const gateway of gateways) {
            await gateway.restart(gateway.key);
            const { data } = await stream.seen();
            await until(
              "events again",
              async () => (await stream.seen()).data.length > data.length,
            );
          }
        }
        const count = await stop();
        const { data, gaps, opened, gaveUp } = await until("the last event", async () => {
          const seen = await stream.seen();
          return seen.data.at(-1) === count - 1 && seen;
        });
        assert.deepEqual([gaps, gaveUp], [[], 0]);
        const [from] = data;
        assert.deepEqual(
          data,
          Array.from({ length: count - from }, (_, n) => from + n),
        );
        console.log(
          `${name}, ${protocol}: ${TIMES} × ${GATEWAYS} restarts, opened ${opened} times, ${data.length} events`,
        );
        assert.ok(opened > TIMES, `it was opened ${opened} times`);
      });
    }
  }
});
