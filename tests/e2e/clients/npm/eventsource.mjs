/** npm's `eventsource`: node eventsource.mjs URL */

import { EventSource } from "eventsource";
import { show, TYPES } from "./show.mjs";

const source = new EventSource(process.argv[2]);
for (const type of TYPES) source.addEventListener(type, show);
source.onerror = (error) =>
  console.error(error.message, error.code ?? "", "state", source.readyState);
