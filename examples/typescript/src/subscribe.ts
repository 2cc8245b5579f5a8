/** Prints every event of the topics that are named as a line of JSON, across reconnects. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { backOff, Refused, request, run, stop } from "./gateway.js";

let lastEventId = "";
let retryMs = 3000;
let failures = 0;

function onEvent({ id, event = "message", data }: EventSourceMessage): void {
  if (event === "tideway.gap") onGap(JSON.parse(data));
  else console.log(JSON.stringify({ id, event, data }));
  lastEventId = id ?? lastEventId;
}

/** Events were lost for good: an application would fetch the state of these topics anew. */
function onGap(gap: { reason: string; topics: string[] }): void {
  console.log(JSON.stringify({ gap }));
}

/**
 * Each stream opens with an id of the gateway's own, from which a stream resumes that has seen no event yet. It
 * stands alone, and the parser reports ids with their events only.
 */
function openingId(beginning: string): string | undefined {
  return /^id: (~.*)\n/m.exec(beginning)?.[1];
}

/** One stream; comes back when it ends. */
async function follow(topics: string[]): Promise<void> {
  const response = await request("/v1/stream", {
    headers: {
      accept: "text/event-stream",
      "x-sse-topic": topics.join(","),
      "x-sse-id": "example-typescript",
      ...(process.env.TIDEWAY_TOKEN && { authorization: `Bearer ${process.env.TIDEWAY_TOKEN}` }),
      ...(lastEventId && { "last-event-id": lastEventId }),
    },
  });
  console.error(`connected: ${response.headers.get("x-sse-connection-id")}`);
  failures = 0;
  const parser = createParser({ onEvent, onRetry: (ms) => (retryMs = ms) });
  const decoder = new TextDecoder();
  let beginning: string | undefined = "";
  for await (const bytes of response.body ?? []) {
    const text = decoder.decode(bytes, { stream: true });
    if (beginning !== undefined) {
      beginning += text;
      const id = openingId(beginning);
      if (id) [lastEventId, beginning] = [id, undefined];
    }
    parser.feed(text);
  }
}

await run(async (topics) => {
  for (;;) {
    try {
      await follow(topics);
      await backOff(retryMs, 0, "the stream ended");
    } catch (error) {
      if (error instanceof Refused || stop.aborted) throw error;
      await backOff(retryMs, failures++, error);
    }
  }
});
