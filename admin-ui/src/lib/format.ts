/** Numbers and times as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function formatCount(n: number): string {
  return whole.format(n);
}

/** Three digits are enough where a number moves every two seconds: 12.3K, 0.4. */
export function formatCompact(n: number): string {
  return n !== 0 && Math.abs(n) < 10 ? String(Number(n.toFixed(1))) : compact.format(n);
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || Math.abs(value) >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours}h` : `${hours}h ${minutes % 60}m`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days}d` : `${days}d ${hours % 24}h`;
}

/** "now" also for a moment slightly ahead: the gateway's clock and the browser's differ. */
export function formatRelative(at: number, now: number): string {
  const elapsed = now - at;
  if (elapsed < -60_000) return `in ${formatDuration(-elapsed)}`;
  return elapsed < 1000 ? "now" : `${formatDuration(elapsed)} ago`;
}

/** Date and time in the reader's own time zone, as formatClock() shows the time, with the zone's distance from UTC. */
export function formatExact(at: number): string {
  const offset = -new Date(at).getTimezoneOffset();
  const local = new Date(at + offset * 60_000).toISOString().replace("T", " ").replace("Z", "");
  return `${local} ${formatOffset(offset)}`;
}

function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  const text = `${Math.floor(size / 60)}:${String(size % 60).padStart(2, "0")}`;
  return minutes === 0 ? "UTC" : `UTC${minutes < 0 ? "−" : "+"}${text}`;
}

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

export function formatClock(at: number): string {
  return clock.format(at);
}

const seconds = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** Hours, minutes and seconds, for "since when". */
export function formatSeconds(at: number): string {
  return seconds.format(at);
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}
