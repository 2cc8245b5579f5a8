import { describe, expect, it } from "vitest";
import type { Stats } from "@/api/types";
import { linePaths, niceCeiling, windowOf } from "@/components/chart";
import {
  appendAlone,
  appendCluster,
  appendHole,
  appendSample,
  EMPTY_CLUSTER,
  EMPTY_HISTORY,
  HISTORY_MS,
  SAMPLE_MS,
} from "@/lib/stats-history";

const ZERO: Stats = {
  nodeId: "n",
  connections: 0,
  streams: 0,
  topics: 0,
  publishesAccepted: 0,
  publishesDropped: 0,
  publishesRefused: 0,
  deliveries: 0,
  bytes: 0,
  queuedBytes: 0,
  closes: {},
  uptimeMs: 0,
  now: 0,
};

describe("appendSample", () => {
  it("has no rates at first, then those of the gateway's own clock", () => {
    const first = appendSample(EMPTY_HISTORY, { ...ZERO, uptimeMs: 1000 }, 10);
    expect(first.samples[0]).toMatchObject({ accepted: null, deliveries: null, streams: 0 });
    const stats = { ...ZERO, uptimeMs: 3000, publishesAccepted: 10, deliveries: 4000, streams: 7 };
    const second = appendSample(first, stats, 99);
    expect(second.samples[1]).toMatchObject({ at: 99, accepted: 5, deliveries: 2000, streams: 7 });
  });

  it("shows a gap, not a fall, after the gateway started anew", () => {
    const before = appendSample(EMPTY_HISTORY, { ...ZERO, uptimeMs: 9000, deliveries: 900 }, 1);
    const restarted = appendSample(before, { ...ZERO, uptimeMs: 500, deliveries: 3 }, 2);
    expect(restarted.samples[1]?.deliveries).toBeNull();
    const next = appendSample(restarted, { ...ZERO, uptimeMs: 1500, deliveries: 5 }, 3);
    expect(next.samples[2]?.deliveries).toBe(2);
  });

  it("leaves a hole where the gateway did not answer, and goes on behind it", () => {
    expect(appendHole(EMPTY_HISTORY, 1)).toBe(EMPTY_HISTORY);
    const before = appendSample(EMPTY_HISTORY, { ...ZERO, uptimeMs: 1000, streams: 3 }, 1000);
    const away = appendHole(appendHole(before, 3000), 5000);
    const back = appendSample(away, { ...ZERO, uptimeMs: 7000, streams: 4, deliveries: 12 }, 7000);
    expect(back.samples.map((sample) => sample.streams)).toEqual([3, null, null, 4]);
    expect(back.samples.at(-1)?.deliveries).toBe(2);
    expect(away.latestAt).toBe(1000);
    const points = back.samples.map(({ at, streams }) =>
      streams === null ? null : { x: at, y: streams },
    );
    expect(linePaths(points)).toHaveLength(2);
  });

  it("keeps the last minutes and no more", () => {
    let history = EMPTY_HISTORY;
    const count = (2 * HISTORY_MS) / SAMPLE_MS;
    for (let n = 1; n <= count; n++) {
      history = appendSample(history, { ...ZERO, uptimeMs: n * SAMPLE_MS }, n * SAMPLE_MS);
    }
    expect(history.samples.length).toBeLessThanOrEqual(HISTORY_MS / SAMPLE_MS + 1);
    expect(windowOf(history.samples)).toBe(HISTORY_MS);
  });
});

describe("a cluster", () => {
  const node = (nodeId: string, stats: Partial<Stats> | null, state = "up") => ({
    nodeId,
    hostname: "h",
    ip: "i",
    startedAt: 0,
    version: "v",
    connectionCount: 0,
    state,
    stats: stats && { ...ZERO, nodeId, ...stats },
  });

  it("is the sum of its nodes, in streams and in rates, but for topics", () => {
    const at = (now: number, a: number, b: number) => [
      node("a", { now, uptimeMs: now, streams: 100, topics: 3, publishesAccepted: a }),
      node("b", { now, uptimeMs: now + 500, streams: 200, topics: 3, publishesAccepted: b }),
    ];
    const first = appendCluster(EMPTY_CLUSTER, at(1000, 0, 7), 4, 1000);
    const second = appendCluster(first, at(3000, 10, 47), 4, 3000);
    expect(second.total.samples.at(-1)).toMatchObject({ streams: 300, topics: 4, accepted: 25 });
    expect(second.total.latest).toMatchObject({ streams: 300, publishesAccepted: 57, topics: 4 });
    expect(second.nodes[0]?.history.samples.at(-1)).toMatchObject({ streams: 100, accepted: 5 });
  });

  it("says of a node that is silent, dead or left, and since when", () => {
    const listed = (now: number) => [
      node("a", { now, uptimeMs: now, streams: 1 }),
      node("b", { now: 1, uptimeMs: 1, streams: 5 }),
      node("c", { now: 1, uptimeMs: 1 }, "draining"),
    ];
    let cluster = appendCluster(EMPTY_CLUSTER, listed(1), 0, 1000);
    cluster = appendCluster(cluster, listed(2), 0, 3000);
    expect(cluster.total.samples.at(-1)?.streams).toBe(6);
    cluster = appendCluster(cluster, listed(9), 0, 9000);
    expect(cluster.nodes.map(({ state }) => state)).toEqual(["up", "silent", "silent"]);
    expect(cluster.total.samples.at(-1)?.streams).toBe(1);
    const draining = appendCluster(EMPTY_CLUSTER, listed(1), 0, 1000);
    const gone = appendCluster(draining, listed(2).slice(0, 1), 0, 3000);
    expect(gone.nodes.map(({ state }) => state)).toEqual(["up", "dead", "left"]);
    expect(gone.nodes[1]?.history.latestAt).toBe(1000);
    expect(gone.nodes[1]?.history.samples.at(-1)?.streams).toBeNull();
  });

  it("has a hole in its sums while one node speaks alone", () => {
    const both = [node("a", { now: 1, uptimeMs: 1 }), node("b", { now: 1, uptimeMs: 1 })];
    const before = appendCluster(EMPTY_CLUSTER, both, 0, 1000);
    const alone = appendAlone(before, { ...ZERO, nodeId: "a", now: 2, streams: 3 }, 3000);
    expect(alone.total.samples.at(-1)?.streams).toBeNull();
    expect(alone.nodes[0]).toMatchObject({ state: "up", node: { hostname: "h" } });
    expect(alone.nodes[0]?.history.samples.at(-1)?.streams).toBe(3);
    expect(alone.nodes[1]?.state).toBe("silent");
  });
});

describe("chart arithmetic", () => {
  it.each([
    [0, 1],
    [1, 1],
    [1.2, 2],
    [30, 50],
    [50, 50],
    [51, 100],
    [123_456, 200_000],
  ])("the axis for %d ends at %d", (value, ceiling) => {
    expect(niceCeiling(value)).toBe(ceiling);
  });

  it("breaks the line where values are missing", () => {
    const at = (x: number) => ({ x, y: 1 });
    expect(linePaths([at(1), at(2), null, at(4), null])).toEqual([
      "M1.0 1.0L2.0 1.0",
      "M4.0 1.0L4.0 1.0",
    ]);
    expect(linePaths([null, null])).toEqual([]);
  });
});
