import { describe, expect, it } from "vitest";
import type { TailEvent } from "@/api/types";
import { prettyJson, tokenizeJson } from "@/lib/json";
import {
  appendTail,
  EMPTY_TAIL,
  matchesFilter,
  TAIL_CHARS_MAX,
  TAIL_EVENTS_MAX,
  type TailBuffer,
} from "@/lib/tail-buffer";

const event = (n: number, payload = "x"): TailEvent => ({
  position: `~1-${n}`,
  id: `e${n}`,
  event: null,
  payload,
  publishedAt: n,
});
const arrivals = (...events: TailEvent[]) => events.map((one) => ({ event: one }));
const idsOf = (buffer: TailBuffer) =>
  buffer.entries.map((entry) => (entry.kind === "event" ? entry.event.id : entry.reason));

describe("appendTail", () => {
  it("shows the newest first", () => {
    const first = appendTail(EMPTY_TAIL, arrivals(event(1), event(2)));
    expect(idsOf(appendTail(first, arrivals(event(3))))).toEqual(["e3", "e2", "e1"]);
  });

  it("is the same object when nothing is new", () => {
    expect(appendTail(EMPTY_TAIL, [])).toBe(EMPTY_TAIL);
  });

  it("gives every entry a key of its own, for good", () => {
    const first = appendTail(EMPTY_TAIL, arrivals(event(1)));
    const second = appendTail(first, [{ gap: "evicted" }, ...arrivals(event(1))]);
    const keys = second.entries.map((entry) => entry.key);
    expect(new Set(keys).size).toBe(3);
    expect(keys.at(-1)).toBe(first.entries[0]?.key);
  });

  it("is bounded by count and counts on", () => {
    const many = Array.from({ length: TAIL_EVENTS_MAX + 20 }, (_, n) => event(n));
    const buffer = appendTail(EMPTY_TAIL, arrivals(...many));
    expect(buffer.entries).toHaveLength(TAIL_EVENTS_MAX);
    expect(buffer.received).toBe(TAIL_EVENTS_MAX + 20);
    expect(idsOf(buffer)[0]).toBe(`e${TAIL_EVENTS_MAX + 19}`);
  });

  it("is bounded by size, but always shows the newest", () => {
    const large = "y".repeat(TAIL_CHARS_MAX / 2);
    const three = [event(1, large), event(2, large), event(3, large)];
    expect(idsOf(appendTail(EMPTY_TAIL, arrivals(...three)))).toEqual(["e3", "e2"]);
    const huge = appendTail(EMPTY_TAIL, arrivals(event(1), event(2, large.repeat(3))));
    expect(idsOf(huge)).toEqual(["e2"]);
  });

  it("keeps a gap at its place", () => {
    const buffer = appendTail(EMPTY_TAIL, [
      { event: event(1) },
      { gap: "evicted" },
      { event: event(2) },
    ]);
    expect(idsOf(buffer)).toEqual(["e2", "evicted", "e1"]);
  });
});

describe("matchesFilter", () => {
  const order: TailEvent = {
    position: "~1-1",
    id: "A-1",
    event: "order.paid",
    payload: '{"name":"Ada"}',
    publishedAt: 0,
  };

  it.each([
    ["", true],
    ["ada", true],
    ["a-1 PAID", true],
    ["paid bob", false],
  ])("%j → %s", (text, matches) => {
    expect(matchesFilter(order, text)).toBe(matches);
  });
});

describe("prettyJson", () => {
  it.each([
    { a: [1, { b: 'x,{}:[]"\\' }], c: {}, d: [], e: null },
    [[], [1, 2], "ü\n"],
    { nested: { deep: { deeper: [true, false] } } },
  ])("lays out %j as JSON.stringify does", (value) => {
    const expected = JSON.stringify(value, null, 2);
    expect(prettyJson(JSON.stringify(value))).toBe(expected);
    expect(prettyJson(expected)).toBe(expected);
  });

  it("keeps digits and the order of keys as they were sent", () => {
    expect(prettyJson('{"2":12345678901234567890,"1":1.0}')).toBe(
      '{\n  "2": 12345678901234567890,\n  "1": 1.0\n}',
    );
  });

  it.each(["plain", "12", '"text"', "{broken", "[1,]", ""])("leaves %j alone", (payload) => {
    expect(prettyJson(payload)).toBeNull();
  });
});

describe("tokenizeJson", () => {
  it("loses no character and tells kinds apart", () => {
    const json = JSON.stringify({ key: "v: 1", n: -1.5e3, t: [true, null] }, null, 2);
    const tokens = tokenizeJson(json);
    expect(tokens.map((token) => token.text).join("")).toBe(json);
    const kindOf = (text: string) => tokens.find((token) => token.text === text)?.kind;
    expect([kindOf('"key"'), kindOf('"v: 1"'), kindOf("-1500"), kindOf("null")]).toEqual([
      "key",
      "string",
      "number",
      "word",
    ]);
  });
});
