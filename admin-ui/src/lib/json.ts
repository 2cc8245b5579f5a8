/** Payloads are text; those that hold JSON are shown as such. */

export type JsonTokenKind = "key" | "string" | "number" | "word" | "plain";

export interface JsonToken {
  kind: JsonTokenKind;
  text: string;
}

/** Indented JSON, or null when the payload is not an object or a list. Numbers keep their digits as they were sent. */
export function prettyJson(payload: string): string | null {
  const start = payload.trimStart()[0];
  if (start !== "{" && start !== "[") return null;
  try {
    JSON.parse(payload);
  } catch {
    return null;
  }
  return indent(payload);
}

// Works on the text, not on the parsed value, which would round large numbers and reorder keys.
function indent(json: string): string {
  const step = "  ";
  let depth = 0;
  let out = "";
  const tokens = json.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? [];
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      const closes = next === "}" || next === "]";
      depth++;
      out += closes ? token : `${token}\n${step.repeat(depth)}`;
    } else if (token === "}" || token === "]") {
      depth--;
      const opened = tokens[index - 1] === "{" || tokens[index - 1] === "[";
      out += opened ? token : `\n${step.repeat(depth)}${token}`;
    } else if (token === ",") out += `,\n${step.repeat(depth)}`;
    else if (token === ":") out += ": ";
    else out += token;
  }
  return out;
}

export function tokenizeJson(json: string): JsonToken[] {
  const tokens: JsonToken[] = [];
  const pattern =
    /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|(-?\d[\d.eE+-]*)|(true|false|null)|([^"\d\-tfn]+|.)/gs;
  for (const match of json.matchAll(pattern)) {
    const [text, quoted, colon, digits, word] = match;
    if (quoted !== undefined) {
      tokens.push({ kind: colon === undefined ? "string" : "key", text: quoted });
      if (colon !== undefined) tokens.push({ kind: "plain", text: colon });
    } else if (digits !== undefined) tokens.push({ kind: "number", text });
    else tokens.push({ kind: word === undefined ? "plain" : "word", text });
  }
  return tokens;
}
