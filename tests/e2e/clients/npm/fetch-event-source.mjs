/** `@microsoft/fetch-event-source`, which is made for browsers: node fetch-event-source.mjs URL */

import { show } from "./show.mjs";

globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
globalThis.window = globalThis;
const { fetchEventSource } = await import("@microsoft/fetch-event-source");

await fetchEventSource(process.argv[2], {
  openWhenHidden: true,
  fetch,
  onmessage: show,
  onerror: (error) => console.error(String(error)),
  onclose: () => {
    throw new Error("the stream ended"); // otherwise the library takes that for the end, and does not reconnect
  },
});
