import { CircleAlert, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "@/api/client";
import { ShapeError } from "@/api/shape";
import { formatSeconds } from "@/lib/format";
import { Button } from "./ui/button";

interface StateProps {
  icon: LucideIcon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon: Icon, title, children, action }: StateProps) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <span className="mb-3 grid size-10 place-items-center rounded-full bg-muted text-muted-foreground">
        <Icon aria-hidden className="size-5" />
      </span>
      <p className="font-medium">{title}</p>
      <div className="mt-1 max-w-md text-[0.8125rem] text-pretty text-muted-foreground">
        {children}
      </div>
      {action && <div className="mt-4 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** What happened and what the reader can do about it. */
export function explain(error: Error): { title: string; advice: string } {
  if (error instanceof ApiError) {
    if (error.status === 0) {
      return {
        title: "The gateway cannot be reached",
        advice:
          "Check that it runs and that this address leads to it. The page tries again by itself.",
      };
    }
    if (error.status === 503) {
      return { title: "The gateway is not available right now", advice: error.message };
    }
    return {
      title: `The gateway refused this (${error.status} ${error.code})`,
      advice: error.message,
    };
  }
  if (error instanceof ShapeError) {
    return {
      title: "The gateway answered in an unknown form",
      advice: `${error.message}. Reload the page: the gateway may be newer than it.`,
    };
  }
  return { title: "This view failed to load", advice: error.message };
}

export function ErrorState({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const { title, advice } = explain(error);
  return (
    <div role="alert">
      <EmptyState
        icon={CircleAlert}
        title={title}
        action={
          onRetry && (
            <Button variant="outline" size="sm" onClick={onRetry}>
              Try again
            </Button>
          )
        }
      >
        {advice}
      </EmptyState>
    </div>
  );
}

/** For a failed refresh above data that is still worth reading. */
export function StaleBanner({ error, since }: { error: Error; since: number }) {
  const { title, advice } = explain(error);
  return (
    <p
      role="alert"
      className="flex items-start gap-2 border-b border-warning/30 bg-warning/8 px-4 py-2 text-[0.8125rem]"
    >
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warning" />
      <span>
        <strong className="font-medium">{title}.</strong> Showing data from {formatSeconds(since)}.{" "}
        {advice}
      </span>
    </p>
  );
}
