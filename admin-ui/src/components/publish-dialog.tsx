import { CircleAlert, CircleCheck, Send } from "lucide-react";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { ApiError } from "@/api/client";
import type { PublishResult } from "@/api/types";
import { type Draft, draft } from "@/lib/draft";
import { plural } from "@/lib/format";
import { randomHex } from "@/lib/random";
import { useSearch } from "@/lib/router";
import { useClient } from "@/lib/session";
import { explain } from "./states";
import { Button } from "./ui/button";
import {
  Dialog,
  DialogClose,
  DialogContent,
  DialogDescription,
  DialogFooter,
  DialogHeader,
  DialogTitle,
} from "./ui/dialog";
import { Input } from "./ui/input";
import { Label } from "./ui/label";
import { Textarea } from "./ui/textarea";

const SAMPLE_PAYLOAD = '{"message": "Hello from the Tideway admin UI"}';

/** Header values carry visible ASCII; the gateway checks everything else and its message is shown. */
const HEADER_PATTERN = "[ -~]*";
const HEADER_HINT = "ASCII characters only";

type Outcome = { result: PublishResult } | { error: Error };

function newId(): string {
  return `test-${randomHex()}`;
}

export function PublishDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange}>
      <DialogContent>
        <DialogHeader>
          <DialogTitle>Publish a test event</DialogTitle>
          <DialogDescription>
            It goes to every stream that follows the topics now.
          </DialogDescription>
        </DialogHeader>
        <PublishForm />
      </DialogContent>
    </Dialog>
  );
}

function PublishForm() {
  const client = useClient();
  const currentTopic = useSearch().get("topic") ?? "";
  const [content, setContent] = useState(
    () => draft.get() ?? { topics: currentTopic, event: "", payload: SAMPLE_PAYLOAD },
  );
  const { topics, event, payload } = content;
  const [id, setId] = useState(newId);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const field = useId();

  function write(part: Partial<Draft>) {
    const next = { ...content, ...part };
    setContent(next);
    draft.set(next);
  }

  async function publish(submit: FormEvent) {
    submit.preventDefault();
    setBusy(true);
    setOutcome(null);
    try {
      setOutcome({ result: await client.publish({ topics, id, event, payload }) });
      setId(newId());
      draft.set(null);
    } catch (error) {
      setOutcome({ error: error instanceof Error ? error : new Error(String(error)) });
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={publish} className="space-y-3.5">
      <HeaderField
        id={`${field}-topics`}
        label="Topics"
        value={topics}
        onValue={(next) => write({ topics: next })}
        placeholder="orders.created, orders.audit"
        required
      />
      <div className="grid gap-3.5 sm:grid-cols-2">
        <HeaderField
          id={`${field}-id`}
          label="Event ID"
          value={id}
          onValue={setId}
          maxLength={256}
          required
        />
        <HeaderField
          id={`${field}-event`}
          label={
            <>
              Event type <span className="font-normal text-muted-foreground">(optional)</span>
            </>
          }
          value={event}
          onValue={(next) => write({ event: next })}
          placeholder="message"
        />
      </div>
      <div className="space-y-1.5">
        <Label htmlFor={`${field}-payload`}>Payload</Label>
        <Textarea
          id={`${field}-payload`}
          value={payload}
          onChange={(change) => write({ payload: change.target.value })}
          spellCheck={false}
          rows={5}
          className="font-mono text-[0.8125rem]"
        />
      </div>
      <div role="status" className="min-h-5">
        {outcome && <OutcomeLine outcome={outcome} />}
      </div>
      <DialogFooter className="mt-0">
        <DialogClose asChild>
          <Button variant="ghost">Done</Button>
        </DialogClose>
        <Button type="submit" disabled={busy}>
          <Send /> {busy ? "Publishing…" : "Publish"}
        </Button>
      </DialogFooter>
    </form>
  );
}

interface HeaderFieldProps {
  id: string;
  label: ReactNode;
  value: string;
  onValue: (value: string) => void;
  placeholder?: string;
  maxLength?: number;
  required?: boolean;
}

/** A text that goes into a header of the request. */
function HeaderField({ id, label, onValue, ...input }: HeaderFieldProps) {
  return (
    <div className="space-y-1.5">
      <Label htmlFor={id}>{label}</Label>
      <Input
        id={id}
        onChange={(change) => onValue(change.target.value)}
        pattern={HEADER_PATTERN}
        title={HEADER_HINT}
        autoComplete="off"
        spellCheck={false}
        {...input}
      />
    </div>
  );
}

/** What the gateway says of headers, in the words of this form. */
const FIELD_PROBLEMS: Record<string, string> = {
  missing_topic: "Name at least one topic.",
  missing_id: "Give the event an ID.",
  invalid_id: "The event ID has to be 1 to 256 printable ASCII characters.",
  invalid_event: "The event type has to be 1 to 256 printable ASCII characters.",
};

function problemOf(error: Error): string {
  if (error instanceof ApiError && error.status === 400) {
    return FIELD_PROBLEMS[error.code] ?? error.message;
  }
  const { title, advice } = explain(error);
  return `${title}. ${advice}`;
}

function OutcomeLine({ outcome }: { outcome: Outcome }) {
  if ("error" in outcome) {
    return (
      <p className="flex gap-2 text-[0.8125rem] text-destructive">
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
        <span>{problemOf(outcome.error)}</span>
      </p>
    );
  }
  const { status, id, delivered, droppedTopics } = outcome.result;
  const dropped = droppedTopics.length > 0 && `Nobody follows ${droppedTopics.join(", ")}.`;
  if (status !== "accepted") {
    return (
      <p className="flex gap-2 text-[0.8125rem] text-warning">
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
        <span>
          Dropped: {id} reached no stream. {dropped}
        </span>
      </p>
    );
  }
  return (
    <p className="flex gap-2 text-[0.8125rem] text-success">
      <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0" />
      <span>
        Delivered {id} to {plural(delivered ?? 0, "stream")}. {dropped}
      </span>
    </p>
  );
}
