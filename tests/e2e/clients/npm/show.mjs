/** What each program prints of an event, and the types that it listens to. */

export const TYPES = ["message", "tideway.gap", "tideway.retry"];

export function show({ type, event = type, lastEventId, id = lastEventId, data }) {
  process.stdout.write(
    `${JSON.stringify({ event: event || "message", id, data: data.slice(0, 99), size: data.length })}\n`,
  );
}
