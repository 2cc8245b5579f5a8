import { useRelative } from "@/lib/clock";
import { formatExact } from "@/lib/format";

/** "3m ago"; the exact time on hover and for assistive technology through `datetime`. */
export function RelativeTime({ at }: { at: number }) {
  return (
    <time
      dateTime={new Date(at).toISOString()}
      title={formatExact(at)}
      className="whitespace-nowrap"
    >
      {useRelative(at)}
    </time>
  );
}
