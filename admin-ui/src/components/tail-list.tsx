import { ChevronRight, Link2, Radio, SearchX } from "lucide-react";
import { memo, useMemo, useState } from "react";
import type { TailEvent } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { JsonView } from "@/components/json-view";
import { EmptyState } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { openPublish } from "@/lib/draft";
import { formatBytes, formatClock, formatCount, formatExact } from "@/lib/format";
import { prettyJson } from "@/lib/json";
import { BASE } from "@/lib/root";
import { withSearch } from "@/lib/router";
import type { TailEntry } from "@/lib/tail-buffer";
import type { LiveTail } from "@/lib/use-tail";
import { cn } from "@/lib/utils";
import { visible } from "@/lib/visible";

/** What a row shows of its payload, and what the opened view lays out; copying always takes the whole. */
const PREVIEW_CHARS = 400;
const SHOWN_CHARS_MAX = 100_000;

interface TailListProps {
  entries: readonly TailEntry[];
  /** How many of them are in the page. */
  rows: number;
  onMore: () => void;
  topic: string;
  opened: ReadonlySet<number>;
  onToggle: (key: number) => void;
  filter: string;
  tail: LiveTail;
  onClearFilter: () => void;
}

export function TailList(props: TailListProps) {
  const { entries, rows, onMore, topic, opened, onToggle, filter, tail, onClearFilter } = props;
  if (entries.length > 0) {
    return (
      <>
        <ol aria-label="Events, newest first">
          {entries
            .slice(0, rows)
            .map((entry) =>
              entry.kind === "gap" ? (
                <GapRow key={entry.key} reason={entry.reason} />
              ) : (
                <EventRow
                  key={entry.key}
                  id={entry.key}
                  topic={topic}
                  event={entry.event}
                  open={opened.has(entry.key)}
                  onToggle={onToggle}
                />
              ),
            )}
        </ol>
        {entries.length > rows && (
          <div className="border-t p-2 text-center">
            <Button variant="ghost" size="sm" onClick={onMore}>
              Show older events ({formatCount(entries.length - rows)} more)
            </Button>
          </div>
        )}
      </>
    );
  }
  if (filter !== "" && tail.buffer.entries.length > 0) {
    return (
      <EmptyState
        icon={SearchX}
        title="No event matches the filter"
        action={
          <Button variant="outline" size="sm" onClick={onClearFilter}>
            Clear the filter
          </Button>
        }
      >
        Every word has to stand in the ID, the type or the payload.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={Radio} title="Waiting for events">
      Publish one with the button above or with <code className="font-mono">POST /v1/publish</code>.
      Events are kept only while somebody follows the topic.
    </EmptyState>
  );
}

function GapRow({ reason }: { reason: string }) {
  return (
    <li className="border-b bg-warning/8 px-4 py-1.5 text-xs text-warning last:border-b-0">
      Some events are missing here ({reason.replaceAll("_", " ")}).
    </li>
  );
}

interface EventRowProps {
  id: number;
  topic: string;
  event: TailEvent;
  open: boolean;
  onToggle: (id: number) => void;
}

const EventRow = memo(function EventRow({ id, topic, event, open, onToggle }: EventRowProps) {
  return (
    <li className="border-b last:border-b-0">
      <div className="flex items-center gap-1 pr-2 hover:bg-accent/50">
        <button
          type="button"
          aria-expanded={open}
          className="flex min-w-0 flex-1 flex-wrap items-center gap-x-3 px-4 py-2 text-left outline-none focus-visible:ring-2 focus-visible:ring-ring focus-visible:ring-inset sm:flex-nowrap"
          onClick={() => onToggle(id)}
        >
          <ChevronRight
            aria-hidden
            className={cn(
              "size-3.5 shrink-0 text-muted-foreground transition-transform",
              open && "rotate-90",
            )}
          />
          <time
            dateTime={new Date(event.publishedAt).toISOString()}
            title={formatExact(event.publishedAt)}
            className="shrink-0 text-xs text-muted-foreground tabular-nums"
          >
            {formatClock(event.publishedAt)}
          </time>
          <span
            className="max-w-44 shrink-0 truncate font-mono text-xs font-medium"
            title={event.id}
          >
            {event.id}
          </span>
          {event.event && (
            <Badge className="max-w-36 shrink-0">
              <span className="truncate">{event.event}</span>
            </Badge>
          )}
          <span className="w-full min-w-0 truncate font-mono text-xs text-muted-foreground sm:w-auto">
            {visible(event.payload.slice(0, PREVIEW_CHARS))}
          </span>
        </button>
        <CopyButton text={event.payload} label={`Copy payload of ${event.id}`} />
      </div>
      {open && <EventDetail topic={topic} event={event} />}
    </li>
  );
});

function EventDetail({ topic, event }: { topic: string; event: TailEvent }) {
  const link = withSearch(`${location.origin}${BASE}/tail`, { topic, event: event.position });
  const shown = event.payload.slice(0, SHOWN_CHARS_MAX);
  const cut = event.payload.length - shown.length;
  const pretty = useMemo(() => (cut > 0 ? null : prettyJson(event.payload)), [event.payload, cut]);
  const [raw, setRaw] = useState(false);
  return (
    <div className="border-t bg-muted/50 px-4 py-3">
      <div className="mb-2 flex flex-wrap items-center justify-between gap-2 text-xs text-muted-foreground">
        <span>
          {formatExact(event.publishedAt)} · {formatBytes(new Blob([event.payload]).size)}
        </span>
        <span className="flex flex-wrap items-center gap-1.5">
          {pretty !== null && (
            <Button
              variant="outline"
              size="sm"
              className="h-7 text-xs"
              onClick={() => setRaw(!raw)}
            >
              {raw ? "Show as JSON" : "Show as sent"}
            </Button>
          )}
          <Button
            variant="outline"
            size="sm"
            className="h-7 text-xs"
            onClick={() =>
              openPublish({ topics: topic, event: event.event ?? "", payload: event.payload })
            }
          >
            Send again…
          </Button>
          <CopyButton text={link} label={`Copy the link to ${event.id}`} icon={Link2} />
        </span>
      </div>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        tabIndex={0}
        className="max-h-96 overflow-auto font-mono text-xs leading-5 whitespace-pre-wrap break-words"
      >
        {pretty !== null && !raw ? <JsonView json={visible(pretty)} /> : visible(shown)}
      </pre>
      {cut > 0 && (
        <p className="mt-2 text-xs text-muted-foreground">
          The first {formatBytes(SHOWN_CHARS_MAX)} are shown. Copying takes all of it.
        </p>
      )}
    </div>
  );
}
