import assert from "node:assert/strict";
import { createServer } from "node:http";
import { request } from "node:https";
import { after, before, describe, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { startGateway } from "./gateway.mjs";

const PREFIX = "/ops/events";

/** A proxy that has the gateway below a path, which it strips; what is outside is not the gateway's. */
async function startProxy(gateway) {
  const target = new URL(gateway.url);
  const outside = [];
  const server = createServer((from, to) => {
    if (!from.url.startsWith(`${PREFIX}/`)) {
      outside.push(from.url);
      to.writeHead(404).end();
      return;
    }
    const sent = request(
      {
        host: target.hostname,
        port: target.port,
        rejectUnauthorized: false,
        method: from.method,
        path: from.url.slice(PREFIX.length),
        headers: from.headers,
      },
      (answer) => {
        to.writeHead(answer.statusCode, answer.rawHeaders);
        answer.pipe(to);
      },
    );
    sent.on("error", () => to.destroy());
    to.on("close", () => sent.destroy());
    from.pipe(sent);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${PREFIX}`,
    outside,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("the admin UI below a path that a proxy strips", () => {
  let browser, gateway, proxy;

  before(async () => {
    browser = await launch();
    gateway = await startGateway();
    proxy = await startProxy(gateway);
  });

  after(async () => {
    proxy?.stop();
    await gateway?.stop();
    await browser?.close();
  });

  test("page, files, API and the live tail are found", async () => {
    const page = await openPage(browser, { url: proxy.url, key: gateway.key });
    await page.signIn("/overview");
    await page.getByRole("region", { name: "Nodes" }).getByText("up", { exact: true }).waitFor();
    for (const [view, path] of [
      ["Topics", "topics"],
      ["Connections", "connections"],
      ["Tail Events", "tail"],
    ]) {
      await page.getByRole("link", { name: view }).first().click();
      await page.getByRole("heading", { name: view }).first().waitFor();
      assert.equal(new URL(page.url()).pathname, `${PREFIX}/admin/${path}`);
      await page.reload();
      await page.getByRole("heading", { name: view }).first().waitFor();
    }
    const tail = page.waitForResponse((answer) => answer.url().includes("/v1/admin/tail/stream"));
    await page.goto(`${proxy.url}/admin/tail?topic=orders%2F17`);
    const answer = await tail;
    assert.equal(answer.status(), 200);
    assert.equal(answer.url(), `${proxy.url}/v1/admin/tail/stream?topic=orders%2F17`);
    await page.finish();
    assert.deepEqual(proxy.outside, []);
  });

  test("every address of the page stays below the path", async () => {
    const page = await openPage(browser, { url: proxy.url, key: gateway.key });
    for (const path of ["/", "/admin", "/admin/a/b/c", "/admin/topics/"]) {
      await page.goto(proxy.url + path);
      await page.getByLabel("API key").waitFor();
      assert.ok(new URL(page.url()).pathname.startsWith(`${PREFIX}/admin/`), page.url());
    }
    await page.finish();
  });
});
