import { Pause, Play, RotateCw } from "lucide-react";
import { live } from "@/lib/live";
import { useStore } from "@/lib/store";
import { cn } from "@/lib/utils";
import { Button } from "./ui/button";

/** Pauses and resumes the refresh of what is shown; while paused, one load can be asked for. */
interface LiveToggleProps {
  onRefresh?: () => void;
  loading?: boolean;
  /** The last refresh failed: nothing on the page is live. */
  failing?: boolean;
}

export function LiveToggle({ onRefresh, loading, failing = false }: LiveToggleProps) {
  const isLive = useStore(live);
  return (
    <div className="flex items-center gap-1.5">
      {!isLive && onRefresh && (
        <Button variant="outline" size="sm" onClick={onRefresh} aria-label="Refresh now">
          <RotateCw className={cn(loading && "animate-spin")} />
        </Button>
      )}
      <Button
        variant="outline"
        size="sm"
        title={isLive ? "Pause refresh" : "Resume refresh"}
        onClick={() => live.set(!isLive)}
      >
        {isLive ? <LiveDot className={cn(failing && "bg-warning")} /> : <Play />}
        {isLive ? (failing ? "Reconnecting…" : "Live") : "Paused"}
        <span className="sr-only">{isLive ? ": pause refresh" : ": resume refresh"}</span>
        {isLive && <Pause className="text-muted-foreground" />}
      </Button>
    </div>
  );
}

export function LiveDot({ className }: { className?: string }) {
  return <span aria-hidden className={cn("size-2 rounded-full bg-success", className)} />;
}
