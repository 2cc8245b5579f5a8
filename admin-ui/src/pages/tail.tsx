import {
  ChevronRight,
  Download,
  Filter,
  Link2,
  Pause,
  Play,
  Radio,
  ScrollText,
  SearchX,
  Trash2,
} from "lucide-react";
import { memo, useCallback, useDeferredValue, useMemo, useState } from "react";
import type { TailEvent } from "@/api/types";
import { ViewHeader } from "@/components/app-shell";
import { CopyButton } from "@/components/copy-button";
import { JsonView } from "@/components/json-view";
import { LiveDot } from "@/components/live-toggle";
import { EmptyState, ErrorState, explain } from "@/components/states";
import { TopicCombobox } from "@/components/topic-combobox";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/input";
import { download, fileNameOf } from "@/lib/download";
import { openPublish } from "@/lib/draft";
import {
  formatBytes,
  formatClock,
  formatCompact,
  formatCount,
  formatExact,
  plural,
} from "@/lib/format";
import { prettyJson } from "@/lib/json";
import { BASE } from "@/lib/root";
import { Link, navigate, useSearch, withSearch } from "@/lib/router";
import { useClient } from "@/lib/session";
import { matchesFilter, type TailEntry } from "@/lib/tail-buffer";
import { useFrozen } from "@/lib/use-frozen";
import { useRate } from "@/lib/use-rate";
import { useResource } from "@/lib/use-resource";
import { useScrolled } from "@/lib/use-scrolled";
import { type LiveTail, type TailStatus, useTail } from "@/lib/use-tail";
import { cn } from "@/lib/utils";
import { visible } from "@/lib/visible";

/** What a row shows of its payload, and what the opened view lays out; copying always takes the whole. */
const PREVIEW_CHARS = 400;
const SHOWN_CHARS_MAX = 100_000;
const NONE_OPEN: ReadonlySet<number> = new Set();
/** So many rows are in the page at first, and with each look further back: the browser stays quick however fast events come. */
const ROWS = 60;
const FOLLOWERS_REFRESH_MS = 3000;

export function TailPage() {
  const search = useSearch();
  const topic = search.get("topic") ?? "";
  const linked = search.get("event");
  return (
    <>
      <ViewHeader title="Tail Events">
        <TopicCombobox
          label="Topic to follow"
          placeholder="Choose a topic…"
          value={topic}
          onChoose={(next) => navigate(withSearch("/tail", { topic: next }))}
          className="sm:w-80"
        />
        {topic !== "" && (
          <Button asChild variant="outline" size="sm">
            <Link to={withSearch("/connections", { topic })}>Show connections</Link>
          </Button>
        )}
      </ViewHeader>
      {topic === "" ? (
        <Card>
          <EmptyState icon={ScrollText} title="Choose a topic">
            Type or pick a topic above, or open one from the{" "}
            <Link to="/topics" className="text-primary underline underline-offset-4">
              list of topics
            </Link>
            . Its last events appear here, and new ones as they are published.
          </EmptyState>
        </Card>
      ) : (
        <TopicTail key={topic} topic={topic} linked={linked} />
      )}
    </>
  );
}

