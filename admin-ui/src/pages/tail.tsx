import { Download, Filter, Pause, Play, ScrollText, Trash2 } from "lucide-react";
import { useCallback, useDeferredValue, useMemo, useState } from "react";
import { ViewHeader } from "@/components/app-shell";
import { LiveDot } from "@/components/live-toggle";
import { EmptyState, ErrorState, explain } from "@/components/states";
import { TailList } from "@/components/tail-list";
import { TopicCombobox } from "@/components/topic-combobox";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/input";
import { download, fileNameOf } from "@/lib/download";
import { formatCompact, formatCount, plural } from "@/lib/format";
import { Link, navigate, useSearch, withSearch } from "@/lib/router";
import { useClient } from "@/lib/session";
import { matchesFilter } from "@/lib/tail-buffer";
import { useFrozen } from "@/lib/use-frozen";
import { useRate } from "@/lib/use-rate";
import { useResource } from "@/lib/use-resource";
import { useScrolled } from "@/lib/use-scrolled";
import { type TailStatus, useTail } from "@/lib/use-tail";

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
