/** The events that a live tail holds in the browser: newest first, bounded by count and by size. */
import type { TailEvent } from "@/api/types";

export const TAIL_EVENTS_MAX = 500;
export const TAIL_CHARS_MAX = 8 * 1024 * 1024;

/** A gap is the gateway's word that events between its neighbours are lost to this tail. */
export type TailEntry =
  | { kind: "event"; key: number; event: TailEvent }
  | { kind: "gap"; key: number; reason: string };

export interface TailBuffer {
  entries: readonly TailEntry[];
  /** How many came in all, shown or already let go. */
  received: number;
  nextKey: number;
}

export const EMPTY_TAIL: TailBuffer = { entries: [], received: 0, nextKey: 0 };

export type TailArrival = { event: TailEvent } | { gap: string };

/** Adds arrivals, oldest first. */
export function appendTail(buffer: TailBuffer, arrivals: readonly TailArrival[]): TailBuffer {
  if (arrivals.length === 0) return buffer;
  const fresh = arrivals.map((arrival, index): TailEntry => {
    const key = buffer.nextKey + index;
    return "gap" in arrival
      ? { kind: "gap", key, reason: arrival.gap }
      : { kind: "event", key, event: arrival.event };
  });
  return {
    entries: bounded([...fresh.reverse(), ...buffer.entries]),
    received: buffer.received + fresh.filter((entry) => entry.kind === "event").length,
    nextKey: buffer.nextKey + arrivals.length,
  };
}

function bounded(entries: TailEntry[]): TailEntry[] {
  let chars = 0;
  for (const [index, entry] of entries.entries()) {
    chars += entry.kind === "event" ? entry.event.payload.length : 0;
    // The newest stays whatever its size: a tail that shows nothing would look broken.
    if (index === TAIL_EVENTS_MAX || (index > 0 && chars > TAIL_CHARS_MAX)) {
      return entries.slice(0, index);
    }
  }
  return entries;
}

/** Everything in `text` must stand in id, type or payload, in any case. */
export function matchesFilter(event: TailEvent, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const hay = `${event.id}\n${event.event ?? ""}\n${event.payload}`.toLowerCase();
  return words.every((word) => hay.includes(word));
}
