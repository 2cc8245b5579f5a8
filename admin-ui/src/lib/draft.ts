/** The publish dialog from anywhere in the page: whether it is open, and what was written in it and not published. */
import { createStore } from "./store";

export interface Draft {
  topics: string;
  event: string;
  payload: string;
}

export const publishing = createStore(false);

/** Null: nothing was written, or it was published. Outlives the dialog, so that Escape loses nothing. */
export const draft = createStore<Draft | null>(null);

export function openPublish(content: Draft): void {
  draft.set(content);
  publishing.set(true);
}
