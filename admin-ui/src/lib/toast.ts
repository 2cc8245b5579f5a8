import { createStore } from "./store";

export interface Toast {
  id: number;
  text: string;
}

const SHOWN_MS = 6000;
let nextId = 0;

/** The one message at the foot of the page; a newer one takes its place. */
export const toast = createStore<Toast | null>(null);

export function showToast(text: string): void {
  const id = nextId++;
  toast.set({ id, text });
  setTimeout(() => {
    if (toast.get()?.id === id) toast.set(null);
  }, SHOWN_MS);
}
