import { beforeEach, describe, expect, it, vi } from "vitest";
import { auth, expire, isSendableKey, KEY_ITEM, signIn, signOut } from "@/lib/auth";

const answering = (status: number, body: unknown) =>
  vi.fn(async () => new Response(JSON.stringify(body), { status }));
const COUNTERS = {
  ...{
    nodeId: "n",
    connections: 0,
    streams: 0,
    topics: 0,
    publishesAccepted: 0,
    publishesDropped: 0,
  },
  ...{
    publishesRefused: 0,
    deliveries: 0,
    bytes: 0,
    queuedBytes: 0,
    closes: {},
    uptimeMs: 1,
    now: 1,
  },
};
const welcoming = () => answering(200, COUNTERS);
const refusing = () => answering(401, { error: { code: "unauthorized", message: "no" } });

beforeEach(() => {
  localStorage.clear();
  signOut();
});

describe("signIn", () => {
  it("stores a key that the gateway accepts, without the blanks around it", async () => {
    await signIn("  good-key ", welcoming());
    expect(localStorage.getItem(KEY_ITEM)).toBe("good-key");
    expect(auth.get()).toEqual({ key: "good-key", notice: null });
    expect(document.cookie).toBe("");
  });

  it("stores nothing for a wrong key and says that it is wrong", async () => {
    await expect(signIn("bad", refusing())).rejects.toThrow("does not know this key");
    expect(localStorage).toHaveLength(0);
    expect(auth.get().key).toBeNull();
  });

  it("does not call a key wrong when the gateway cannot be reached", async () => {
    const failing = vi.fn(() => Promise.reject(new TypeError("refused")));
    await expect(signIn("good", failing)).rejects.toMatchObject({ code: "unreachable" });
    expect(auth.get().key).toBeNull();
  });

  it("needs nothing of the cluster, so that operators get in while Redis is away", async () => {
    const gateway = welcoming();
    await signIn("good-key", gateway);
    expect(gateway.mock.calls.map((call: unknown[]) => call[0])).toEqual(["/v1/admin/stats"]);
  });

  it("asks nobody about a key that no header can carry", async () => {
    const fetch = welcoming();
    await expect(signIn("schlüssel", fetch)).rejects.toThrow("ASCII");
    expect(fetch).not.toHaveBeenCalled();
    expect(isSendableKey("two words")).toBe(false);
  });
});

describe("a signed-in browser", () => {
  beforeEach(() => signIn("k1", welcoming()));

  it("leaves nothing in localStorage after sign out", () => {
    signOut();
    expect(localStorage).toHaveLength(0);
    expect(auth.get()).toEqual({ key: null, notice: null });
  });

  it("returns to the form with a reason when its key is refused", () => {
    expire("k1");
    expect(localStorage).toHaveLength(0);
    expect(auth.get().key).toBeNull();
    expect(auth.get().notice).toContain("no longer accepts");
  });

  it("ignores a refusal of a key that is not in use any more", () => {
    expire("older");
    expect(auth.get().key).toBe("k1");
  });

  it("follows another tab that signs out", () => {
    localStorage.removeItem(KEY_ITEM);
    window.dispatchEvent(new StorageEvent("storage", { key: KEY_ITEM }));
    expect(auth.get().key).toBeNull();
  });

  it("tells its followers once per change", () => {
    const follower = vi.fn();
    const unsubscribe = auth.subscribe(follower);
    signOut();
    unsubscribe();
    expire("k1");
    expect(follower).toHaveBeenCalledOnce();
  });
});
