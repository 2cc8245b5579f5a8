import { Cable, CircleX, SearchX } from "lucide-react";
import { memo, useCallback, useState } from "react";
import type { Connection } from "@/api/types";
import { ConnectionDialog } from "@/components/connection-dialog";
import { ListCard } from "@/components/list-card";
import { ListHeader } from "@/components/list-header";
import { RelativeTime } from "@/components/relative-time";
import { SearchInput } from "@/components/search-input";
import { EmptyState } from "@/components/states";
import { TopicCombobox } from "@/components/topic-combobox";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { NativeSelect } from "@/components/ui/native-select";
import { TableCell, TableHead, TableRow } from "@/components/ui/table";
import { findConnections, SORTS } from "@/lib/find-connections";
import { formatBytes, formatCount } from "@/lib/format";
import { Link, withSearch } from "@/lib/router";
import { useClient } from "@/lib/session";
import { useList } from "@/lib/use-list";

const TOPICS_SHOWN = 2;

/** Found by anything that a row shows, combined. */
export function ConnectionsPage() {
  const client = useClient();
  const list = useList("/connections", (query, signal) => findConnections(client, query, signal));
  const { prefix, topic, subject, find: words, sort } = list.query;
  const looked = list.data?.looked;
  const [opened, setOpened] = useState<Connection | null>(null);
  const open = useCallback((connection: Connection) => setOpened(connection), []);

  return (
    <>
      <ListHeader title="Connections" noun="connection" list={list}>
        <SearchInput
          label="Search connections by ID"
          placeholder="ID starts with…"
          value={prefix}
          onSearch={(next) => list.filter({ prefix: next })}
          className="sm:w-56"
        />
        <SearchInput
          label="Find connections by hint, address or node"
          placeholder="Hint, address, node…"
          value={words}
          onSearch={(next) => list.filter({ find: next })}
          className="sm:w-48"
        />
        <SearchInput
          label="Find connections of a subject"
          placeholder="Subject is…"
          value={subject}
          onSearch={(next) => list.filter({ subject: next })}
          className="sm:w-44"
        />
        <TopicCombobox
          label="Filter by topic"
          placeholder="Any topic"
          value={topic}
          onChoose={(next) => list.filter({ topic: next })}
          className="sm:w-48"
        />
        <NativeSelect
          aria-label="Order"
          value={sort}
          onChange={(change) => list.filter({ sort: change.target.value })}
        >
          <option value="">By ID</option>
          {Object.entries(SORTS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </NativeSelect>
      </ListHeader>
      {looked && looked.at < looked.of && (
        <p role="status" className="mb-3 text-[0.8125rem] text-warning">
          Looked at the first {formatCount(looked.at)} of {formatCount(looked.of)} connections. A
          topic, a subject or the beginning of an ID narrows them down.
        </p>
      )}
      <ListCard
        label="Connections"
        list={list}
        columns={8}
        head={
          <>
            <TableHead className="sm:w-56">Connection</TableHead>
            <TableHead className="hidden sm:table-cell">Topics</TableHead>
            <TableHead className="hidden w-56 lg:table-cell">Address</TableHead>
            <TableHead className="hidden w-40 xl:table-cell">Node</TableHead>
            <TableHead className="hidden w-28 text-right sm:table-cell">Opened</TableHead>
            <TableHead className="hidden w-24 text-right md:table-cell">Delivered</TableHead>
            <TableHead className="hidden w-24 text-right md:table-cell">Queued</TableHead>
            <TableHead className="w-14">
              <span className="sr-only">Actions</span>
            </TableHead>
          </>
        }
        row={(connection, place) => (
          <ConnectionRow key={place} connection={connection} onOpen={open} />
        )}
        empty={
          prefix === "" && topic === "" && subject === "" && words === "" ? (
            <EmptyState icon={Cable} title="No connections">
              Nobody follows a topic right now. A client connects with{" "}
              <code className="font-mono">GET /v1/stream?topic=…</code>
            </EmptyState>
          ) : (
            <EmptyState
              icon={SearchX}
              title="No connection matches"
              action={
                <Button
                  variant="outline"
                  size="sm"
                  onClick={() => list.filter({ prefix: "", topic: "", subject: "", find: "" })}
                >
                  Clear the filter
                </Button>
              }
            >
              Nothing fits{" "}
              {[prefix, words, subject, topic]
                .filter(Boolean)
                .map((one) => `“${one}”`)
                .join(" and ")}{" "}
              right now.
            </EmptyState>
          )
        }
      />
      <ConnectionDialog
        connection={opened}
        onDone={(closed) => {
          setOpened(null);
          if (closed) list.refresh();
        }}
      />
    </>
  );
}

interface ConnectionRowProps {
  connection: Connection;
  onOpen: (connection: Connection) => void;
}

const ConnectionRow = memo(function ConnectionRow({ connection, onOpen }: ConnectionRowProps) {
  const { connectionId, clientId, subject, topics } = connection;
  return (
    <TableRow>
      <TableCell>
        <button
          type="button"
          className="block w-full rounded-sm text-left outline-none hover:text-primary focus-visible:ring-2 focus-visible:ring-ring"
          title="Show everything about this connection"
          onClick={() => onOpen(connection)}
        >
          <span className="block truncate font-mono">{connectionId}</span>
          {(clientId || subject) && (
            <span className="block truncate text-xs text-muted-foreground">
              {[subject, clientId].filter(Boolean).join(" · ")}
            </span>
          )}
          <span className="block text-xs break-all text-muted-foreground sm:hidden">
            {topics[0]}
            {topics.length > 1 && ` +${topics.length - 1}`}
          </span>
        </button>
      </TableCell>
      <TableCell className="hidden sm:table-cell">
        <div className="flex items-center gap-1 overflow-hidden">
          {topics.slice(0, TOPICS_SHOWN).map((topic) => (
            <Link
              key={topic}
              to={withSearch("/tail", { topic })}
              title={`Tail of ${topic}`}
              className="min-w-0 rounded-sm outline-none focus-visible:ring-2 focus-visible:ring-ring focus-visible:ring-inset"
            >
              <Badge className="font-mono font-normal hover:text-primary">
                <span className="truncate">{topic}</span>
              </Badge>
            </Link>
          ))}
          {topics.length > TOPICS_SHOWN && (
            <Badge variant="outline" title={topics.join(", ")}>
              +{topics.length - TOPICS_SHOWN}
            </Badge>
          )}
        </div>
      </TableCell>
      <TableCell className="hidden whitespace-nowrap lg:table-cell">
        <span className="font-mono text-[0.8125rem]">{connection.remoteAddress}</span>
        <span className="ml-2 text-xs text-muted-foreground">{connection.protocol}</span>
      </TableCell>
      <TableCell className="hidden text-muted-foreground xl:table-cell">
        <span className="block truncate font-mono" title={connection.nodeId}>
          {connection.nodeId}
        </span>
      </TableCell>
      <TableCell className="hidden text-right text-muted-foreground sm:table-cell">
        <RelativeTime at={connection.openedAt} />
      </TableCell>
      <TableCell className="hidden text-right tabular-nums md:table-cell">
        {formatCount(connection.delivered)}
      </TableCell>
      <TableCell className="hidden text-right whitespace-nowrap tabular-nums md:table-cell">
        {connection.queuedBytes > 0 ? (
          <span className="text-warning">{formatBytes(connection.queuedBytes)}</span>
        ) : (
          <span className="text-muted-foreground">0 B</span>
        )}
      </TableCell>
      <TableCell className="text-right">
        <Button
          variant="ghost"
          size="icon-sm"
          className="text-muted-foreground hover:text-destructive"
          aria-label={`Close connection ${connectionId}`}
          title="Close connection…"
          onClick={() => onOpen(connection)}
        >
          <CircleX />
        </Button>
      </TableCell>
    </TableRow>
  );
});
