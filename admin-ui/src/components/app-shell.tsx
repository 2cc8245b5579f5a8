import { Activity, Cable, Hash, LogOut, type LucideIcon, ScrollText, Send } from "lucide-react";
import type { ReactNode } from "react";
import { signOut } from "@/lib/auth";
import { draft, publishing } from "@/lib/draft";
import { Link } from "@/lib/router";
import { useStore } from "@/lib/store";
import { forgetTheme } from "@/lib/theme";
import { cn } from "@/lib/utils";
import { ErrorBoundary } from "./error-boundary";
import { lazyView } from "./lazy-view";
import { Logo } from "./logo";
import { ThemeToggle } from "./theme-toggle";
import { Button } from "./ui/button";

const PublishDialog = lazyView(async () => (await import("./publish-dialog")).PublishDialog);

const TABS: ReadonlyArray<{ path: string; label: string; icon: LucideIcon }> = [
  { path: "/overview", label: "Overview", icon: Activity },
  { path: "/topics", label: "Topics", icon: Hash },
  { path: "/connections", label: "Connections", icon: Cable },
  { path: "/tail", label: "Tail Events", icon: ScrollText },
];

export function AppShell({ path, children }: { path: string; children: ReactNode }) {
  const isPublishing = useStore(publishing);
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-60 focus:rounded-md focus:bg-primary focus:px-3 focus:py-2 focus:text-primary-foreground"
      >
        Skip to content
      </a>
      <header className="sticky top-0 z-40 border-b bg-card">
        <div className="mx-auto flex max-w-[88rem] flex-wrap items-center gap-x-6 px-4 sm:px-6 md:h-13 md:flex-nowrap">
          <Link
            to="/overview"
            aria-label="Tideway overview"
            className="rounded-md outline-none focus-visible:ring-2 focus-visible:ring-ring"
          >
            <Logo />
          </Link>
          <nav
            aria-label="Views"
            className="order-last -mx-4 flex w-[calc(100%+2rem)] overflow-x-auto px-2 md:order-none md:mx-0 md:w-auto md:self-stretch md:overflow-visible md:px-0"
          >
            {TABS.map((tab) => (
              <Tab key={tab.path} {...tab} active={tab.path === path} />
            ))}
          </nav>
          <div className="my-2 ml-auto flex items-center gap-1">
            <Button
              variant="outline"
              size="sm"
              className="mr-1"
              onClick={() => publishing.set(true)}
            >
              <Send /> Publish
            </Button>
            <ThemeToggle />
            <Button
              variant="ghost"
              size="icon"
              aria-label="Sign out"
              title="Sign out"
              onClick={() => {
                forgetTheme();
                draft.set(null);
                signOut();
              }}
            >
              <LogOut />
            </Button>
          </div>
        </div>
      </header>
      <main
        id="content"
        tabIndex={-1}
        className="mx-auto w-full max-w-[88rem] flex-1 px-4 py-5 outline-none sm:px-6"
      >
        {isPublishing && (
          <ErrorBoundary>
            <PublishDialog open onOpenChange={publishing.set} />
          </ErrorBoundary>
        )}
        {children}
      </main>
    </div>
  );
}

function Tab({ path, label, icon: Icon, active }: (typeof TABS)[number] & { active: boolean }) {
  return (
    <Link
      to={path}
      aria-current={active ? "page" : undefined}
      className={cn(
        "relative flex h-10 items-center gap-1.5 rounded-md px-2.5 text-[0.8125rem] font-medium whitespace-nowrap text-muted-foreground transition-colors outline-none hover:text-foreground focus-visible:ring-2 focus-visible:ring-ring focus-visible:ring-inset md:h-auto md:px-3",
        active &&
          "text-foreground after:absolute after:inset-x-2.5 after:-bottom-px after:h-0.5 after:rounded-full after:bg-primary",
      )}
    >
      <Icon aria-hidden className="hidden size-4 sm:block" />
      {label}
    </Link>
  );
}

interface ViewHeaderProps {
  title: string;
  detail?: ReactNode;
  /** Stays beside the title on a narrow screen, where the tools (children) take a line of their own. */
  aside?: ReactNode;
  children?: ReactNode;
}

export function ViewHeader({ title, detail, aside, children }: ViewHeaderProps) {
  return (
    <div className="mb-4 flex flex-wrap items-center gap-x-2 gap-y-3 sm:min-h-8">
      <div className="mr-auto flex items-baseline gap-2.5">
        <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
        {detail && (
          <span className="text-[0.8125rem] text-muted-foreground tabular-nums">{detail}</span>
        )}
      </div>
      {children && (
        <div className="order-last flex w-full flex-wrap items-center gap-2 sm:order-none sm:w-auto">
          {children}
        </div>
      )}
      {aside}
    </div>
  );
}
