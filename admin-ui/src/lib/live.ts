import { createStore } from "./store";

/** Whether lists and charts refresh by themselves; one switch for all tabs, so that a paused view stays paused. */
export const live = createStore(true);
