/** A page turn among a hundred thousand connections, from the click to the rows on the screen. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { startGateway, startPeer } from "./gateway.mjs";
import { until } from "./wait.mjs";

const STREAMS = 100_000;
const STREAMS_PER_CONNECTION = 20_000;
const TURNS = 15;
const TURN_MS_MAX = 200;
const TOPICS = Array.from({ length: 500 }, (_, n) => `scale.${n}`);

/** Runs in the page: clicks a button and gives the time until other rows have been painted. */
async function timeTurn(buttonName) {
  const firstId = () => document.querySelector("tbody tr td button span")?.textContent;
  const button = document.querySelector(`button[aria-label="${buttonName}"]`);
  const before = firstId();
  const startedAt = performance.now();
  button.click();
  await new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (firstId() === before) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(resolve));
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  return performance.now() - startedAt;
}

describe("a hundred thousand connections", () => {
  let browser, gateway, peer;

  before(async () => {
    gateway = await startGateway({
      options: { MAX_STREAMS_PER_CONNECTION: STREAMS_PER_CONNECTION },
    });
    peer = startPeer(gateway);
    await peer.open(STREAMS, TOPICS);
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await peer?.stop();
    await gateway?.stop();
  });

  test("a page turns in less than 200 ms", async (context) => {
    const page = await openPage(browser, gateway);
    await page.signIn("/connections");
    await until("the count", async () =>
      (await page.getByTestId("row-range").textContent()).endsWith(STREAMS.toLocaleString("en")),
    );
    const times = [];
    for (const name of ["Last page", "Previous page", ...Array(TURNS).fill("Previous page")]) {
      times.push(await page.evaluate(timeTurn, name));
    }
    const slowest = Math.max(...times);
    const median = [...times].sort((a, b) => a - b)[times.length >> 1];
    context.diagnostic(
      `page turns: median ${median.toFixed(0)} ms, slowest ${slowest.toFixed(0)} ms`,
    );
    assert.ok(median < TURN_MS_MAX, `median ${median} ms of ${times.map(Math.round)}`);
    assert.ok(slowest < TURN_MS_MAX, `slowest ${slowest} ms of ${times.map(Math.round)}`);
    await page.finish();
  });
});
