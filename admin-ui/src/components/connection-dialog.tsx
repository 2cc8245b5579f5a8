import { useState } from "react";
import type { Connection } from "@/api/types";
import { formatBytes, formatCount, formatExact } from "@/lib/format";
import { useClient } from "@/lib/session";
import { showToast } from "@/lib/toast";
import { CopyButton } from "./copy-button";
import { RelativeTime } from "./relative-time";
import { explain } from "./states";
import {
  AlertDialog,
  AlertDialogCancel,
  AlertDialogContent,
  AlertDialogDescription,
  AlertDialogTitle,
} from "./ui/alert-dialog";
import { Button } from "./ui/button";

interface ConnectionDialogProps {
  connection: Connection | null;
  onDone: (closed: boolean) => void;
}

/** Everything known of one connection, and the way to close it: asked for first, then confirmed. */
export function ConnectionDialog({ connection, onDone }: ConnectionDialogProps) {
  return (
    <AlertDialog open={connection !== null} onOpenChange={(open) => !open && onDone(false)}>
      {connection && (
        <AlertDialogContent>
          <Body connection={connection} onDone={onDone} />
        </AlertDialogContent>
      )}
    </AlertDialog>
  );
}

function Body({
  connection,
  onDone,
}: {
  connection: Connection;
  onDone: (closed: boolean) => void;
}) {
  const client = useClient();
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const { connectionId } = connection;

  async function close() {
    setBusy(true);
    setError(null);
    try {
      const closed = await client.closeConnection(connectionId);
      showToast(
        closed
          ? `Connection ${connectionId} is closed.`
          : `Connection ${connectionId} was gone already.`,
      );
      onDone(true);
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
      setBusy(false);
    }
  }

  return (
    <>
      <AlertDialogTitle>{asked ? "Disconnect this client?" : "Connection"}</AlertDialogTitle>
      <AlertDialogDescription>
        {asked
          ? "Its stream ends at once and the log names this as the reason. Most clients come back by themselves within seconds."
          : "One open event stream of one client."}
      </AlertDialogDescription>
      <Facts connection={connection} brief={asked} />
      {error && (
        <p role="alert" className="mt-4 text-[0.8125rem] text-destructive">
          {explain(error).title}. {explain(error).advice}
        </p>
      )}
      <div className="mt-5 flex flex-wrap justify-between gap-2">
        {asked ? (
          <Button variant="destructive" disabled={busy} onClick={close}>
            {busy ? "Closing…" : "Yes, close it"}
          </Button>
        ) : (
          <Button variant="outline" className="text-destructive" onClick={() => setAsked(true)}>
            Close connection…
          </Button>
        )}
        <AlertDialogCancel asChild>
          <Button variant={asked ? "outline" : "default"}>{asked ? "Keep it open" : "Done"}</Button>
        </AlertDialogCancel>
      </div>
    </>
  );
}

function Facts({ connection, brief }: { connection: Connection; brief: boolean }) {
  const facts = [
    ["ID", connection.connectionId],
    ["Client", connection.clientId ?? "–"],
    ["Subject", connection.subject ?? "–"],
    ["Address", connection.remoteAddress],
  ] as const;
  const more = [
    ["Node", connection.nodeId],
    ["Protocol", connection.protocol],
    ["Delivered", formatCount(connection.delivered)],
    ["Queued", formatBytes(connection.queuedBytes)],
  ] as const;
  return (
    <dl className="mt-4 grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-2 text-[0.8125rem]">
      {[...facts, ...(brief ? [] : more)].map(([name, value]) => (
        <Fact key={name} name={name}>
          <span className="flex items-center gap-1">
            <span className="font-mono break-all">{value}</span>
            {name === "ID" && (
              <CopyButton text={value} label="Copy connection ID" className="-my-1.5" />
            )}
          </span>
        </Fact>
      ))}
      {!brief && (
        <>
          <Fact name="Opened">
            {formatExact(connection.openedAt)} (<RelativeTime at={connection.openedAt} />)
          </Fact>
          <Fact name="Topics">
            <ul
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
              tabIndex={0}
              aria-label="Topics of the connection"
              className="max-h-40 overflow-y-auto font-mono break-all"
            >
              {connection.topics.map((topic) => (
                <li key={topic}>{topic}</li>
              ))}
            </ul>
          </Fact>
        </>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-muted-foreground">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}
