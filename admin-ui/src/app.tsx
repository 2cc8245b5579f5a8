import { type ComponentType, useEffect } from "react";
import { AppShell } from "@/components/app-shell";
import { ErrorBoundary } from "@/components/error-boundary";
import { lazyView, preloadViews } from "@/components/lazy-view";
import { Toaster } from "@/components/toaster";
import { Skeleton } from "@/components/ui/skeleton";
import { auth } from "@/lib/auth";
import { navigate, usePath } from "@/lib/router";
import { SessionProvider, useClient } from "@/lib/session";
import { useStatsSampler } from "@/lib/stats-sampler";
import { useStore } from "@/lib/store";
import { NotFoundPage } from "@/pages/not-found";
import { OverviewPage } from "@/pages/overview";
import { SignInPage } from "@/pages/sign-in";

// The first view loads what it shows; the other tabs come with the first look at one of them.
const loading = <Skeleton className="h-64 rounded-xl" />;
const TopicsPage = lazyView(async () => (await import("@/pages/topics")).TopicsPage, loading);
const ConnectionsPage = lazyView(
  async () => (await import("@/pages/connections")).ConnectionsPage,
  loading,
);
const TailPage = lazyView(async () => (await import("@/pages/tail")).TailPage, loading);

const PAGES: Record<string, { title: string; page: ComponentType }> = {
  "/overview": { title: "Overview", page: OverviewPage },
  "/topics": { title: "Topics", page: TopicsPage },
  "/connections": { title: "Connections", page: ConnectionsPage },
  "/tail": { title: "Tail Events", page: TailPage },
};

export function App() {
  const { key, notice } = useStore(auth);
  if (key === null) return <SignInPage notice={notice} />;
  return (
    <SessionProvider apiKey={key}>
      <ErrorBoundary>
        <SignedIn />
      </ErrorBoundary>
      <Toaster />
    </SessionProvider>
  );
}

function SignedIn() {
  const path = usePath();
  const { title, page: Page } = PAGES[path] ?? { title: "Not found", page: NotFoundPage };
  useStatsSampler(useClient());
  useEffect(preloadViews, []);

  useEffect(() => {
    if (path === "") navigate(`/overview${location.search}`, { replace: true });
    document.title = `${title} · Tideway`;
  }, [path, title]);

  if (path === "") return null;
  return (
    <AppShell path={path}>
      <ErrorBoundary key={path}>
        <Page />
      </ErrorBoundary>
    </AppShell>
  );
}