/** `linked`: the position of the event that the address points at. */
function TopicTail({ topic, linked }: { topic: string; linked: string | null }) {
  const tail = useTail(useClient(), topic);
  const [paused, setPaused] = useState(false);
  const [filter, setFilter] = useState("");
  const [opened, setOpened] = useState<ReadonlySet<number>>(NONE_OPEN);
  const [rows, setRows] = useState(ROWS);
  const scrolled = useScrolled();
  const rate = useRate(tail.buffer.received);
  // Whoever reads must not see it move away: the list stands still while an event is open, or further down is looked at.
  const held = paused || opened.size > 0 || rows > ROWS || scrolled;
  const shown = useFrozen(tail.buffer, held);
  const waiting = tail.buffer.received - shown.received;
  const words = useDeferredValue(filter);
  const entries = useMemo(
    () =>
      shown.entries.filter((entry) => entry.kind === "gap" || matchesFilter(entry.event, words)),
    [shown, words],
  );

  const gaps = entries.filter((entry) => entry.kind === "gap").length;
  // Laid out in slices: the page answers in between, however many rows are new.
  const listed = useDeferredValue(entries);

  const toggle = useCallback((key: number) => {
    setOpened((keys) => {
      const next = new Set(keys);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  }, []);

  // A link to an event opens it, as long as it is kept.
  const [sought, setSought] = useState(linked);
  const index = tail.buffer.entries.findIndex(
    (entry) => entry.kind === "event" && entry.event.position === sought,
  );
  const found = tail.buffer.entries[index];
  if (found) {
    setSought(null);
    setRows(Math.ceil((index + 1) / ROWS) * ROWS);
    setOpened(new Set([found.key]));
  }

  function exportShown() {
    const lines = entries.flatMap((entry) =>
      entry.kind === "event" ? [JSON.stringify(entry.event)] : [],
    );
    download(
      `${fileNameOf(topic)}.ndjson`,
      "application/x-ndjson",
      lines.reverse().join("\n").concat("\n"),
    );
  }

  function goOn() {
    setPaused(false);
    setOpened(NONE_OPEN);
    setRows(ROWS);
    window.scrollTo(0, 0);
  }

  if (tail.status.state === "refused") {
    return (
      <Card aria-label={`Events of ${topic}`}>
        <ErrorState error={tail.status.error} />
      </Card>
    );
  }
  return (
    <Card aria-label={`Events of ${topic}`} className="overflow-hidden">
      <div className="flex flex-wrap items-center gap-2 border-b px-4 py-2.5">
        <StatusBadge status={tail.status} paused={paused} />
        <span className="text-xs text-muted-foreground tabular-nums" data-testid="tail-count">
          {plural(entries.length - gaps, "event")}
          {words !== "" && ` of ${shown.entries.length}`}
          {rate > 0 && `, ${formatCompact(rate)}/s`}
        </span>
        {gaps > 0 && (
          <Badge variant="warning" title="Between the events below, some are missing">
            {plural(gaps, "gap")}
          </Badge>
        )}
        <Followers topic={topic} />
        <div className="ml-auto flex w-full items-center gap-1.5 sm:w-auto">
          <search className="relative min-w-0 flex-1">
            <Filter
              aria-hidden
              className="pointer-events-none absolute top-1/2 left-2.5 size-3.5 -translate-y-1/2 text-muted-foreground"
            />
            <Input
              aria-label="Filter events"
              placeholder="Filter by ID, type or payload"
              value={filter}
              onChange={(change) => setFilter(change.target.value)}
              autoComplete="off"
              spellCheck={false}
              className="h-8 pl-8 sm:w-64"
            />
          </search>
          <Button
            variant="outline"
            size="sm"
            className="w-24"
            onClick={paused ? goOn : () => setPaused(true)}
          >
            {paused ? <Play /> : <Pause />}
            {paused ? "Resume" : "Pause"}
          </Button>
          <Button
            variant="outline"
            size="icon"
            aria-label="Save these events as NDJSON"
            title="Save these events as NDJSON"
            disabled={entries.length === 0}
            onClick={exportShown}
          >
            <Download />
          </Button>
          <Button
            variant="outline"
            size="icon"
            aria-label="Clear events"
            title="Clear events"
            onClick={() => {
              tail.clear();
              goOn();
            }}
          >
            <Trash2 />
          </Button>
        </div>
      </div>
      {tail.status.state === "retrying" && <RetryingBanner error={tail.status.error} />}
      {sought !== null && tail.status.state === "live" && (
        <p role="status" className="border-b px-4 py-2 text-[0.8125rem] text-muted-foreground">
          The event of this link is not among those that are kept any more.
        </p>
      )}
      {held && waiting > 0 && (
        // Without a height of its own: what is being read must not move.
        <div className="sticky top-16 z-10 h-0 text-center">
          <button
            type="button"
            className="mt-1.5 rounded-full border bg-accent px-4 py-1.5 text-[0.8125rem] font-medium shadow-md outline-none hover:underline focus-visible:ring-2 focus-visible:ring-ring"
            onClick={goOn}
          >
            {plural(waiting, "newer event")}. Resume to see {waiting === 1 ? "it" : "them"}
          </button>
        </div>
      )}
      <TailList
        entries={listed}
        rows={rows}
        onMore={() => setRows(rows + ROWS)}
        topic={topic}
        opened={opened}
        onToggle={toggle}
        filter={words}
        tail={tail}
        onClearFilter={() => setFilter("")}
      />
    </Card>
  );
}

function StatusBadge({ status, paused }: { status: TailStatus; paused: boolean }) {
  if (paused) return <Badge variant="outline">Paused</Badge>;
  if (status.state === "live") {
    return (
      <Badge variant="success">
        <LiveDot className="size-1.5" /> Live
      </Badge>
    );
  }
  return status.state === "connecting" ? (
    <Badge variant="outline">Connecting…</Badge>
  ) : (
    <Badge variant="warning">Reconnecting…</Badge>
  );
}

function RetryingBanner({ error }: { error: Error }) {
  const { title, advice } = explain(error);
  return (
    <p role="alert" className="border-b border-warning/30 bg-warning/8 px-4 py-2 text-[0.8125rem]">
      <strong className="font-medium">{title}.</strong> {advice} The tail resumes where it stopped.
    </p>
  );
}

/** How many streams follow the topic; without any, what is published now is dropped, and the tail only looks alive. */
function Followers({ topic }: { topic: string }) {
  const client = useClient();
  const { data } = useResource(
    `followers ${topic}`,
    async (signal) => {
      // A name is the first of those that begin with it.
      const { data } = await client.topics({ page: 1, pageSize: 1, prefix: topic }, signal);
      return data[0]?.topic === topic ? data[0].connectionCount : 0;
    },
    FOLLOWERS_REFRESH_MS,
  );
  if (data === null) return null;
  if (data === 0)
    return <Badge variant="warning">Nobody follows this topic: events are dropped</Badge>;
  return (
    <Link
      to={withSearch("/connections", { topic })}
      className="rounded-sm text-xs text-muted-foreground tabular-nums outline-none hover:text-primary hover:underline focus-visible:ring-2 focus-visible:ring-ring"
    >
      {data === 1 ? "1 stream follows" : `${formatCount(data)} streams follow`}
    </Link>
  );
}

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

function TailList(props: TailListProps) {
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
