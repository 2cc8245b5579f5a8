import { RelativeTime } from "@/components/relative-time";
import { Badge } from "@/components/ui/badge";
import { Card, CardHeader, CardTitle } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import {
  Table,
  TableBody,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
} from "@/components/ui/table";
import { formatCompact, formatCount, formatSeconds } from "@/lib/format";
import { Link, withSearch } from "@/lib/router";
import { isPresent, type KnownNode } from "@/lib/stats-history";
import { cn } from "@/lib/utils";

/** `unknown`: these are nodes of a while ago. */
export function NodesPanel({
  nodes,
  unknown,
}: {
  nodes: readonly KnownNode[] | null;
  unknown: boolean;
}) {
  return (
    <Card aria-label="Nodes" className="overflow-hidden xl:col-span-2">
      <CardHeader>
        <CardTitle>Nodes</CardTitle>
        {nodes && (
          <span className="text-xs text-muted-foreground">
            {formatCount(nodes.filter(isPresent).length)} in the cluster
          </span>
        )}
      </CardHeader>
      <NodesTable nodes={nodes} unknown={unknown} />
    </Card>
  );
}

const NODE_COLUMNS = ["Node", "State", "Streams", "Publishes", "Deliveries", "Address", "Version"];

function NodesTable({ nodes, unknown }: { nodes: readonly KnownNode[] | null; unknown: boolean }) {
  return (
    <Table label="Nodes of the cluster">
      <TableHeader>
        <TableRow>
          {NODE_COLUMNS.map((name) => (
            <TableHead key={name} className={cn(NUMBERS.has(name) && "text-right")}>
              {name}
            </TableHead>
          ))}
          <TableHead className="text-right">Started</TableHead>
        </TableRow>
      </TableHeader>
      <TableBody>
        {nodes === null && (
          <TableRow>
            <TableCell colSpan={NODE_COLUMNS.length + 1}>
              <Skeleton className="h-5" />
            </TableCell>
          </TableRow>
        )}
        {nodes?.map((one) => (
          <NodeRow key={one.node.nodeId} one={one} unknown={unknown} />
        ))}
      </TableBody>
    </Table>
  );
}

const NUMBERS = new Set(["Streams", "Publishes", "Deliveries"]);

function NodeRow({ one, unknown }: { one: KnownNode; unknown: boolean }) {
  const { node, history } = one;
  const last = history.samples.at(-1);
  return (
    <TableRow>
      <TableCell>
        <Link
          to={withSearch("/overview", { node: node.nodeId })}
          title={`Figures of ${node.nodeId} alone`}
          className="rounded-sm tabular-nums outline-none hover:text-primary hover:underline focus-visible:ring-2 focus-visible:ring-ring"
        >
          {node.nodeId}
        </Link>
        <div className="text-xs text-muted-foreground">{node.hostname}</div>
      </TableCell>
      <TableCell>
        <NodeState one={one} unknown={unknown} />
      </TableCell>
      <TableCell className="text-right tabular-nums">
        <Figure value={last?.streams} format={formatCount} />
      </TableCell>
      <TableCell className="text-right tabular-nums">
        <Figure value={last?.accepted} format={perSecond} />
      </TableCell>
      <TableCell className="text-right tabular-nums">
        <Figure value={last?.deliveries} format={perSecond} />
      </TableCell>
      <TableCell className="tabular-nums">{node.ip}</TableCell>
      <TableCell className="tabular-nums">{node.version}</TableCell>
      <TableCell className="text-right text-muted-foreground">
        <RelativeTime at={node.startedAt} />
      </TableCell>
    </TableRow>
  );
}

function perSecond(value: number): string {
  return `${formatCompact(value)}/s`;
}

function Figure({
  value = null,
  format,
}: {
  value: number | null | undefined;
  format: (value: number) => string;
}) {
  return value === null ? <span className="text-muted-foreground">–</span> : format(value);
}

function NodeState({ one, unknown }: { one: KnownNode; unknown: boolean }) {
  const { state, history } = one;
  const since = history.latestAt > 0 ? ` since ${formatSeconds(history.latestAt)}` : "";
  if (state === "dead") return <Badge variant="destructive">Dead{since}</Badge>;
  if (state === "left") return <Badge variant="outline">Left{since.replace("since", "at")}</Badge>;
  if (state === "silent" || unknown) return <Badge variant="outline">No data{since}</Badge>;
  return (
    <Badge variant={state === "up" ? "success" : "warning"} className="first-letter:uppercase">
      {state}
    </Badge>
  );
}
