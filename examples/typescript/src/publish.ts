/** Publishes each line of standard input to the topics that are named, and prints the gateway's answers. */
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { backOff, Refused, request, run, stop } from "./gateway.js";

const RETRY_MS = 500;

interface Publication {
  id?: string;
  event?: string;
  data: string;
}

/** A JSON object with `data`, and perhaps `id` and `event`, is taken apart; any other line is a payload. */
function parse(line: string): Publication {
  try {
    const value = JSON.parse(line);
    if (typeof value?.data === "string") return value;
  } catch {}
  return { data: line };
}

/** Tries until the gateway has answered. A repeat has the same id, so that subscribers can tell. */
async function publish(topics: string[], { id = randomUUID(), event, data }: Publication) {
  for (let failures = 0; ; failures++) {
    try {
      const response = await request("/v1/publish", {
        method: "POST",
        headers: {
          authorization: `Bearer ${process.env.TIDEWAY_API_KEY || process.env.TIDEWAY_TOKEN}`,
          "content-type": "text/plain; charset=utf-8",
          "x-sse-topic": topics.join(","),
          "x-sse-id": id,
          ...(event && { "x-sse-event": event }),
        },
        body: data,
      });
      return await response.text();
    } catch (error) {
      if (error instanceof Refused || stop.aborted) throw error;
      await backOff(RETRY_MS, failures, error);
    }
  }
}

await run(async (topics) => {
  const lines = createInterface({ input: process.stdin, signal: stop });
  try {
    for await (const line of lines) {
      if (line !== "") console.log(await publish(topics, parse(line)));
    }
  } finally {
    process.stdin.destroy();
  }
});
