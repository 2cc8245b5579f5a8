/**
 * A real gateway over TLS and, beside it, another process that holds streams and publishes (peer.py).
 * $TIDEWAY_BIN is the binary, build/tideway without it.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "./wait.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BINARY = process.env.TIDEWAY_BIN ?? join(ROOT, "build/tideway");
const PYTHON = "/usr/bin/python3";
const STOP_MS = 20_000;

// The same blocks of ports as tests/lib/ports.py, so that suites which run at the same time do not take each other's: this
// process keeps the first port of its block.
const FIRST_PORT = 20000;
const BLOCKS = 48;
const BLOCK_PORTS = 250;
let claimed;
let asked = 0;

function listenOn(port) {
  return new Promise((resolve) => {
    const server = createServer().on("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

async function claimBlock() {
  for (let first = FIRST_PORT; first < FIRST_PORT + BLOCKS * BLOCK_PORTS; first += BLOCK_PORTS) {
    const server = await listenOn(first);
    if (server) {
      server.unref();
      return server;
    }
  }
  throw new Error(`all ${BLOCKS} blocks of ports are in use by other test processes`);
}

export async function freePort() {
  claimed ??= await claimBlock();
  for (;;) {
    const server = await listenOn(claimed.address().port + 1 + (asked++ % (BLOCK_PORTS - 1)));
    if (server) {
      const { port } = server.address();
      await new Promise((resolve) => server.close(resolve));
      return port;
    }
  }
}

export function makeCertificate(folder) {
  const files = { cert: join(folder, "server.crt"), key: join(folder, "server.key") };
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-keyout", files.key, "-out", files.cert],
  ]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return files;
}

/** Resolves once the process has ended; a process that ignores SIGTERM is killed and reported. */
async function end(child, expectedCode) {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await gone;
    clearTimeout(timer);
  }
  if (expectedCode !== undefined && child.exitCode !== expectedCode) {
    throw new Error(`the gateway ended with ${child.exitCode ?? child.signalCode}`);
  }
}

/**
 * Options are environment variables without their prefix: { WORKERS: 2 }. Without `ready` it only has to live: its Redis may
 * be away.
 */
export async function startGateway({ keys = "test-key", options = {}, ready = true } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "tideway-ui-"));
  const certificate = makeCertificate(folder);
  const [port, opsPort] = [await freePort(), await freePort()];
  const url = `${options.TLS === "off" ? "http" : "https"}://127.0.0.1:${port}`;
  let child;
  let log = "";

  async function start(withKeys) {
    child = spawn(BINARY, [], {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env.PATH,
        SSE_PUBLISHER_API_KEYS: withKeys,
        TIDEWAY_LISTEN: `127.0.0.1:${port}`,
        TIDEWAY_OPS_LISTEN: `127.0.0.1:${opsPort}`,
        ...(options.TLS !== "off" && {
          TIDEWAY_TLS_CERT: certificate.cert,
          TIDEWAY_TLS_KEY: certificate.key,
        }),
        TIDEWAY_WORKERS: "2",
        TIDEWAY_DRAIN_MS: "200",
        TIDEWAY_HEARTBEAT_MS: "3600000",
        ...Object.fromEntries(
          Object.entries(options).map(([name, value]) => [`TIDEWAY_${name}`, String(value)]),
        ),
      },
    });
    child.stderr.on("data", (text) => {
      log += text;
    });
    await until("the gateway to be ready", async () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended: ${log}`);
      const probe = ready ? "readyz" : "healthz";
      const answer = await fetch(`http://127.0.0.1:${opsPort}/${probe}`).catch(() => null);
      return answer?.status === 200;
    });
  }

  try {
    await start(keys);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  function admin(method, path) {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${keys.split(",")[0]}` };
      const options = { method, headers, rejectUnauthorized: false };
      const sent = request(`${url}/v1/admin${path}`, options, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(chunks) }));
      });
      sent.on("error", reject).end();
    });
  }

  return {
    url,
    port,
    key: keys.split(",")[0],
    /** The ids of the open streams that follow so many topics. */
    streamsOf: async (topicCount) => {
      const { data } = JSON.parse((await admin("GET", "/connections")).body);
      const ids = data
        .filter(({ topics }) => topics.length === topicCount)
        .map(({ connectionId }) => connectionId);
      return ids.length > 0 && ids;
    },
    /** As an operator. */
    closeStream: async (id) => {
      const { status } = await admin("DELETE", `/connections/${id}`);
      if (status >= 300) throw new Error(`closing ${id}: ${status}`);
    },
    log: () => log,
    /** Ends it and starts it again at the same address with other keys. */
    restart: async (withKeys, whileDown = async () => {}) => {
      await end(child, 0);
      await whileDown();
      await start(withKeys);
    },
    /** It stays connected and does nothing, until it is stopped. */
    freeze: () => child.kill("SIGSTOP"),
    stop: async () => {
      try {
        child.kill("SIGCONT");
        await end(child, 0);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

/** A Redis of its own. */
export async function startRedis() {
  const port = await freePort();
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    { stdio: "ignore" },
  );
  await until("Redis", () => {
    const socket = connect(port, "127.0.0.1");
    return new Promise((resolve) => {
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    }).finally(() => socket.destroy());
  });
  return { url: `redis://127.0.0.1:${port}/0`, stop: () => child.kill("SIGKILL") };
}

/** Another process with streams and a publisher; each call is one line there and one line back. */
export function startPeer(gateway) {
  const child = spawn(PYTHON, ["-m", "e2e.ui.peer", String(gateway.port), gateway.key], {
    cwd: join(ROOT, "tests"),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function ask(command) {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error("peer.py ended");
    return JSON.parse(value);
  }

  return {
    /** Opens `count` streams, each following one of `topics`, all with this client hint. */
    open: (count, topics, clientId = null) => ask({ do: "open", count, topics, clientId }),
    publish: (topic, id, payload, event = null) =>
      ask({ do: "publish", topic, id, payload, event }),
    /** Many events at once, none of which waits for another's answer. */
    burst: (topic, count) => ask({ do: "burst", topic, count }),
    /** How many of its streams the gateway has ended. */
    ended: async () => (await ask({ do: "ended" })).ended,
    stop: () => {
      child.stdin.end();
      return end(child);
    },
  };
}
