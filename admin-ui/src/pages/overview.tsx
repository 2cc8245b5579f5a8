import type { ReactNode } from "react";
import type { Stats } from "@/api/types";
import { ViewHeader } from "@/components/app-shell";
import { AuditPanel } from "@/components/audit-panel";
import { Chart, type Series } from "@/components/chart";
import { ErrorBoundary } from "@/components/error-boundary";
import { LiveToggle } from "@/components/live-toggle";
import { NodesPanel } from "@/components/nodes-panel";
import { ErrorState, StaleBanner } from "@/components/states";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { NativeSelect } from "@/components/ui/native-select";
import { Skeleton } from "@/components/ui/skeleton";
import { formatBytes, formatCompact, formatCount, formatDuration, plural } from "@/lib/format";
import { live } from "@/lib/live";
import { navigate, useSearch, withSearch } from "@/lib/router";
import { type ClusterHistory, isPresent, type KnownNode, type Sample } from "@/lib/stats-history";
import { sampling } from "@/lib/stats-sampler";
import { useStore } from "@/lib/store";
import { useFrozen } from "@/lib/use-frozen";

const TEAL = { stroke: "stroke-chart-1", fill: "fill-chart-1/12", dot: "bg-chart-1" };
const VIOLET = { stroke: "stroke-chart-2", fill: "fill-chart-2/12", dot: "bg-chart-2" };
const AMBER = { stroke: "stroke-chart-3", fill: "fill-chart-3/12", dot: "bg-chart-3" };
const RED = { stroke: "stroke-chart-4", fill: "fill-chart-4/12", dot: "bg-chart-4" };

interface Panel {
  title: string;
  series: readonly [Series, ...Series[]];
  /** What stands in the head of the panel; without it the first series. */
  head?: (sample: Sample) => number | null;
  /** Of the value in the head; the axis is always short. */
  format: (value: number) => string;
  unit?: string;
}

const PANELS: readonly Panel[] = [
  {
    title: "Streams",
    series: [{ label: "Streams", pick: (s) => s.streams, ...TEAL }],
    format: formatCount,
  },
  {
    title: "Transport connections",
    series: [{ label: "Connections", pick: (s) => s.connections, ...TEAL }],
    format: formatCount,
  },
  {
    title: "Topics",
    series: [{ label: "Topics", pick: (s) => s.topics, ...TEAL }],
    format: formatCount,
  },
  {
    title: "Publishes",
    series: [{ label: "Accepted", pick: (s) => s.accepted, ...VIOLET }],
    format: formatCompact,
    unit: "/s",
  },
  {
    title: "Deliveries",
    series: [{ label: "Deliveries", pick: (s) => s.deliveries, ...VIOLET }],
    format: formatCompact,
    unit: "/s",
  },
  {
    title: "Dropped and refused",
    series: [
      { label: "Dropped", pick: (s) => s.dropped, ...AMBER },
      { label: "Refused", pick: (s) => s.refused, ...RED },
    ],
    head: (s) => (s.dropped === null || s.refused === null ? null : s.dropped + s.refused),
    format: formatCompact,
    unit: "/s",
  },
];

/** The figures of all nodes, or of the one that `?node=` names. */
export function OverviewPage() {
  const isLive = useStore(live);
  const { history, error, alone } = useFrozen(useStore(sampling), !isLive);
  const chosen = useSearch().get("node") ?? alone ?? "";
  const one = history.nodes.find(({ node }) => node.nodeId === chosen);
  const { samples, latest, latestAt } = one ? one.history : history.total;
  const several = history.nodes.length > 1;

  return (
    <>
      <ViewHeader
        title="Overview"
        detail={latest && scopeOf(history, one, latest)}
        aside={<LiveToggle failing={error !== null} />}
      >
        {several && (
          <NativeSelect
            aria-label="Node"
            value={one ? chosen : ""}
            onChange={(change) => navigate(withSearch("/overview", { node: change.target.value }))}
          >
            <option value="">All nodes</option>
            {history.nodes.map(({ node }) => (
              <option key={node.nodeId} value={node.nodeId}>
                {node.nodeId}
              </option>
            ))}
          </NativeSelect>
        )}
      </ViewHeader>
      {error && latest && (
        <div className="mb-4 overflow-hidden rounded-lg border border-b-0">
          <StaleBanner error={error} since={latestAt} />
        </div>
      )}
      {alone !== null && !error && <AloneBanner nodeId={alone} />}
      {error && !latest ? (
        <Card>
          <ErrorState error={error} />
        </Card>
      ) : (
        <div className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
          {PANELS.map((panel) => (
            <ErrorBoundary key={panel.title}>
              <ChartPanel panel={panel} samples={samples} failing={error !== null} />
            </ErrorBoundary>
          ))}
        </div>
      )}
      <div className="mt-3 grid items-start gap-3 xl:grid-cols-3">
        <ErrorBoundary>
          <NodesPanel
            nodes={history.nodes.length > 0 ? history.nodes : null}
            unknown={error !== null}
          />
        </ErrorBoundary>
        <ErrorBoundary>
          <TotalsPanel stats={latest} bytesPerSecond={samples.at(-1)?.bytes ?? null} />
        </ErrorBoundary>
      </div>
      <ErrorBoundary>
        <AuditPanel />
      </ErrorBoundary>
    </>
  );
}

