import { useEffect } from "react";
import { ApiError, type Client } from "@/api/client";
import {
  appendAlone,
  appendCluster,
  appendClusterHole,
  type ClusterHistory,
  EMPTY_CLUSTER,
  SAMPLE_MS,
} from "./stats-history";
import { createStore } from "./store";

export interface Sampling {
  history: ClusterHistory;
  error: Error | null;
  /** The node whose figures these are alone, because the others cannot be asked: Redis is away. Null: all nodes. */
  alone: string | null;
}

const NOTHING: Sampling = { history: EMPTY_CLUSTER, error: null, alone: null };

/** Sampled on every tab, so that the charts have their minutes when the overview is opened. */
export const sampling = createStore<Sampling>(NOTHING);

async function sampleOf(client: Client, before: Sampling, signal: AbortSignal): Promise<Sampling> {
  try {
    const [nodes, topics] = await Promise.all([
      client.nodes(signal),
      client.topics({ page: 1, pageSize: 1 }, signal),
    ]);
    const history = appendCluster(before.history, nodes, topics.total, Date.now());
    return { history, error: null, alone: null };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 503) throw error;
    const stats = await client.stats(signal);
    const history = appendAlone(before.history, stats, Date.now());
    return { history, error: null, alone: stats.nodeId };
  }
}

export function useStatsSampler(client: Client): void {
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    sampling.set(NOTHING);

    async function sample() {
      const startedAt = Date.now();
      const before = sampling.get();
      try {
        sampling.set(await sampleOf(client, before, abort.signal));
      } catch (error) {
        if (abort.signal.aborted) return;
        const failure = error instanceof Error ? error : new Error(String(error));
        sampling.set({
          ...before,
          history: appendClusterHole(before.history, Date.now()),
          error: failure,
        });
      }
      timer = setTimeout(sample, Math.max(0, SAMPLE_MS - (Date.now() - startedAt)));
    }

    void sample();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [client]);
}
