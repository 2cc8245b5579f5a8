import { describe, expect, it } from "vitest";
import type { PageQuery } from "@/api/client";
import type { Connection } from "@/api/types";
import { findConnections, LOOKED_AT_MAX } from "@/lib/find-connections";

function connection(n: number): Connection {
  return {
    connectionId: `id-${n}`,
    clientId: n % 2 === 0 ? `Kiosk-${n}` : null,
    subject: n % 100 === 0 ? "user-7" : null,
    topics: [`topic-${n % 3}`],
    nodeId: `node-${n % 4}`,
    remoteAddress: `192.0.2.${n % 250}:${n}`,
    protocol: "h2",
    openedAt: n,
    delivered: n === 0 ? 0 : 1000 - n,
    queuedBytes: n === 3 ? 1 : 0,
  };
}

/** A gateway with so many streams, which counts what it was asked for. */
function gatewayWith(total: number) {
  const asked: PageQuery[] = [];
  return {
    asked,
    connections: async (query: PageQuery) => {
      asked.push(query);
      const from = (query.page - 1) * query.pageSize;
      const count = Math.max(0, Math.min(query.pageSize, total - from));
      const data = Array.from({ length: count }, (_, n) => connection(from + n));
      return { page: query.page, pageSize: query.pageSize, total, data };
    },
  };
}

const QUERY = { page: 1, pageSize: 10, find: "", sort: "" };

describe("findConnections", () => {
  it("asks for the page itself when nothing is sought", async () => {
    const gateway = gatewayWith(30);
    const page = await findConnections(gateway, { ...QUERY, page: 2, topic: "a" });
    expect(page).toMatchObject({ page: 2, total: 30, looked: null });
    expect(gateway.asked).toEqual([{ page: 2, pageSize: 10, topic: "a" }]);
  });

  it("finds by hint, subject, address, node and topic together", async () => {
    const gateway = gatewayWith(700);
    const find = async (text: string) =>
      (await findConnections(gateway, { ...QUERY, find: text })).data.map((one) => one.openedAt);
    expect(await find("kiosk-42 ")).toEqual([42, 420, 422, 424, 426, 428]);
    expect(await find("USER-7 node-0 topic-1")).toEqual([100, 400]);
    expect(await find("192.0.2.17:17")).toEqual([17]);
    expect(await find("nothing")).toEqual([]);
  });

  it("combines prefix, topic and subject, and asks the gateway for the rarest", async () => {
    const gateway = gatewayWith(700);
    const both = { ...QUERY, prefix: "id-1", topic: "topic-1" };
    const page = await findConnections(gateway, both);
    expect(page.data.map((one) => one.openedAt)).toEqual([
      1, 10, 13, 16, 19, 100, 103, 106, 109, 112,
    ]);
    expect(gateway.asked[0]).toEqual({ page: 1, pageSize: 500, topic: "topic-1" });
    const all = await findConnections(gateway, { ...both, subject: "user-7" });
    expect(all.data.map((one) => one.openedAt)).toEqual([100]);
    expect(gateway.asked.at(-1)).toEqual({ page: 2, pageSize: 500, subject: "user-7" });
  });

  it("sorts, and pages through what it sorted", async () => {
    const gateway = gatewayWith(700);
    const sorted = async (sort: string, page = 1) =>
      (await findConnections(gateway, { ...QUERY, sort, page })).data[0]?.openedAt;
    expect(await sorted("queued")).toBe(3);
    expect(await sorted("delivered")).toBe(1);
    expect(await sorted("newest")).toBe(699);
    expect(await sorted("newest", 3)).toBe(679);
    expect(await sorted("oldest")).toBe(0);
  });

  it("looks at so many and no more, and says so", async () => {
    const gateway = gatewayWith(1_000_000);
    const page = await findConnections(gateway, { ...QUERY, find: "node-1" });
    expect(page.looked).toEqual({ at: LOOKED_AT_MAX, of: 1_000_000 });
    expect(page.total).toBe(LOOKED_AT_MAX / 4);
    expect(gateway.asked).toHaveLength(LOOKED_AT_MAX / 500);
  });
});
