import { useMemo } from "react";
import { type JsonTokenKind, tokenizeJson } from "@/lib/json";

const TOKEN_CLASS: Record<JsonTokenKind, string | undefined> = {
  key: "text-json-key",
  string: "text-json-string",
  number: "text-json-number",
  word: "text-json-word",
  plain: undefined,
};

export function JsonView({ json }: { json: string }) {
  const tokens = useMemo(() => tokenizeJson(json), [json]);
  return tokens.map((token, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: tokens of one text never move
    <span key={index} className={TOKEN_CLASS[token.kind]}>
      {token.text}
    </span>
  ));
}
