import { useSyncExternalStore } from "react";
import { formatRelative } from "./format";
import { createStore } from "./store";

/** One timer for every relative time on the screen; it runs only while somebody looks at one. */
const now = createStore(Date.now());
let followers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  if (followers++ === 0) {
    now.set(Date.now());
    timer = setInterval(() => now.set(Date.now()), 1000);
  }
  const unsubscribe = now.subscribe(listener);
  return () => {
    unsubscribe();
    if (--followers === 0) clearInterval(timer);
  };
}

/** Renders again only when the words change, not with every tick. */
export function useRelative(at: number): string {
  return useSyncExternalStore(subscribe, () => formatRelative(at, now.get()));
}
