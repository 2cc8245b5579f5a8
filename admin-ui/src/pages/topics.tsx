import { Cable, Hash, ScrollText, SearchX } from "lucide-react";
import type { Topic } from "@/api/types";
import { ListCard } from "@/components/list-card";
import { ListHeader } from "@/components/list-header";
import { SearchInput } from "@/components/search-input";
import { EmptyState } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { TableCell, TableHead, TableRow } from "@/components/ui/table";
import { formatCount, plural } from "@/lib/format";
import { Link, withSearch } from "@/lib/router";
import { useClient } from "@/lib/session";
import { useList } from "@/lib/use-list";

const NODES_SHOWN = 3;

export function TopicsPage() {
  const client = useClient();
  const list = useList("/topics", (query, signal) => client.topics(query, signal));
  const { prefix } = list.query;
  return (
    <>
      <ListHeader title="Topics" noun="topic" list={list}>
        <SearchInput
          label="Search topics by prefix"
          placeholder="Topic starts with…"
          value={prefix}
          onSearch={(next) => list.filter({ prefix: next })}
        />
      </ListHeader>
      <ListCard
        label="Topics"
        list={list}
        columns={4}
        head={
          <>
            <TableHead>Topic</TableHead>
            <TableHead className="w-28 text-right">Connections</TableHead>
            <TableHead className="hidden w-[26rem] md:table-cell">Nodes</TableHead>
            <TableHead className="w-24">
              <span className="sr-only">Actions</span>
            </TableHead>
          </>
        }
        row={(topic, place) => <TopicRow key={place} topic={topic} />}
        empty={
          prefix === "" ? (
            <EmptyState icon={Hash} title="No topics yet">
              A topic exists while a stream follows it. Open one with{" "}
              <code className="font-mono">GET /v1/stream?topic=…</code> and it shows up here.
            </EmptyState>
          ) : (
            <EmptyState
              icon={SearchX}
              title={`No topic starts with “${prefix}”`}
              action={
                <Button variant="outline" size="sm" onClick={() => list.filter({ prefix: "" })}>
                  Clear the search
                </Button>
              }
            >
              The search compares the beginning of names and is case-sensitive.
            </EmptyState>
          )
        }
      />
    </>
  );
}

function TopicRow({ topic: { topic, connectionCount, nodes } }: { topic: Topic }) {
  const tail = withSearch("/tail", { topic });
  const connections = withSearch("/connections", { topic });
  return (
    <TableRow>
      <TableCell>
        <Link
          to={tail}
          title={topic}
          className="block truncate rounded-sm font-mono outline-none hover:text-primary hover:underline focus-visible:ring-2 focus-visible:ring-ring"
        >
          {topic}
        </Link>
      </TableCell>
      <TableCell className="text-right tabular-nums">
        <Link
          to={connections}
          aria-label={`${plural(connectionCount, "connection")} of ${topic}`}
          className="rounded-sm outline-none hover:text-primary hover:underline focus-visible:ring-2 focus-visible:ring-ring"
        >
          {formatCount(connectionCount)}
        </Link>
      </TableCell>
      <TableCell className="hidden md:table-cell">
        <div className="flex gap-1 overflow-hidden">
          {nodes.slice(0, NODES_SHOWN).map((node) => (
            <Badge key={node.nodeId} variant="outline">
              <span className="max-w-24 truncate font-mono">{node.nodeId}</span>
              <span className="text-foreground tabular-nums">
                {formatCount(node.connectionCount)}
              </span>
            </Badge>
          ))}
          {nodes.length > NODES_SHOWN && (
            <Badge variant="outline" title={nodes.map((node) => node.nodeId).join(", ")}>
              +{nodes.length - NODES_SHOWN}
            </Badge>
          )}
        </div>
      </TableCell>
      <TableCell className="text-right">
        <div className="flex justify-end">
          <Button asChild variant="ghost" size="icon-sm" className="text-muted-foreground">
            <Link to={tail} aria-label={`Tail of ${topic}`} title="Tail events">
              <ScrollText />
            </Link>
          </Button>
          <Button asChild variant="ghost" size="icon-sm" className="text-muted-foreground">
            <Link to={connections} aria-label={`Connections of ${topic}`} title="Connections">
              <Cable />
            </Link>
          </Button>
        </div>
      </TableCell>
    </TableRow>
  );
}
