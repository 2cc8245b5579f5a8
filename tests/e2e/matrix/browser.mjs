/**
 * Drives the example page in Chromium by the command line of the other examples:
 * node browser.mjs publish|subscribe TOPIC...
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { launch } from "../ui/browser.mjs";

const FOLDER = new URL("../../../examples/browser/", import.meta.url);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const { TIDEWAY_URL, TIDEWAY_API_KEY, EVENT_TYPE } = process.env;
const [verb, ...topics] = process.argv.slice(2);

/** Any static server will do. */
function serve() {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    const body = await readFile(fileURLToPath(new URL(name, FOLDER))).catch(() => null);
    response.writeHead(body ? 200 : 404, { "content-type": TYPES[extname(name)] ?? "text/plain" });
    response.end(body);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function print(value) {
  process.stdout.write(typeof value === "string" ? `${value}\n` : `${JSON.stringify(value)}\n`);
}

/** In the page: reports each row that is added to the table. */
function watchRows() {
  const observer = new MutationObserver((mutations) => {
    for (const row of mutations.flatMap(({ addedNodes }) => [...addedNodes])) {
      const [id, event, data] = [...row.cells].map((cell) => cell.textContent);
      const [, reason, lost] = /^(\w+): (.*)$/.exec(data) ?? [];
      if (row.className === "gap") globalThis.print({ gap: { reason, topics: lost.split(", ") } });
      else globalThis.print({ id, event, data });
    }
  });
  addEventListener("DOMContentLoaded", () => {
    observer.observe(document.querySelector("#events"), { childList: true });
  });
}

/** In the page: fills the form in, submits it, and returns the answer. */
function submit(fields) {
  const form = document.querySelector("#publish");
  const answer = document.querySelector("#answer");
  for (const [name, value] of Object.entries(fields)) form.elements[name].value = value;
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      observer.disconnect();
      resolve(answer.textContent);
    });
    answer.textContent = "";
    observer.observe(answer, { childList: true });
    form.requestSubmit();
  });
}

const server = await serve();
const browser = await launch({ handleSIGINT: false });
const stopped = new Promise((resolve) => process.once("SIGINT", resolve));
const page = await browser.newPage({ ignoreHTTPSErrors: true });
page.on("pageerror", (error) => console.error(error));
await page.exposeFunction("print", print);
await page.addInitScript(watchRows);

const query = new URLSearchParams([
  ["gateway", TIDEWAY_URL],
  ["event", EVENT_TYPE],
]);
if (verb === "subscribe") for (const topic of topics) query.append("topic", topic);
await page.goto(`http://127.0.0.1:${server.address().port}/?${query}`);

async function publishLines() {
  await page.fill("[name=topics]", topics.join(","));
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, event = "", data } = JSON.parse(line);
    print(await page.evaluate(submit, { key: TIDEWAY_API_KEY, id, event, data }));
  }
}

await Promise.race([stopped, ...(verb === "publish" ? [publishLines()] : [])]);
await browser.close();
server.close();
process.exit(0);