/** What the figures are of. */
function scopeOf(history: ClusterHistory, one: KnownNode | undefined, latest: Stats): string {
  const present = history.nodes.filter(isPresent);
  if (one) return `node ${one.node.nodeId}, up ${formatDuration(latest.uptimeMs)}`;
  if (history.nodes.length === 1) return `up ${formatDuration(latest.uptimeMs)}`;
  return `${plural(present.length, "node")} together`;
}

function AloneBanner({ nodeId }: { nodeId: string }) {
  return (
    <p
      role="alert"
      className="mb-4 rounded-lg border border-warning/30 bg-warning/8 px-4 py-2 text-[0.8125rem]"
    >
      <strong className="font-medium">Redis cannot be reached.</strong> These are the figures of
      node {nodeId} alone, which serves this page. The others may work or not.
    </p>
  );
}

interface ChartPanelProps {
  panel: Panel;
  samples: readonly Sample[];
  failing: boolean;
}

function ChartPanel({ panel, samples, failing }: ChartPanelProps) {
  const { title, series, head = series[0].pick, format, unit = "" } = panel;
  const latest = samples.at(-1);
  const value = latest ? head(latest) : null;
  return (
    <Card aria-label={title}>
      <CardHeader className="items-start">
        <div>
          <CardTitle className="text-muted-foreground">{title}</CardTitle>
          <p className="mt-0.5 text-2xl leading-8 font-semibold tracking-tight tabular-nums">
            {value === null && failing ? (
              <span className="text-muted-foreground">
                –<span className="sr-only">no data</span>
              </span>
            ) : value === null ? (
              <Skeleton className="my-1 h-6 w-16" />
            ) : (
              <>
                {format(value)}
                {unit && (
                  <span className="ml-0.5 text-sm font-normal text-muted-foreground">{unit}</span>
                )}
              </>
            )}
          </p>
        </div>
        {series.length > 1 && <Legend series={series} />}
      </CardHeader>
      <CardContent className="pb-3">
        {samples.length === 0 ? (
          <Skeleton className="h-29" />
        ) : (
          <Chart
            label={title}
            samples={samples}
            series={series}
            format={(n) => formatCompact(n) + unit}
          />
        )}
      </CardContent>
    </Card>
  );
}

function Legend({ series }: { series: readonly Series[] }) {
  return (
    <ul className="flex gap-3 pt-0.5 text-xs text-muted-foreground">
      {series.map(({ label, dot }) => (
        <li key={label} className="flex items-center gap-1.5">
          <span aria-hidden className={`size-2 rounded-full ${dot}`} />
          {label}
        </li>
      ))}
    </ul>
  );
}

function TotalsPanel({
  stats,
  bytesPerSecond,
}: {
  stats: Stats | null;
  bytesPerSecond: number | null;
}) {
  const closes = Object.entries(stats?.closes ?? {})
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  return (
    <Card aria-label="Traffic">
      <CardHeader>
        <CardTitle>Traffic</CardTitle>
      </CardHeader>
      <CardContent>
        {stats === null ? (
          <Skeleton className="h-40" />
        ) : (
          <dl className="space-y-1.5 text-[0.8125rem]">
            <Total name="Throughput">
              {bytesPerSecond === null ? "–" : `${formatBytes(bytesPerSecond)}/s`}
            </Total>
            <Total name="Queued for slow streams">{formatBytes(stats.queuedBytes)}</Total>
            <Total name="Publishes since start">
              {formatCount(
                stats.publishesAccepted + stats.publishesDropped + stats.publishesRefused,
              )}
            </Total>
            <Total name="Deliveries since start">{formatCount(stats.deliveries)}</Total>
            <Total name="Sent since start">{formatBytes(stats.bytes)}</Total>
            {closes.map(([reason, count]) => (
              <Total key={reason} name={`Streams closed: ${reason.replaceAll("_", " ")}`}>
                {formatCount(count)}
              </Total>
            ))}
          </dl>
        )}
      </CardContent>
    </Card>
  );
}

function Total({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex justify-between gap-4">
      <dt className="text-muted-foreground">{name}</dt>
      <dd className="tabular-nums">{children}</dd>
    </div>
  );
}
