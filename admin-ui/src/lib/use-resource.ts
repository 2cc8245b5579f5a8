/** Loads something by a key, loads it again every `intervalMs` while live and visible, and never two times at once. */
import { useCallback, useEffect, useRef, useState } from "react";
import { live } from "./live";
import { useStore } from "./store";

export interface Resource<T> {
  /** The last successful answer. While another key loads it is that of the key before: see `stale`. */
  data: T | null;
  /** The browser's time when `data` came; 0: it did not. */
  at: number;
  error: Error | null;
  /** `data` belongs to an earlier key: show it dimmed rather than nothing. */
  stale: boolean;
  loading: boolean;
  refresh: () => void;
}

interface Settled<T> {
  key: string;
  data: T | null;
  at: number;
  error: Error | null;
}

/** A null key loads nothing. */
export function useResource<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  intervalMs: number,
): Resource<T> {
  const isLive = useStore(live);
  const [settled, setSettled] = useState<Settled<T> | null>(null);
  const [loading, setLoading] = useState(true);
  const loadRef = useRef(load);
  loadRef.current = load;
  const loadNow = useRef<() => void>(() => {});
  const liveRef = useRef(isLive);

  useEffect(() => {
    if (key === null) {
      loadNow.current = () => {};
      return;
    }
    const loadedKey = key;
    let abort: AbortController | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function schedule() {
      clearTimeout(timer);
      if (document.hidden) return;
      timer = setTimeout(() => {
        if (liveRef.current) void run();
      }, intervalMs);
    }

    async function run() {
      clearTimeout(timer);
      abort?.abort();
      const mine = new AbortController();
      abort = mine;
      setLoading(true);
      try {
        const data = await loadRef.current(mine.signal);
        if (!mine.signal.aborted) setSettled({ key: loadedKey, data, at: Date.now(), error: null });
      } catch (error) {
        if (mine.signal.aborted) return;
        const failure = error instanceof Error ? error : new Error(String(error));
        setSettled((last) => ({
          key: loadedKey,
          data: last?.key === loadedKey ? last.data : null,
          at: last?.key === loadedKey ? last.at : 0,
          error: failure,
        }));
      }
      if (mine.signal.aborted) return;
      abort = null;
      setLoading(false);
      schedule();
    }

    function onVisibility() {
      if (document.hidden) clearTimeout(timer);
      else if (liveRef.current && abort === null) void run();
    }

    loadNow.current = () => void run();
    document.addEventListener("visibilitychange", onVisibility);
    void run();
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      clearTimeout(timer);
      abort?.abort();
    };
  }, [key, intervalMs]);

  // A timer that fires while paused does nothing; going live again loads at once.
  useEffect(() => {
    const resumed = isLive && !liveRef.current;
    liveRef.current = isLive;
    if (resumed) loadNow.current();
  }, [isLive]);

  const refresh = useCallback(() => loadNow.current(), []);
  const current = settled?.key === key;
  return {
    data: settled?.data ?? null,
    at: settled?.at ?? 0,
    error: current ? (settled?.error ?? null) : null,
    stale: settled !== null && !current,
    loading,
    refresh,
  };
}
