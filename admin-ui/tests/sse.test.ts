import { describe, expect, it } from "vitest";
import { createSseParser, FRAME_CHARS_MAX, readEventStream, type SseMessage } from "@/api/sse";

function parse(...chunks: string[]): SseMessage[] {
  const messages: SseMessage[] = [];
  const take = createSseParser((message) => messages.push(message));
  for (const chunk of chunks) take(chunk);
  return messages;
}

describe("createSseParser", () => {
  it("reads id, event and data, and joins data lines", () => {
    expect(parse("id: 7\nevent: tideway.event\ndata: a\ndata:b\ndata\n\n")).toEqual([
      { id: "7", event: "tideway.event", data: "a\nb\n" },
    ]);
  });

  it.each(["\n", "\r\n", "\r"])("takes %j as the end of a line", (end) => {
    const text = ["id: 1", "data: x", "", "data: y", "", ""].join(end);
    expect(parse(text, end === "\r" ? "data" : "")).toEqual([
      { id: "1", event: "message", data: "x" },
      { id: null, event: "message", data: "y" },
    ]);
  });

  it("gives the same messages wherever the chunks are cut", () => {
    const text =
      ': hi\r\n\r\nid: a\r\nevent: e\r\ndata: {"x":1}\r\ndata: é\r\n\r\nretry: 5\n\ndata: z\n\n';
    const whole = parse(text);
    expect(whole).toHaveLength(2);
    for (let cut = 1; cut < text.length; cut++) {
      expect(parse(text.slice(0, cut), text.slice(cut))).toEqual(whole);
    }
    expect(parse(...text)).toEqual(whole);
  });

  it("keeps empty lines apart after a line end that was cut between CR and LF", () => {
    expect(parse("data: a\r", "\n", "\n", "data: b\n\n")).toHaveLength(2);
  });

  it("ignores comments, frames without data and an id with NUL", () => {
    expect(parse(": heartbeat\n\nid: 1\n\nid: a\0b\ndata: x\n\n")).toEqual([
      { id: null, event: "message", data: "x" },
    ]);
  });

  it("refuses a frame without end", () => {
    const take = createSseParser(() => {});
    const piece = "x".repeat(1024 * 1024);
    expect(() => {
      for (let sent = 0; sent <= FRAME_CHARS_MAX; sent += piece.length) take(`data: ${piece}\n`);
    }).toThrow("too large");
  });
});

describe("readEventStream", () => {
  function body(chunks: Uint8Array[], end = true): ReadableStream<Uint8Array> {
    return new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        if (end) controller.close();
      },
    });
  }

  it("decodes a character that two chunks share", async () => {
    const bytes = new TextEncoder().encode("data: ü\n\n");
    const got: SseMessage[] = [];
    const pieces = [bytes.slice(0, 7), bytes.slice(7)];
    await readEventStream(body(pieces), (m) => got.push(m), new AbortController().signal);
    expect(got.map((message) => message.data)).toEqual(["ü"]);
  });

  it("rejects when it is aborted while nothing comes", async () => {
    const abort = new AbortController();
    const reading = readEventStream(body([], false), () => {}, abort.signal);
    abort.abort();
    await expect(reading).rejects.toThrow();
  });
});
