// @vitest-environment node
/** The types of the API against the answers of a real gateway: every call of the client, on HTTPS. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient } from "@/api/client";
import type { SseMessage } from "@/api/sse";
import * as types from "@/api/types";
import { startGateway, startPeer } from "../../../tests/e2e/ui/gateway.mjs";

const TOPIC = "contract/topic?a=b";
const STREAMS = 7;

describe("answers of a real gateway", () => {
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  let peer: ReturnType<typeof startPeer>;
  let client: Client;

  const clientWith = (key: string) =>
    createClient({ key, fetch: (path, init) => fetch(`${gateway.url}${path}`, init) });

  /** The fields that no type names, of an answer or of the first entry of its list. */
  async function unnamedFields(path: string, list: string | null, typed: object = {}) {
    const headers = { authorization: `Bearer ${gateway.key}` };
    const body = await (await fetch(`${gateway.url}${path}`, { headers })).json();
    const sent: object = list === null ? body : body[list][0];
    return Object.keys(sent).filter((name) => !(name in typed));
  }

  beforeAll(async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    gateway = await startGateway();
    peer = startPeer(gateway);
    await peer.open(STREAMS, [TOPIC], "hint");
    client = clientWith(gateway.key);
  });

  afterAll(async () => {
    await peer?.stop();
    await gateway?.stop();
  });

  it("nodes", async () => {
    const nodes = await client.nodes();
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({ connectionCount: STREAMS, state: "up" });
    expect(Math.abs(Date.now() - (nodes[0]?.startedAt ?? 0))).toBeLessThan(60_000);
    expect(await unnamedFields("/v1/admin/nodes", "data", nodes[0])).toEqual([]);
  });

  it("stats", async () => {
    const stats = await client.stats();
    expect(stats).toMatchObject({ streams: STREAMS, topics: 1, publishesRefused: 0 });
    expect(stats.closes).toHaveProperty("admin");
    expect(await unnamedFields("/v1/admin/stats", null, stats)).toEqual([]);
  });

  it("what operators did", async () => {
    await client.closeConnection("nobody");
    const { data, nodeId } = await client.audit();
    expect(nodeId).toBe((await client.stats()).nodeId);
    expect(data[0]).toMatchObject({ action: "operator closes a connection", about: "nobody" });
    expect(await unnamedFields("/v1/admin/audit", "data", data[0])).toEqual([]);
  });

  it("topics, by page and by prefix", async () => {
    const page = await client.topics({ page: 1, pageSize: 10, prefix: "contract/" });
    expect(page).toMatchObject({ page: 1, pageSize: 10, total: 1 });
    expect(page.data[0]).toMatchObject({ topic: TOPIC, connectionCount: STREAMS });
    expect(page.data[0]?.nodes[0]?.connectionCount).toBe(STREAMS);
    expect((await client.topics({ page: 1, pageSize: 10, prefix: "zzz" })).total).toBe(0);
    expect((await client.topics({ page: 1, pageSize: 9999 })).pageSize).toBe(types.PAGE_SIZE_MAX);
  });

  it("connections, by page, prefix and topic", async () => {
    const page = await client.connections({ page: 2, pageSize: 5, topic: TOPIC });
    expect(page).toMatchObject({ page: 2, pageSize: 5, total: STREAMS });
    expect(page.data).toHaveLength(2);
    expect(page.data[0]).toMatchObject({ clientId: "hint", topics: [TOPIC], queuedBytes: 0 });
    const [first] = page.data;
    const found = await client.connections({
      page: 1,
      pageSize: 5,
      prefix: first?.connectionId ?? "",
    });
    expect(found.data.map((one) => one.connectionId)).toEqual([first?.connectionId]);
    const path = "/v1/admin/connections";
    expect(await unnamedFields(path, "data", first)).toEqual([]);
  });

  it("publish, the tail and its stream", async () => {
    const abort = new AbortController();
    const messages: SseMessage[] = [];
    const request = { topics: TOPIC, event: "e", payload: "line 1\nzwei ü" };
    const accepted = await client.publish({ ...request, id: "p1" });
    expect(accepted).toEqual({
      status: "accepted",
      id: "p1",
      delivered: STREAMS,
      droppedTopics: [],
    });
    const dropped = await client.publish({ ...request, topics: "nobody", id: "p2" });
    expect(dropped).toMatchObject({ status: "dropped", droppedTopics: ["nobody"] });

    const tail = await client.tail(TOPIC, 20);
    expect(tail.events).toHaveLength(1);
    expect(tail.events[0]).toMatchObject({ id: "p1", event: "e", payload: request.payload });
    const path = `/v1/admin/tail?topic=${encodeURIComponent(TOPIC)}`;
    expect(await unnamedFields(path, "events", tail.events[0])).toEqual([]);

    const following = client.tailStream(
      TOPIC,
      tail.events[0]?.position ?? null,
      {
        open: () => void client.publish({ ...request, id: "p3" }),
        message: (message) => {
          messages.push(message);
          abort.abort();
        },
      },
      abort.signal,
    );
    await expect(following).rejects.toThrow();
    expect(messages.map((message) => message.event)).toEqual(["tideway.event"]);
    const event = types.tailEventShape(JSON.parse(messages[0]?.data ?? ""), "event");
    expect(event).toMatchObject({ id: "p3", payload: request.payload });
    expect(messages[0]?.id).toBe(event.position);
  });

  it("closing a connection, which is gone after it", async () => {
    const { data } = await client.connections({ page: 1, pageSize: 1 });
    const id = data[0]?.connectionId ?? "";
    expect(await client.closeConnection(id)).toBe(true);
    expect(await client.closeConnection(id)).toBe(false);
  });

  it("refusals", async () => {
    await expect(clientWith("wrong").nodes()).rejects.toMatchObject({
      status: 401,
      code: "unauthorized",
    });
    await expect(client.tail("bad topic", 1)).rejects.toMatchObject({
      status: 400,
      code: "invalid_topic",
    });
  });
});
