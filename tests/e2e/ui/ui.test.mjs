import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { startGateway, startPeer } from "./gateway.mjs";
import { until } from "./wait.mjs";

const STREAMS = 2000;
const TOPICS = Array.from({ length: 40 }, (_, n) => `load.${String(n).padStart(2, "0")}`);
const UNAUTHORIZED = /status of 401/;

describe("the admin UI of a running gateway", () => {
  let browser, gateway, peer;
  const pages = [];

  async function newPage(options) {
    const page = await openPage(browser, gateway, options);
    pages.push(page);
    return page;
  }

  /** Runs a test with a page of its own that is signed in at `path`, and closes it with its checks. */
  const signedIn = (path, run, options) => async () => {
    const page = await openPage(browser, gateway, options);
    try {
      await page.signIn(path);
      await run(page);
    } catch (error) {
      await page.context().close();
      throw error;
    }
    await page.finish();
  };

  const rowRange = (page) => page.getByTestId("row-range").textContent();
  const showsRange = (page, text) =>
    until(`rows ${text}`, async () => (await rowRange(page)) === text);
  const search = (page, what) => page.getByRole("textbox", { name: `Search ${what}` });
  const rows = (page) => page.locator("tbody tr");

  before(async () => {
    gateway = await startGateway();
    peer = startPeer(gateway);
    browser = await launch();
    await peer.open(STREAMS, TOPICS, "swarm");
  });

  after(async () => {
    await Promise.all(pages.map((page) => page.context().close()));
    await browser?.close();
    await peer?.stop();
    await gateway?.stop();
  });

  test("a wrong key is said so and kept nowhere", async () => {
    const page = await newPage({ expected: [UNAUTHORIZED] });
    await page.open("/topics");
    await page.getByLabel("API key").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("does not know this key").waitFor();
    assert.equal(await page.storedItems(), 0);
    await page.getByLabel("API key").fill(gateway.key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Topics" }).waitFor();
    await page.finish();
  });

  test("the key lives in localStorage only and outlives a reload until sign out", async () => {
    const page = await newPage();
    await page.signIn("/");
    await page.waitForURL("**/admin/overview");
    assert.deepEqual(await page.context().cookies(), []);
    const stored = await page.evaluate(() => Object.values({ ...localStorage }));
    assert.deepEqual(stored, [gateway.key]);

    await page.reload();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.getByRole("button", { name: /^Theme/ }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    assert.equal(await page.storedItems(), 0);
    await page.reload();
    await page.getByLabel("API key").waitFor();
    await page.finish();
  });

  test(
    "every tab has an address that a reload and the back button keep",
    signedIn("/overview", async (page) => {
      const views = page.getByRole("navigation", { name: "Views" });
      for (const [name, path] of [
        ["Topics", "/admin/topics"],
        ["Connections", "/admin/connections"],
        ["Tail Events", "/admin/tail"],
        ["Overview", "/admin/overview"],
      ]) {
        await views.getByRole("link", { name }).click();
        await page.getByRole("heading", { name, level: 1 }).waitFor();
        assert.equal(new URL(page.url()).pathname, path);
        await page.reload();
        await page.getByRole("heading", { name, level: 1 }).waitFor();
        assert.equal(await views.getByRole("link", { name }).getAttribute("aria-current"), "page");
        assert.match(await page.title(), new RegExp(`^${name}`));
      }
      await page.goBack();
      await page.getByRole("heading", { name: "Tail Events" }).waitFor();
      await page.open("/no/such/view");
      await page.getByText("There is nothing at this address").waitFor();
    }),
  );

  test(
    "the overview shows what the gateway counts and its nodes",
    signedIn("/overview", async (page) => {
      const panel = (name) => page.getByRole("region", { name, exact: true });
      const before = Number(await panel("Topics").locator("p").first().textContent());
      assert.equal(before, TOPICS.length);
      await panel("Streams").getByText("2,000", { exact: true }).waitFor();
      await panel("Nodes").getByText("up", { exact: true }).waitFor();
      await peer.publish(TOPICS[0], "rate-1", "x");
      for (let n = 0; n < 5; n++) await peer.publish(TOPICS[0], "~refused", "x");
      await panel("Publishes")
        .getByRole("img", { name: /highest 0\.\d|highest [1-9]/ })
        .waitFor();
      await panel("Dropped and refused")
        .getByRole("img", { name: /Refused: now .*highest (0\.\d|[1-9])/ })
        .waitFor();
      await panel("Deliveries")
        .getByRole("img", { name: /highest [1-9]/ })
        .waitFor();
    }),
  );

  test(
    "two thousand connections are read page by page",
    signedIn("/connections", async (page) => {
      await showsRange(page, "1–100 of 2,000");
      await page.getByRole("button", { name: "Rows after these" }).click();
      await showsRange(page, "101–200 of 2,000");
      await page.getByRole("button", { name: "Rows before these" }).click();
      await showsRange(page, "1–100 of 2,000");
      await page.getByRole("button", { name: "Next page" }).click();
      await showsRange(page, "101–200 of 2,000");
      assert.equal(new URL(page.url()).search, "?page=2");
      await page.getByRole("textbox", { name: "Page" }).fill("7");
      await page.keyboard.press("Enter");
      await showsRange(page, "601–700 of 2,000");

      await page.getByLabel("Rows per page").selectOption("500");
      await showsRange(page, "501–1,000 of 2,000");
      await page.getByRole("button", { name: "First page" }).click();
      const ids = new Set();
      for (let first = 1; first <= STREAMS; first += 500) {
        await showsRange(
          page,
          `${first.toLocaleString("en")}–${(first + 499).toLocaleString("en")} of 2,000`,
        );
        await until("500 rows", async () => (await rows(page).count()) === 500);
        for (const id of await rows(page)
          .locator("td:first-child button span:first-child")
          .allTextContents()) {
          ids.add(id);
        }
        const next = page.getByRole("button", { name: "Next page" });
        if (await next.isEnabled()) await next.click();
      }
      assert.equal(ids.size, STREAMS);
      await page.open("/connections?page=99");
      await page.getByRole("button", { name: "Go to the last page" }).click();
      await showsRange(page, "1,901–2,000 of 2,000");
    }),
  );

  test(
    "connections are found by the beginning of their ID and by topic",
    signedIn("/connections", async (page) => {
      const id = await rows(page).first().locator("button span").first().textContent();
      await search(page, "connections by ID").pressSequentially(id);
      await showsRange(page, "1–1 of 1");
      await search(page, "connections by ID").press("Escape");
      await showsRange(page, "1–100 of 2,000");

      await page.getByRole("combobox", { name: "Filter by topic" }).pressSequentially("load.07");
      await page.getByRole("option", { name: /load\.07/ }).waitFor();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await showsRange(page, "1–50 of 50");
      await search(page, "connections by ID").fill("nobody");
      await page.getByText("Nothing fits “nobody” and “load.07” right now.").waitFor();
      assert.equal(
        await page.getByRole("combobox", { name: "Filter by topic" }).inputValue(),
        "load.07",
      );
      await page.getByRole("button", { name: "Clear the filter" }).click();
      await showsRange(page, "1–100 of 2,000");
      await page.getByLabel("Find connections of a subject", { exact: true }).fill("user-7");
      await page.getByText("Nothing fits “user-7” right now.").waitFor();
      assert.equal(new URL(page.url()).search, "?subject=user-7");
    }),
  );

  test(
    "topics are found as one types, and lead to their tail and connections",
    signedIn("/topics", async (page) => {
      await showsRange(page, "1–40 of 40");
      const box = search(page, "topics by prefix");
      await box.pressSequentially("load.1");
      await showsRange(page, "1–10 of 10");
      await page.getByRole("link", { name: "50 connections of load.13" }).click();
      await showsRange(page, "1–50 of 50");
      assert.equal(new URL(page.url()).search, "?topic=load.13");
      await page.goBack();
      await page.getByRole("link", { name: "load.13", exact: true }).click();
      await page.getByRole("region", { name: "Events of load.13" }).waitFor();
      await page.goBack();
      assert.equal(await box.inputValue(), "load.1");
      await box.fill("zzz");
      await page.getByText("No topic starts with “zzz”").waitFor();
      await page.getByRole("button", { name: "Clear the search" }).click();
      await showsRange(page, "1–40 of 40");
    }),
  );

  test(
    "a tail shows what another process publishes, as it does",
    signedIn("/tail?topic=load.21", async (page) => {
      const events = page.getByRole("list", { name: "Events, newest first" }).getByRole("listitem");
      await page.getByText("Live", { exact: true }).waitFor();
      await peer.publish(
        "load.21",
        "first-id",
        '{"a":{"b":[1,2]},"n":12345678901234567890}',
        "order.paid",
      );
      await events.getByText("first-id").waitFor();
      await events.getByText("order.paid").waitFor();

      await events.getByRole("button", { expanded: false }).first().click();
      const laidOut =
        '{\n  "a": {\n    "b": [\n      1,\n      2\n    ]\n  },\n  "n": 12345678901234567890\n}';
      assert.equal(await events.locator("pre").textContent(), laidOut);
      await page.getByRole("button", { name: "Show as sent" }).click();
      assert.match(await events.locator("pre").textContent(), /^\{"a"/);
      await page.getByRole("button", { name: "Copy payload of first-id" }).click();
      const copied = await until("the clipboard", () =>
        page.evaluate(() => navigator.clipboard.readText()),
      );
      assert.equal(copied, '{"a":{"b":[1,2]},"n":12345678901234567890}');

      await page.getByRole("button", { name: "Pause" }).click();
      for (const n of [2, 3]) await peer.publish("load.21", `id-${n}`, `text ${n}`);
      await page.getByText("2 newer events").waitFor();
      assert.equal(await events.count(), 1);
      await page.getByRole("button", { name: "Resume", exact: true }).click();
      await until("three events", async () => (await events.count()) === 3);
      assert.match(await events.first().textContent(), /id-3/);

      await page.getByLabel("Filter events").fill("TEXT 2");
      await until("one event", async () => (await events.count()) === 1);
      await page.getByLabel("Filter events").fill("nothing like it");
      await page.getByText("No event matches the filter").waitFor();
      await page.getByRole("button", { name: "Clear the filter" }).click();
      await page.reload();
      await until("kept events", async () => (await events.count()) === 3);

      const [saved] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Save these events as NDJSON" }).click(),
      ]);
      assert.equal(saved.suggestedFilename(), "load.21.ndjson");
      const lines = readFileSync(await saved.path(), "utf8")
        .trimEnd()
        .split("\n");
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).id),
        ["first-id", "id-2", "id-3"],
      );

      await events.nth(1).getByRole("button", { expanded: false }).first().click();
      await page.getByRole("button", { name: "Copy the link to id-2" }).click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      await page.goto(await page.evaluate(() => navigator.clipboard.readText()));
      await page.getByRole("button", { name: "Copy the link to id-2" }).waitFor();

      await page.getByRole("button", { name: "Send again…" }).click();
      const dialog = page.getByRole("dialog");
      assert.equal(await dialog.getByLabel("Payload").inputValue(), "text 2");
      await dialog.getByLabel("Payload").fill("half written");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Publish" }).click();
      assert.equal(await dialog.getByLabel("Payload").inputValue(), "half written");
      assert.equal(await dialog.getByLabel("Topics").inputValue(), "load.21");
      await dialog.getByRole("button", { name: "Publish" }).click();
      await dialog.getByText(/Delivered test-\w+ to 50 streams/).waitFor();
    }),
  );

  test(
    "a tail says where events came too fast for it",
    signedIn("/tail?topic=load.24", async (page) => {
      await page.getByText("Live", { exact: true }).waitFor();
      await until("a gap", async () => {
        await peer.burst("load.24", 500);
        return (await page.getByText(/^\d+ gaps?$/).count()) > 0;
      });
      await until("its place", async () => {
        await page.getByRole("button", { name: /^Show older events/ }).click();
        return (await page.getByText("Some events are missing here (too fast).").count()) > 0;
      });
    }),
  );

  test(
    "a test event goes out from the browser, and a drop is told",
    signedIn("/tail?topic=load.22", async (page) => {
      await page.getByText("Live", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Publish" }).click();
      const dialog = page.getByRole("dialog");
      assert.equal(await dialog.getByLabel("Topics").inputValue(), "load.22");
      await dialog.getByLabel("Event ID").fill("from-the-browser");
      await dialog.getByLabel("Payload").fill("hello ü\nworld");
      await dialog.getByRole("button", { name: "Publish" }).click();
      await dialog.getByText("Delivered from-the-browser to 50 streams.").waitFor();
      await dialog.getByLabel("Topics").fill("nobody.follows");
      await dialog.getByRole("button", { name: "Publish" }).click();
      await dialog.getByText(/Dropped: test-\w+ reached no stream/).waitFor();
      await page.keyboard.press("Escape");
      await page.getByText("from-the-browser").waitFor();
    }),
  );

  test(
    "a connection is closed after two answers, never after one",
    signedIn("/connections?topic=load.33", async (page) => {
      await showsRange(page, "1–50 of 50");
      const endedBefore = await peer.ended();
      await rows(page)
        .first()
        .getByRole("button", { name: /^Close connection/ })
        .click();
      const dialog = page.getByRole("alertdialog");
      await dialog.getByText("load.33").waitFor();
      await dialog.getByRole("button", { name: "Close connection…" }).click();
      await dialog.getByText("Disconnect this client?").waitFor();
      await dialog.getByRole("button", { name: "Keep it open" }).click();
      await dialog.waitFor({ state: "detached" });
      assert.equal(await peer.ended(), endedBefore);

      // The focus is back on the row's button.
      await page.keyboard.press("Enter");
      await dialog.getByRole("button", { name: "Close connection…" }).click();
      await dialog.getByRole("button", { name: "Yes, close it" }).click();
      await page.getByRole("status").getByText("is closed").waitFor();
      await showsRange(page, "1–49 of 49");
      await until("the stream to end", async () => (await peer.ended()) === endedBefore + 1);
      assert.match(gateway.log(), /operator closes a connection/);
      await page.getByRole("link", { name: "Overview", exact: true }).click();
      const audit = page.getByRole("region", { name: "Audit", exact: true });
      await audit
        .getByRole("row", { name: /operator closes a connection .* 127\.0\.0\.1/ })
        .waitFor();
      // The place of the next test's count is given back.
      await peer.open(1, ["load.33"], "swarm");
    }),
  );

  test(
    "a paused list asks for nothing until it is told to",
    signedIn("/topics", async (page) => {
      let asked = 0;
      page.on("request", (request) => {
        // The overview's figures go on: they ask how many topics there are, with a page of one.
        if (/admin\/topics\?page=1&pageSize=100$/.test(request.url())) asked++;
      });
      await until("a refresh by itself", () => asked > 0);
      await page.getByRole("button", { name: /^Live/ }).click();
      await page.getByRole("button", { name: /^Paused/ }).waitFor();
      const settled = asked;
      await page.getByRole("button", { name: "Refresh now" }).click();
      await until("one load", () => asked === settled + 1);
      // Two samples of the statistics, which go on, span the time in which the list would have asked again.
      for (let sample = 0; sample < 2; sample++) await page.waitForResponse("**/v1/admin/nodes");
      assert.equal(asked, settled + 1);
      await page.getByRole("button", { name: /^Paused/ }).click();
      await until("loads again", () => asked > settled + 1);
    }),
  );

  test(
    "the keyboard alone is enough",
    signedIn("/overview", async (page) => {
      await page.locator("body").press("Tab");
      assert.equal(
        await page.evaluate(() => document.activeElement.textContent),
        "Skip to content",
      );
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => document.activeElement.id), "content");
      const publish = page.getByRole("button", { name: "Publish" });
      await publish.focus();
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
      for (let press = 0; press < 20; press++) {
        await page.keyboard.press("Tab");
        assert.equal(
          await page.evaluate(() => document.activeElement.closest("[role=dialog]") !== null),
          true,
        );
      }
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await until("the focus to return", () =>
        publish.evaluate((button) => button === document.activeElement),
      );
    }),
  );

  test("the first view is under 150 KB, by its own page only", async () => {
    const page = await newPage();
    const foreign = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(`${gateway.url}/`)) foreign.push(request.url());
    });
    await page.signIn("/");
    await page.getByRole("region", { name: "Nodes" }).getByText("up", { exact: true }).waitFor();
    const bytes = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter((entry) => entry.name.includes("/admin"))
        .filter((entry) => !entry.name.includes("/v1/"))
        .reduce((sum, entry) => sum + entry.encodedBodySize, 0),
    );
    assert.ok(bytes > 50_000 && bytes < 150_000, `${bytes} bytes`);
    assert.deepEqual(foreign, []);
    await page.finish();
  });
});

describe("a gateway that changes its keys", () => {
  test("while away it is said so, and a refused key leads back to the form", async () => {
    const gateway = await startGateway({ keys: "old-key" });
    const browser = await launch();
    try {
      const page = await openPage(browser, gateway, {
        expected: [
          UNAUTHORIZED,
          /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_HTTP2|ERR_CONNECTION/,
        ],
      });
      await page.signIn("/topics");
      await page.getByText("No topics yet").waitFor();
      await gateway.restart("new-key", () =>
        page.getByText("The gateway cannot be reached").waitFor(),
      );
      await page.getByText("no longer accepts your key").waitFor();
      assert.equal(await page.storedItems(), 0);
      await page.getByLabel("API key").fill("new-key");
      await page.keyboard.press("Enter");
      await page.getByText("No topics yet").waitFor();
      await page.finish();
    } finally {
      await browser.close();
      await gateway.stop();
    }
  });
});
