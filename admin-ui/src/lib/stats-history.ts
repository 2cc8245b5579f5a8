/** Turns what nodes count into rates and keeps the last minutes of them, bounded: of each node and of all together. */
import type { GatewayNode, Stats } from "@/api/types";

export const SAMPLE_MS = 2000;
export const HISTORY_MS = 5 * 60_000;
/** A node says what it counted every second: after this long without a word its last figures are no longer true. */
export const SILENCE_MS_MAX = 6000;
/** How many nodes that are gone stay on the screen. */
const GONE_MAX = 20;

/**
 * Rates are null where no difference exists: at the first sample and after a restart of the gateway. While nothing is known,
 * everything is null: charts show a hole there.
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

const FIGURES = Object.keys(HOLE) as Array<keyof typeof HOLE>;

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

/** Nothing is known of this moment: the time goes on without figures. */
export function appendHole(history: History, at: number): History {
  if (history.samples.length === 0) return history;
  return { ...history, samples: withSample(history, { at, ...HOLE }) };
}

function withSample({ samples }: History, sample: Sample): readonly Sample[] {
  return [...samples.filter((old) => old.at > sample.at - HISTORY_MS - SAMPLE_MS), sample];
}

/** "silent": the cluster lists it, but it has not said what it counts for a while. "left" had been draining before. */
export type NodeState = "up" | "draining" | "silent" | "left" | "dead";

export interface KnownNode {
  node: GatewayNode;
  state: NodeState;
  history: History;
}

export interface ClusterHistory {
  /** Of all nodes together. `latest` adds their counters up; its `uptimeMs` is the longest. */
  total: History;
  /** By id; nodes that are gone stay, with when they were last heard. */
  nodes: readonly KnownNode[];
}

export const EMPTY_CLUSTER: ClusterHistory = { total: EMPTY_HISTORY, nodes: [] };

export function isPresent({ state }: KnownNode): boolean {
  return state !== "left" && state !== "dead";
}

/** `topics`: how many the cluster has; a topic that two nodes follow is counted by both. */
export function appendCluster(
  cluster: ClusterHistory,
  listed: readonly GatewayNode[],
  topics: number,
  at: number,
): ClusterHistory {
  const known = new Map(cluster.nodes.map((one) => [one.node.nodeId, one]));
  const present = listed.map((node) => heard(known.get(node.nodeId), node, at));
  const ids = new Set(listed.map((node) => node.nodeId));
  const gone = cluster.nodes
    .filter((one) => !ids.has(one.node.nodeId))
    .map((one) => missed(one, at))
    .sort((a, b) => b.history.latestAt - a.history.latestAt)
    .slice(0, GONE_MAX);
  const nodes = [...present, ...gone].sort(byId);
  const sample = { ...sumOf(nodes, at), topics };
  return {
    nodes,
    total: {
      samples: withSample(cluster.total, sample),
      latest: totalOf(present, topics),
      latestAt: at,
    },
  };
}

/** Redis is away, so one node alone says what it counts: nothing is known of the others, nor of all together. */
export function appendAlone(cluster: ClusterHistory, stats: Stats, at: number): ClusterHistory {
  const before = cluster.nodes.find(({ node }) => node.nodeId === stats.nodeId);
  const node: GatewayNode = {
    hostname: "",
    ip: "",
    version: "",
    state: "up",
    ...before?.node,
    nodeId: stats.nodeId,
    startedAt: stats.now - stats.uptimeMs,
    connectionCount: stats.streams,
    stats,
  };
  const others = cluster.nodes
    .filter((one) => one !== before)
    .map((one): KnownNode => {
      const state = isPresent(one) ? "silent" : one.state;
      return { ...one, state, history: appendHole(one.history, at) };
    });
  return {
    nodes: [...others, heard(before, node, at)].sort(byId),
    total: appendHole(cluster.total, at),
  };
}

function byId(a: KnownNode, b: KnownNode): number {
  return a.node.nodeId < b.node.nodeId ? -1 : 1;
}

/** Nobody answered. */
export function appendClusterHole(cluster: ClusterHistory, at: number): ClusterHistory {
  return {
    total: appendHole(cluster.total, at),
    nodes: cluster.nodes.map((one) => ({ ...one, history: appendHole(one.history, at) })),
  };
}

function heard(before: KnownNode | undefined, node: GatewayNode, at: number): KnownNode {
  const history = before?.history ?? EMPTY_HISTORY;
  const state = node.state === "draining" ? "draining" : "up";
  if (node.stats && node.stats.now !== history.latest?.now)
    return { node, state, history: appendSample(history, node.stats, at) };
  const last = history.samples.at(-1);
  if (last && at - history.latestAt <= SILENCE_MS_MAX)
    return {
      node,
      state,
      history: { ...history, samples: withSample(history, { ...last, at }) },
    };
  return { node, state: "silent", history: appendHole(history, at) };
}

function missed(one: KnownNode, at: number): KnownNode {
  const left = one.state === "draining" || one.state === "left";
  return { ...one, state: left ? "left" : "dead", history: appendHole(one.history, at) };
}

/** What is known, added up; null where nothing is. */
function sumOf(nodes: readonly KnownNode[], at: number): Sample {
  const sum: Sample = { at, ...HOLE };
  for (const { history } of nodes) {
    const last = history.samples.at(-1);
    for (const name of FIGURES) {
      const value = last?.[name] ?? null;
      if (value !== null) sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sum;
}

function totalOf(nodes: readonly KnownNode[], topics: number): Stats | null {
  let sum: Stats | null = null;
  for (const { history } of nodes) {
    if (history.latest) sum = sum ? added(sum, history.latest) : history.latest;
  }
  return sum && { ...sum, topics };
}

function added(a: Stats, b: Stats): Stats {
  const closes = { ...a.closes };
  for (const [reason, count] of Object.entries(b.closes))
    closes[reason] = (closes[reason] ?? 0) + count;
  return {
    nodeId: "",
    connections: a.connections + b.connections,
    streams: a.streams + b.streams,
    topics: a.topics + b.topics,
    publishesAccepted: a.publishesAccepted + b.publishesAccepted,
    publishesDropped: a.publishesDropped + b.publishesDropped,
    publishesRefused: a.publishesRefused + b.publishesRefused,
    deliveries: a.deliveries + b.deliveries,
    bytes: a.bytes + b.bytes,
    queuedBytes: a.queuedBytes + b.queuedBytes,
    closes,
    uptimeMs: Math.max(a.uptimeMs, b.uptimeMs),
    now: Math.max(a.now, b.now),
  };
}
