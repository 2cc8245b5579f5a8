/**
 * Who is signed in: the API key, kept in localStorage and nowhere else. A key gets there only after the gateway accepted
 * it, and leaves on sign out or with the first 401. Other tabs of the browser follow through the storage event.
 */
import { ApiError, createClient } from "@/api/client";
import { ROOT } from "./root";
import { createStore } from "./store";

/** Gateways below different prefixes of one origin have keys of their own. */
export const KEY_ITEM = `tideway.key${ROOT}`;

export interface AuthState {
  key: string | null;
  /** Why the form is shown again, if the user did not ask for it. */
  notice: string | null;
}

function storedKey(): string | null {
  return localStorage.getItem(KEY_ITEM);
}

export const auth = createStore<AuthState>({ key: storedKey(), notice: null });

window.addEventListener("storage", (change) => {
  if (change.key === KEY_ITEM || change.key === null) auth.set({ key: storedKey(), notice: null });
});

/** Header values are visible ASCII: anything else was pasted by mistake and would not even be sent. */
export function isSendableKey(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/** Rejects with an ApiError whose message can be shown; on success the key is stored and every follower told. */
export async function signIn(input: string, doFetch?: typeof fetch): Promise<void> {
  const key = input.trim();
  if (!isSendableKey(key)) {
    throw new ApiError(401, "unauthorized", "A key has visible ASCII characters only, no spaces.");
  }
  const client = createClient({ key, root: ROOT, ...(doFetch && { fetch: doFetch }) });
  try {
    // The node's own counters: they need no Redis, so operators get in while it is away.
    await client.stats();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      throw new ApiError(
        401,
        error.code,
        "The gateway does not know this key. Check it and try again.",
      );
    }
    throw error;
  }
  localStorage.setItem(KEY_ITEM, key);
  auth.set({ key, notice: null });
}

export function signOut(): void {
  localStorage.removeItem(KEY_ITEM);
  auth.set({ key: null, notice: null });
}

/** The gateway refused `key`. Answers to an older key, still on their way, must not sign out the present one. */
export function expire(key: string): void {
  if (auth.get().key !== key) return;
  localStorage.removeItem(KEY_ITEM);
  auth.set({
    key: null,
    notice: "The gateway no longer accepts your key. Sign in with a current one.",
  });
}
