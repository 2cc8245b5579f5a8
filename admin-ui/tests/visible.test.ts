import { describe, expect, it } from "vitest";
import { randomHex } from "@/lib/random";
import { visible } from "@/lib/visible";

describe("visible", () => {
  it("leaves text, line ends and tabs as they are", () => {
    const text = 'a\tb\r\nc {"ü": "日本 مرحبا 🎉"}';
    expect(visible(text)).toBe(text);
  });

  it("shows what reorders or hides", () => {
    expect(visible("gpj.\u202eexe")).toBe("gpj.⟨U+202E⟩exe");
    expect(visible("a\u0000b\u0007c\u200bd\u2066e\ufefff")).toBe(
      "a⟨U+0000⟩b⟨U+0007⟩c⟨U+200B⟩d⟨U+2066⟩e⟨U+FEFF⟩f",
    );
  });
});

describe("randomHex", () => {
  it("needs no secure context", () => {
    const { randomUUID } = crypto;
    Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    try {
      expect(randomHex()).toMatch(/^[0-9a-f]{8}$/);
      expect(randomHex()).not.toBe(randomHex());
    } finally {
      Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
    }
  });
});
