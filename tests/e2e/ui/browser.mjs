/** Chromium as the tests see it: every console error is kept, and the UI is driven as a user would. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { DEADLINE_MS } from "./wait.mjs";

const RESULTS =
  process.env.TIDEWAY_TEST_RESULTS ??
  fileURLToPath(new URL("../../../test-results/ui", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SERIOUS = ["serious", "critical"];

export const THEMES = ["light", "dark"];
export const DESKTOP = { width: 1360, height: 860 };
export const PHONE = { width: 390, height: 844 };

/** `flags` are Chromium's own; all other options are playwright's. */
export function launch({ flags = [], ...options } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", ...flags],
    ...options,
  });
}

/**
 * A fresh profile with one page. `expected` are patterns of console errors that the test provokes (Chromium reports
 * each answer of 4xx there); every other one fails the test at close().
 */
export async function openPage(browser, gateway, { viewport = DESKTOP, expected = [] } = {}) {
  const context = await browser.newContext({
    viewport,
    ignoreHTTPSErrors: true,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !expected.some((pattern) => pattern.test(text)))
      problems.push(text);
  });
  page.on("pageerror", (error) => problems.push(String(error)));

  return Object.assign(page, {
    open: (path) => page.goto(`${gateway.url}/admin${path}`),
    signIn: async (path = "/", key = gateway.key) => {
      await page.goto(`${gateway.url}/admin${path}`);
      await page.getByLabel("API key").fill(key);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("navigation", { name: "Views" }).waitFor();
    },
    storedItems: () => page.evaluate(() => Object.keys(localStorage).length),
    finish: async () => {
      await context.close();
      assert.deepEqual(problems, [], "console errors");
    },
  });
}

/** Light or dark, once all transitions to it are over. */
export async function setTheme(page, colorScheme) {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(() =>
    Promise.allSettled(document.getAnimations().map((one) => one.finished)),
  );
}

export async function screenshot(page, name) {
  mkdirSync(RESULTS, { recursive: true });
  await page.screenshot({ path: join(RESULTS, `${name}.png`) });
}

export async function assertAccessible(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations
    .filter(({ impact }) => SERIOUS.includes(impact))
    .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
  assert.deepEqual(serious, [], where);
}
