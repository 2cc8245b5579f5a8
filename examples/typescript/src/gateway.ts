/** What publisher and subscriber share: settings, the HTTP client, when to try again, Ctrl-C. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, fetch, type RequestInit, type Response } from "undici";

const { TIDEWAY_URL = "https://127.0.0.1:8443", TIDEWAY_CA } = process.env;

/** The gateway sends a heartbeat every 15 s: a stream that is silent for longer than this is dead. */
const SILENCE_MS = 60_000;
const BACKOFF_MAX_MS = 30_000;

const dispatcher = new Agent({
  allowH2: true,
  bodyTimeout: SILENCE_MS,
  connect: TIDEWAY_CA ? { ca: readFileSync(TIDEWAY_CA) } : {},
});

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.abort());
export const stop = interrupted.signal;

/** An answer that would be the same next time: there is no point in trying again. */
export class Refused extends Error {}

/** One request; resolves with an answer of success and throws for any other. */
export async function request(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(new URL(path, TIDEWAY_URL), { ...init, dispatcher, signal: stop });
  if (response.ok) return response;
  const reason = `${response.status} ${await response.text()}`;
  if (response.status === 429 || response.status >= 500) throw new Error(reason);
  throw new Refused(reason);
}

/** Waits before the next attempt: longer after each failure in a row, and not when everybody else does. */
export async function backOff(baseMs: number, failures: number, reason: unknown): Promise<void> {
  const longestMs = Math.max(baseMs, BACKOFF_MAX_MS);
  const delayMs = Math.min(baseMs * 2 ** failures, longestMs) * (1 + Math.random() / 2);
  const text = reason instanceof Error ? String(reason.cause ?? reason.message) : String(reason);
  console.error(`trying again in ${(delayMs / 1000).toFixed(1)} s: ${text}`);
  await sleep(delayMs, undefined, { signal: stop });
}

/** Runs the program; Ctrl-C is a clean end, anything else that it throws is not. */
export async function run(program: (topics: string[]) => Promise<void>): Promise<void> {
  const topics = process.argv.slice(2);
  if (topics.length === 0) {
    console.error("name at least one topic");
    process.exit(2);
  }
  try {
    await program(topics);
  } catch (error) {
    if (!stop.aborted) {
      console.error(error instanceof Refused ? error.message : error);
      process.exitCode = 1;
    }
  }
  await dispatcher.destroy();
}
