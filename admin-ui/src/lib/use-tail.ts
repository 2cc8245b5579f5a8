/** Follows one topic: the kept events first, then each as it is published, resuming after every break. */
import { useEffect, useState } from "react";
import { ApiError, type Client } from "@/api/client";
import type { SseMessage } from "@/api/sse";
import { TAIL_LIMIT_MAX, tailEventShape } from "@/api/types";
import { appendTail, EMPTY_TAIL, type TailArrival, type TailBuffer } from "./tail-buffer";

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
/** Arrivals are shown in batches, so that a burst costs a few renderings rather than one each. */
const BATCH_MS = 100;

export type TailStatus =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "retrying"; error: Error }
  /** The gateway will never answer otherwise: nothing is tried again. */
  | { state: "refused"; error: ApiError };

export interface LiveTail {
  buffer: TailBuffer;
  status: TailStatus;
  clear: () => void;
}

function arrivalOf(message: SseMessage): TailArrival | null {
  const body: unknown = JSON.parse(message.data);
  if (message.event === "tideway.gap") {
    const reason = (body as { reason?: unknown } | null)?.reason;
    return { gap: typeof reason === "string" ? reason : "unknown" };
  }
  return message.event === "tideway.event" ? { event: tailEventShape(body, "event") } : null;
}

export function useTail(client: Client, topic: string): LiveTail {
  const [buffer, setBuffer] = useState(EMPTY_TAIL);
  const [status, setStatus] = useState<TailStatus>({ state: "connecting" });

  useEffect(() => {
    const abort = new AbortController();
    // Null as long as the topic has no events: the stream then begins with whatever is kept by then.
    let lastPosition: string | null = null;
    let pending: TailArrival[] = [];
    let flushTimer: ReturnType<typeof setTimeout> | undefined;
    let retryMs = RETRY_MS_MIN;
    setBuffer(EMPTY_TAIL);
    setStatus({ state: "connecting" });

    function flush() {
      clearTimeout(flushTimer);
      flushTimer = undefined;
      const batch = pending;
      pending = [];
      if (batch.length > 0) setBuffer((held) => appendTail(held, batch));
    }

    async function lookAtTail() {
      const { events } = await client.tail(topic, TAIL_LIMIT_MAX, abort.signal);
      pending.push(...events.map((event) => ({ event })));
      lastPosition = events.at(-1)?.position ?? lastPosition;
      flush();
    }

    async function follow() {
      await client.tailStream(
        topic,
        lastPosition,
        {
          open: () => {
            retryMs = RETRY_MS_MIN;
            setStatus({ state: "live" });
          },
          message: (message) => {
            if (message.id !== null) lastPosition = message.id;
            const arrival = arrivalOf(message);
            if (!arrival) return;
            pending.push(arrival);
            flushTimer ??= setTimeout(flush, BATCH_MS);
          },
        },
        abort.signal,
      );
    }

    async function run() {
      let looked = false;
      while (!abort.signal.aborted) {
        try {
          if (!looked) await lookAtTail();
          looked = true;
          await follow();
          setStatus({ state: "connecting" });
        } catch (error) {
          if (abort.signal.aborted) return;
          if (error instanceof ApiError && isFinal(error.status)) {
            setStatus({ state: "refused", error });
            return;
          }
          setStatus({
            state: "retrying",
            error: error instanceof Error ? error : new Error(String(error)),
          });
        }
        await pause(retryMs, abort.signal);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }

    void run();
    return () => {
      abort.abort();
      clearTimeout(flushTimer);
    };
  }, [client, topic]);

  return { buffer, status, clear: () => setBuffer((held) => ({ ...held, entries: [] })) };
}

/** Whether the same request would be refused again: a wrong topic or key, not a busy gateway. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** Ends early, without an error, when the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
