import { useEffect } from "react";
import type { Client } from "@/api/client";
import { appendHole, appendSample, EMPTY_HISTORY, SAMPLE_MS } from "./stats-history";
import { createStore } from "./store";

export interface Sampling {
  history: typeof EMPTY_HISTORY;
  error: Error | null;
}

/** Sampled on every tab, so that the charts have their minutes when the overview is opened. */
export const sampling = createStore<Sampling>({ history: EMPTY_HISTORY, error: null });

export function useStatsSampler(client: Client): void {
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    sampling.set({ history: EMPTY_HISTORY, error: null });

    async function sample() {
      const startedAt = Date.now();
      try {
        const stats = await client.stats(abort.signal);
        const { history } = sampling.get();
        sampling.set({ history: appendSample(history, stats, Date.now()), error: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        const failure = error instanceof Error ? error : new Error(String(error));
        sampling.set({ history: appendHole(sampling.get().history, Date.now()), error: failure });
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
