import { describe, expect, it, vi } from "vitest";
import { ApiError, createClient } from "@/api/client";
import { ShapeError } from "@/api/shape";

interface Seen {
  path: string;
  init: RequestInit;
  headers: Headers;
}

/** A client whose requests are recorded and answered by `answer`. */
function clientWith(answer: (seen: Seen) => Response | Promise<Response>, root?: string) {
  const seen: Seen[] = [];
  const onUnauthorized = vi.fn();
  const client = createClient({
    key: "k1",
    ...(root !== undefined && { root }),
    onUnauthorized,
    fetch: async (input, init = {}) => {
      const request = { path: String(input), init, headers: new Headers(init.headers) };
      seen.push(request);
      return answer(request);
    },
  });
  return { client, seen, onUnauthorized };
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const refusal = (status: number, code: string) =>
  json({ error: { code, message: `about ${code}` } }, status);
const emptyPage = { page: 1, pageSize: 100, total: 0, data: [] };

describe("every request", () => {
  it("carries the key as a bearer token and no cookie", async () => {
    const { client, seen } = clientWith(() => json(emptyPage));
    await client.topics({ page: 1, pageSize: 100 });
    expect(seen[0]?.headers.get("authorization")).toBe("Bearer k1");
    expect(seen[0]?.init.credentials).toBe("omit");
    expect(seen[0]?.init.cache).toBe("no-store");
  });

  it("turns the gateway's error into an ApiError with its code and message", async () => {
    const { client, onUnauthorized } = clientWith(() => refusal(400, "invalid_topic"));
    const error = await client.nodes().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 400,
      code: "invalid_topic",
      message: "about invalid_topic",
    });
    expect(onUnauthorized).not.toHaveBeenCalled();
  });

  it("tells of a 401 before it rejects", async () => {
    const { client, onUnauthorized } = clientWith(() => refusal(401, "unauthorized"));
    await expect(client.stats()).rejects.toMatchObject({ status: 401 });
    expect(onUnauthorized).toHaveBeenCalledOnce();
  });

  it("says so when nothing answers", async () => {
    const { client } = clientWith(() => Promise.reject(new TypeError("refused")));
    await expect(client.stats()).rejects.toMatchObject({ status: 0, code: "unreachable" });
  });

  it("rejects with the reason of an abort, not as unreachable", async () => {
    const abort = new AbortController();
    abort.abort(new Error("left the page"));
    const { client } = clientWith(() => Promise.reject(new TypeError("aborted")));
    await expect(client.stats(abort.signal)).rejects.toThrow("left the page");
  });

  it.each([
    ["a page of a proxy", () => new Response("<html>", { status: 200 }), "bad_answer"],
    ["an error page", () => new Response("<html>", { status: 502 }), "bad_answer"],
  ])("does not trip over %s", async (_, answer, code) => {
    const { client } = clientWith(answer);
    await expect(client.nodes()).rejects.toMatchObject({ code });
  });

  it("names the field when an answer has another shape", async () => {
    const { client } = clientWith(() => json({ ...emptyPage, data: [{ topic: 5 }] }));
    const failing = client.topics({ page: 1, pageSize: 100 });
    await expect(failing).rejects.toBeInstanceOf(ShapeError);
    await expect(failing).rejects.toThrow("data[0].topic should be a string");
  });
});

describe("paths", () => {
  it("asks for pages with filters, leaving out what is empty", async () => {
    const { client, seen } = clientWith(() => json(emptyPage));
    await client.connections({ page: 3, pageSize: 50, prefix: "a&b", topic: "x/y" });
    await client.topics({ page: 1, pageSize: 100, prefix: "" });
    expect(seen[0]?.path).toBe("/v1/admin/connections?page=3&pageSize=50&prefix=a%26b&topic=x%2Fy");
    expect(seen[1]?.path).toBe("/v1/admin/topics?page=1&pageSize=100");
  });

  it("stand behind the root that a proxy has in front", async () => {
    const { client, seen } = clientWith(() => json(emptyPage), "/gateway");
    await client.topics({ page: 1, pageSize: 100 });
    expect(seen[0]?.path).toBe("/gateway/v1/admin/topics?page=1&pageSize=100");
  });

  it("names a topic in the query, where proxies leave it alone", async () => {
    const { client, seen } = clientWith(() => json({ topic: "a/b?c", events: [] }));
    await client.tail("a/b?c", 20);
    expect(seen[0]?.path).toBe("/v1/admin/tail?topic=a%2Fb%3Fc&limit=20");
  });
});

describe("publish", () => {
  const accepted = { status: "accepted", id: "1", delivered: 2, droppedTopics: [] };

  it("sends topics, id and type as headers and the payload as it is", async () => {
    const { client, seen } = clientWith(() => json(accepted, 202));
    const result = await client.publish({ topics: "a,b", id: "1", event: "t", payload: "x\ny" });
    expect(result).toEqual(accepted);
    expect(seen[0]?.init).toMatchObject({ method: "POST", body: "x\ny" });
    expect(Object.fromEntries(seen[0]?.headers ?? [])).toMatchObject({
      "x-sse-topic": "a,b",
      "x-sse-id": "1",
      "x-sse-event": "t",
    });
  });

  it("leaves the type out when there is none, and reads a drop", async () => {
    const dropped = { status: "dropped", id: "1", droppedTopics: ["a"] };
    const { client, seen } = clientWith(() => json(dropped, 202));
    const result = await client.publish({ topics: "a", id: "1", event: "", payload: "" });
    expect(seen[0]?.headers.has("x-sse-event")).toBe(false);
    expect(result).toEqual({ ...dropped, delivered: null });
  });
});

describe("closeConnection", () => {
  it("is true for 204, false for 404, and rejects otherwise", async () => {
    const answers = [new Response(null, { status: 204 }), refusal(404, "x"), refusal(503, "y")];
    const { client, seen } = clientWith(() => answers.shift() ?? json({}));
    expect(await client.closeConnection("a/b")).toBe(true);
    expect(await client.closeConnection("a")).toBe(false);
    await expect(client.closeConnection("a")).rejects.toMatchObject({ status: 503 });
    expect(seen[0]).toMatchObject({
      path: "/v1/admin/connections/a%2Fb",
      init: { method: "DELETE" },
    });
  });
});

describe("tailStream", () => {
  it("resumes with Last-Event-ID and opens before it reads", async () => {
    const { client, seen } = clientWith(() => new Response("id: 2\ndata: {}\n\n"));
    const order: string[] = [];
    await client.tailStream(
      "t",
      "1",
      { open: () => order.push("open"), message: ({ id }) => order.push(`message ${id}`) },
      new AbortController().signal,
    );
    expect(seen[0]?.path).toBe("/v1/admin/tail/stream?topic=t");
    expect(seen[0]?.headers.get("last-event-id")).toBe("1");
    expect(order).toEqual(["open", "message 2"]);
  });

  it("sends no Last-Event-ID when there is none", async () => {
    const { client, seen } = clientWith(() => new Response(": heartbeat\n\n"));
    const on = { open: () => {}, message: () => {} };
    await client.tailStream("t", null, on, new AbortController().signal);
    expect(seen[0]?.headers.has("last-event-id")).toBe(false);
  });
});
