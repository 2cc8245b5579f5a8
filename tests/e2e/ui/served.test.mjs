/** What the gateway serves below /admin/, without a browser. */
import assert from "node:assert/strict";
import { request } from "node:https";
import { after, before, describe, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { startGateway } from "./gateway.mjs";

const YEAR_S = 365 * 24 * 3600;

describe("files below /admin/", () => {
  let gateway, script;

  function get(path, headers = {}, method = "GET") {
    return new Promise((resolve, reject) => {
      const sent = request(
        `${gateway.url}${path}`,
        { method, headers, rejectUnauthorized: false },
        (answer) => {
          const chunks = [];
          answer.on("data", (chunk) => chunks.push(chunk));
          answer.on("end", () =>
            resolve({
              status: answer.statusCode,
              headers: answer.headers,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      sent.on("error", reject);
      sent.end();
    });
  }

  before(async () => {
    gateway = await startGateway();
    const page = await get("/admin/");
    const name = /src="\.\/(assets\/[^"]+\.js)"/.exec(page.body.toString())?.[1];
    script = `/admin/${name}`;
  });

  after(() => gateway?.stop());

  test("the page is the answer to every address of the UI, and is asked for anew each time", async () => {
    const page = await get("/admin/");
    assert.equal(page.status, 200);
    assert.match(page.headers["content-type"], /^text\/html/);
    assert.equal(page.headers["cache-control"], "no-cache");
    for (const path of ["/admin/topics", "/admin/tail?topic=a%2Fb", "/admin/a/b/c"]) {
      assert.deepEqual((await get(path)).body, page.body, path);
    }
    // Relative, since a proxy may have stripped a prefix.
    for (const [path, location] of [
      ["/", "admin/"],
      ["/admin", "admin/"],
    ]) {
      const answer = await get(path);
      assert.equal(answer.status, 302, path);
      assert.equal(answer.headers.location, location, path);
    }
  });

  test("a strict policy is on every answer and the page needs nothing that it refuses", async () => {
    for (const path of ["/admin/", script, "/admin/assets/none.js"]) {
      const { headers } = await get(path);
      const policy = headers["content-security-policy"];
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe|https?:|\*/);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
    }
    const html = (await get("/admin/")).body.toString();
    assert.doesNotMatch(html, /<style|style=|<script(?![^>]*\ssrc=)|\son\w+=/);
  });

  test("hashed files are kept for a year, and a missing one is not answered with the page", async () => {
    const { status, headers } = await get(script);
    assert.equal(status, 200);
    assert.equal(headers["cache-control"], `public, max-age=${YEAR_S}, immutable`);
    assert.match(headers["content-type"], /^text\/javascript/);
    const missing = await get("/admin/assets/index-00000000.js");
    assert.equal(missing.status, 404);
    assert.equal(JSON.parse(missing.body).error.code, "not_found");
  });

  test("each client gets the smallest form that it takes", async () => {
    const plain = await get(script);
    assert.equal(plain.headers["content-encoding"], undefined);
    const gzip = await get(script, { "accept-encoding": "gzip, deflate" });
    assert.equal(gzip.headers["content-encoding"], "gzip");
    assert.deepEqual(gunzipSync(gzip.body), plain.body);
    const brotli = await get(script, { "accept-encoding": "gzip, deflate, br, zstd" });
    assert.equal(brotli.headers["content-encoding"], "br");
    assert.deepEqual(brotliDecompressSync(brotli.body), plain.body);
    assert.ok(brotli.body.length < gzip.body.length && gzip.body.length < plain.body.length);
    for (const { headers, body } of [plain, gzip, brotli]) {
      assert.equal(headers.vary, "accept-encoding");
      assert.equal(Number(headers["content-length"]), body.length);
    }
    const tags = [plain, gzip, brotli].map(({ headers }) => headers.etag);
    assert.equal(new Set(tags).size, 3);
  });

  test("what a client has is not sent again", async () => {
    const { headers } = await get("/admin/");
    for (const tags of [headers.etag, `"other", ${headers.etag}`, `W/${headers.etag}`, "*"]) {
      const answer = await get("/admin/", { "if-none-match": tags });
      assert.equal(answer.status, 304, tags);
      assert.equal(answer.body.length, 0);
      assert.equal(answer.headers.etag, headers.etag);
    }
    assert.equal((await get("/admin/", { "if-none-match": '"other"' })).status, 200);
  });

  test("HEAD tells what GET would send", async () => {
    const [head, whole] = [await get(script, {}, "HEAD"), await get(script)];
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers["content-length"], String(whole.body.length));
    assert.equal((await get(script, {}, "POST")).status, 405);
  });

  test("the licences of what is in it are there", async () => {
    const { status, body } = await get("/admin/licenses.txt");
    assert.equal(status, 200);
    assert.match(body.toString(), /^react \d/m);
  });
});
