/** Every tab in both themes: what axe says of it, and a picture of it for people. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  assertAccessible,
  launch,
  openPage,
  PHONE,
  screenshot,
  setTheme,
  THEMES,
} from "./browser.mjs";
import { startGateway, startPeer } from "./gateway.mjs";
import { until } from "./wait.mjs";

const TOPICS = [
  ...[
    "audit.log",
    "billing.invoices",
    "chat.room.general",
    "chat.room.random",
    "device.telemetry.eu-west-1",
  ],
  ...["metrics.cpu", "orders.created", "orders.shipped", "prices.BTC-EUR", "prices.ETH-EUR"],
  ...Array.from({ length: 30 }, (_, n) => `user.${1000 + n}.inbox`),
];
const SAMPLES = 12;

const order = (n) =>
  JSON.stringify({
    orderId: 4200 + n,
    customer: { id: 17 * n, name: "Ada Lovelace" },
    items: [{ sku: "TW-1", quantity: n, price: 19.9 }],
    paid: n % 2 === 0,
  });

/** Each view, where it is and when it is complete. */
const VIEWS = [
  {
    name: "overview",
    path: "/overview",
    ready: (page) =>
      page.getByRole("region", { name: "Nodes" }).getByText("up", { exact: true }).waitFor(),
  },
  { name: "topics", path: "/topics", ready: (page) => page.getByTestId("row-range").waitFor() },
  {
    name: "connections",
    path: "/connections",
    ready: (page) => page.getByTestId("row-range").waitFor(),
  },
  {
    name: "tail",
    path: "/tail?topic=orders.created",
    ready: async (page) => {
      await page.getByText("Live", { exact: true }).waitFor();
      await page.getByRole("listitem").getByRole("button", { expanded: false }).nth(1).click();
    },
  },
];

const EMPTY_VIEWS = ["/topics?prefix=zzz", "/connections?page=77", "/tail", "/nowhere"];

describe("looks and accessibility", () => {
  let browser, gateway, peer, page;

  before(async () => {
    gateway = await startGateway();
    peer = startPeer(gateway);
    for (const clientId of ["browser-ada", null, "ios-7f3", "kiosk-12"])
      await peer.open(150, TOPICS, clientId);
    browser = await launch();
    page = await openPage(browser, gateway);
    await page.signIn("/overview");
    // A picture of charts needs some history: traffic until enough samples were taken.
    let samples = 0;
    page.on("response", (response) => {
      if (response.url().endsWith("/v1/admin/nodes")) samples++;
    });
    for (let n = 0; samples < SAMPLES; n++) {
      const topic = TOPICS[n % 10];
      await peer.publish(topic, `evt-${n}`, order(n), n % 3 === 0 ? null : "order.created");
      if (n % 40 === 0) await peer.publish("nobody.follows", `lost-${n}`, "");
    }
    await until(
      "events of the tail",
      async () => (await peer.publish("orders.created", "evt-last", order(1))).id,
    );
  });

  after(async () => {
    await browser?.close();
    await peer?.stop();
    await gateway?.stop();
  });

  // First the overview, while its charts still end in traffic.
  for (const { name, path, ready } of VIEWS) {
    test(`${name}: no serious violation, light and dark`, async () => {
      const views = page.getByRole("navigation", { name: "Views" });
      if (name !== "overview")
        await views.getByRole("link", { name: new RegExp(`^${name}`, "i") }).click();
      if (name === "tail") {
        await page.getByRole("combobox").fill("orders.created");
        await page.keyboard.press("Enter");
      }
      await page.waitForURL(`**/admin${path.replace("?", "\\?")}`);
      await ready(page);
      for (const theme of THEMES) {
        await setTheme(page, theme);
        await screenshot(page, `${name}-${theme}`);
        await assertAccessible(page, `${name}, ${theme}`);
      }
    });
  }

  for (const theme of THEMES) {
    test(`sign in, ${theme}`, async () => {
      const guest = await openPage(browser, gateway);
      await guest.open("/");
      await guest.getByLabel("API key").waitFor();
      await setTheme(guest, theme);
      await screenshot(guest, `sign-in-${theme}`);
      await assertAccessible(guest, `sign in, ${theme}`);
      await guest.finish();
    });
  }

  test("dialogs: no serious violation, light and dark", async () => {
    await page.open("/connections");
    const dialogs = {
      connection: () => page.locator("tbody tr").first().getByRole("button").first().click(),
      publish: () => page.getByRole("button", { name: "Publish" }).click(),
    };
    for (const [name, open] of Object.entries(dialogs)) {
      await open();
      await page.locator("[role=dialog], [role=alertdialog]").waitFor();
      for (const theme of THEMES) {
        await setTheme(page, theme);
        await screenshot(page, `${name}-dialog-${theme}`);
        await assertAccessible(page, `${name} dialog, ${theme}`);
      }
      await page.keyboard.press("Escape");
    }
  });

  test("states without data: no serious violation, light and dark", async () => {
    for (const path of EMPTY_VIEWS) {
      await page.open(path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      for (const theme of THEMES) {
        await setTheme(page, theme);
        await assertAccessible(page, `${path}, ${theme}`);
      }
    }
  });

  test("a phone shows every tab without scrolling sideways", async () => {
    await page.setViewportSize(PHONE);
    for (const { name, path, ready } of VIEWS) {
      await page.open(path);
      await ready(page);
      for (const theme of THEMES) {
        await setTheme(page, theme);
        await screenshot(page, `phone-${name}-${theme}`);
      }
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= PHONE.width, `${name} is ${width} wide`);
      await assertAccessible(page, `${name} on a phone`);
    }
    await page.finish();
  });
});
