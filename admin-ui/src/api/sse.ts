/** Reading text/event-stream from a fetch body (WHATWG HTML 9.2.6), since EventSource cannot send a key. */

export interface SseMessage {
  /** The field of this frame, null when it had none. */
  id: string | null;
  event: string;
  data: string;
}

/** What one frame may hold, so that a peer that never ends a frame cannot fill the tab's memory. */
export const FRAME_CHARS_MAX = 16 * 1024 * 1024;

/** Returns a function that takes decoded text in chunks of any cut and calls onMessage for each complete frame. */
export function createSseParser(onMessage: (message: SseMessage) => void): (text: string) => void {
  let rest = "";
  let afterCr = false;
  let id: string | null = null;
  let event = "";
  let data: string[] = [];
  let dataChars = 0;

  function endFrame() {
    if (data.length > 0) onMessage({ id, event: event || "message", data: data.join("\n") });
    id = null;
    event = "";
    data = [];
    dataChars = 0;
  }

  function takeLine(line: string) {
    if (line === "") return endFrame();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      dataChars += value.length;
      data.push(value);
    } else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }

  return (text) => {
    if (text === "") return;
    // A CR LF that was cut in two by the chunks is one line end.
    const fresh = afterCr && text.startsWith("\n") ? text.slice(1) : text;
    afterCr = text.endsWith("\r");
    const lines = (rest + fresh).split(/\r\n|\r|\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) takeLine(line);
    if (rest.length + dataChars > FRAME_CHARS_MAX)
      throw new Error("The stream sent a frame too large to show.");
  };
}

/** Longer than any sensible heartbeat: silence for this long means that the connection is dead. */
export const SILENCE_MS_MAX = 60_000;

/** Resolves when the server ends the stream, rejects when it breaks, falls silent or `signal` aborts. */
export async function readEventStream(
  body: ReadableStream<Uint8Array>,
  onMessage: (message: SseMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  const parse = createSseParser(onMessage);
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const stop = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      const { done, value } = await withDeadline(reader.read(), SILENCE_MS_MAX);
      signal.throwIfAborted();
      if (done) return;
      parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    void reader.cancel().catch(() => {});
  }
}

async function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The stream fell silent.")), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
