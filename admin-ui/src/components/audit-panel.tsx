import { formatExact, plural } from "@/lib/format";
import { useClient } from "@/lib/session";
import { useResource } from "@/lib/use-resource";
import { visible } from "@/lib/visible";
import { RelativeTime } from "./relative-time";
import { Card, CardHeader, CardTitle } from "./ui/card";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "./ui/table";

const REFRESH_MS = 10_000;

/** What operators did on the node that serves this page, and which keys it refused them. */
export function AuditPanel() {
  const { data } = useResource("audit", useClient().audit, REFRESH_MS);
  if (!data) return null;
  return (
    <Card aria-label="Audit" className="mt-3 overflow-hidden">
      <CardHeader>
        <CardTitle>Audit</CardTitle>
        <span className="text-xs text-muted-foreground">
          {data.data.length === 0
            ? "closed connections, forgotten tails, revocations and refused keys appear here"
            : `${plural(data.data.length, "entry", "entries")} of node ${data.nodeId}`}
        </span>
      </CardHeader>
      {data.data.length > 0 && (
        <div className="max-h-80 overflow-y-auto">
          <Table label="What operators did">
            <TableHeader>
              <TableRow>
                <TableHead>When</TableHead>
                <TableHead>What</TableHead>
                <TableHead>Address</TableHead>
                <TableHead>Key</TableHead>
              </TableRow>
            </TableHeader>
            <TableBody>
              {data.data.map((entry, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: entries have no identity of their own
                <TableRow key={place}>
                  <TableCell title={formatExact(entry.at)} className="text-muted-foreground">
                    <RelativeTime at={entry.at} />
                  </TableCell>
                  <TableCell>
                    {entry.action}{" "}
                    <span className="font-mono break-all">{visible(entry.about)}</span>
                    {entry.count > 1 && ` (${entry.count} times)`}
                  </TableCell>
                  <TableCell className="font-mono">{visible(entry.address)}</TableCell>
                  <TableCell className="font-mono">{entry.key}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        </div>
      )}
    </Card>
  );
}
