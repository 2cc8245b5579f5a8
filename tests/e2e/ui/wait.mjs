/** Waiting for conditions, never for time alone. */

export const DEADLINE_MS = 20_000;
const POLL_MS = 25;

/** Polls until `condition` gives something truthy, and returns that. */
export async function until(what, condition, deadlineMs = DEADLINE_MS) {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
