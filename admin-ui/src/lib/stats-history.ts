/** Turns the gateway's counters into rates and keeps the last minutes of them, bounded. */
import type { Stats } from "@/api/types";

export const SAMPLE_MS = 2000;
export const HISTORY_MS = 5 * 60_000;

/**
 * Rates are null where no difference exists: at the first sample and after a restart of the gateway. While the gateway does
 * not answer, everything is null: charts show a hole there.
 */
export interface Sample {
  /** The browser's time in ms, so that the axis ends at "now" even if the clocks differ. */
  at: number;
  streams: number | null;
  connections: number | null;
  topics: number | null;
  accepted: number | null;
  dropped: number | null;
  refused: number | null;
  deliveries: number | null;
  bytes: number | null;
}

export interface History {
  samples: readonly Sample[];
  latest: Stats | null;
  /** The browser's time of `latest`; 0: there is none. */
  latestAt: number;
}

export const EMPTY_HISTORY: History = { samples: [], latest: null, latestAt: 0 };

const HOLE: Omit<Sample, "at"> = {
  streams: null,
  connections: null,
  topics: null,
  accepted: null,
  dropped: null,
  refused: null,
  deliveries: null,
  bytes: null,
};

export function appendSample(history: History, stats: Stats, at: number): History {
  const before = history.latest;
  const elapsedMs = before ? stats.uptimeMs - before.uptimeMs : 0;
  const rate = (pick: (stats: Stats) => number): number | null => {
    if (!before || elapsedMs <= 0) return null;
    const difference = pick(stats) - pick(before);
    return difference < 0 ? null : (difference * 1000) / elapsedMs;
  };
  const sample: Sample = {
    at,
    streams: stats.streams,
    connections: stats.connections,
    topics: stats.topics,
    accepted: rate((s) => s.publishesAccepted),
    dropped: rate((s) => s.publishesDropped),
    refused: rate((s) => s.publishesRefused),
    deliveries: rate((s) => s.deliveries),
    bytes: rate((s) => s.bytes),
  };
  return { samples: withSample(history, sample), latest: stats, latestAt: at };
}

/** The gateway did not answer: the time goes on without figures. */
export function appendHole(history: History, at: number): History {
  if (history.samples.length === 0) return history;
  return { ...history, samples: withSample(history, { at, ...HOLE }) };
}

function withSample({ samples }: History, sample: Sample): readonly Sample[] {
  return [...samples.filter((old) => old.at > sample.at - HISTORY_MS - SAMPLE_MS), sample];
}
