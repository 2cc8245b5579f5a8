/** A page turn among a hundred thousand connections, from the click to the rows on the screen. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { startGateway, startPeer } from "./gateway.mjs";
import { until } from "./wait.mjs";

const STREAMS = 100_000;
const STREAMS_PER_CONNECTION = 20_000;
const ROUNDS = 6;
const TURNS = 5;
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

  test("pages turn; the time is told, and bounded with TIDEWAY_TIME_LIMITS=1", async (context) => {
    const page = await openPage(browser, gateway);
    await page.signIn("/connections");
    await until("the count", async () =>
      (await page.getByTestId("row-range").textContent()).endsWith(STREAMS.toLocaleString("en")),
    );
    // Other programs' work is in these times too: the quietest round is the one that tells most of our own.
    const medians = [];
    await page.evaluate(timeTurn, "Last page");
    for (let round = 0; round < ROUNDS; round++) {
      const times = [];
      for (let turn = 0; turn < TURNS; turn++) {
        times.push(await page.evaluate(timeTurn, "Previous page"));
      }
      medians.push(Math.round(times.sort((a, b) => a - b)[TURNS >> 1]));
    }
    context.diagnostic(`page turn, medians of ${TURNS}: ${medians.join(", ")} ms`);
    // A busy machine is no defect of the UI: the bound is held where times mean something.
    if (process.env.TIDEWAY_TIME_LIMITS === "1") {
      assert.ok(Math.min(...medians) < TURN_MS_MAX, `medians ${medians} ms`);
    }
    await page.finish();
  });
});
