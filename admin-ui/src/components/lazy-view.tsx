import { CircleAlert } from "lucide-react";
import { type ComponentType, type ReactNode, useEffect, useState } from "react";
import { EmptyState } from "./states";
import { Button } from "./ui/button";
import { Card } from "./ui/card";

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 15_000;
/** Late enough not to compete with the first view. */
const PRELOAD_AFTER_MS = 4000;

const preloads: Array<() => Promise<unknown>> = [];

/** Loads every lazy part soon, so that an outage later finds them in the browser. Returns how to take that back. */
export function preloadViews(): () => void {
  const timer = setTimeout(() => {
    for (const preload of preloads) preload().catch(() => {});
  }, PRELOAD_AFTER_MS);
  return () => clearTimeout(timer);
}

/**
 * A part of the UI that is loaded when it is first shown. While it cannot be loaded it says so and tries again by itself,
 * since the gateway that serves it may be away for a moment.
 */
export function lazyView<P extends object>(
  load: () => Promise<ComponentType<P>>,
  placeholder: ReactNode = null,
): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;

  async function preload(): Promise<ComponentType<P>> {
    loaded ??= await load();
    return loaded;
  }
  preloads.push(preload);

  return function LazyView(props: P) {
    const [part, setPart] = useState<{ View: ComponentType<P> | null }>({ View: loaded });
    const [failed, setFailed] = useState(false);

    useEffect(() => {
      if (part.View) return;
      let retryMs = RETRY_MS_MIN;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let gone = false;

      async function attempt() {
        try {
          const View = await preload();
          if (!gone) setPart({ View });
        } catch {
          if (gone) return;
          setFailed(true);
          timer = setTimeout(attempt, retryMs);
          retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
        }
      }

      void attempt();
      return () => {
        gone = true;
        clearTimeout(timer);
      };
    }, [part.View]);

    if (part.View) return <part.View {...props} />;
    return failed ? <Unloaded /> : placeholder;
  };
}

function Unloaded() {
  return (
    <Card role="alert">
      <EmptyState
        icon={CircleAlert}
        title="This view cannot be loaded"
        action={
          <Button variant="outline" size="sm" onClick={() => location.reload()}>
            Reload the page
          </Button>
        }
      >
        The gateway does not answer, or was updated since this page was opened. The page tries again
        by itself.
      </EmptyState>
    </Card>
  );
}
