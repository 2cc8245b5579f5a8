/** Addresses in the page's folder: what a tab shows is in its path and query, so that reload, back and sharing keep it. */
import { type ComponentProps, useMemo, useSyncExternalStore } from "react";
import { BASE } from "./root";

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

/** `to` starts behind BASE: "/topics?page=2". */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  const url = BASE + to;
  if (url === location.pathname + location.search) return;
  if (options.replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  for (const listener of [...listeners]) listener();
}

/** The path behind BASE, without a slash at its end: "" at /admin/. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => pathOf(location.pathname));
}

export function pathOf(pathname: string, base: string = BASE): string {
  const path = pathname.startsWith(base) ? pathname.slice(base.length) : pathname;
  return path.replace(/\/+$/, "");
}

export function useSearch(): URLSearchParams {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return useMemo(() => new URLSearchParams(search), [search]);
}

/** Path and query with every value that is not empty. */
export function withSearch(path: string, values: Record<string, string | number>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    if (value !== "") search.set(name, String(value));
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** An anchor that changes the view without a page load; modified clicks stay with the browser. */
export function Link({ to, onClick, ...props }: ComponentProps<"a"> & { to: string }) {
  return (
    <a
      {...props}
      href={BASE + to}
      onClick={(click) => {
        onClick?.(click);
        if (click.defaultPrevented || click.button !== 0) return;
        if (click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
        click.preventDefault();
        navigate(to);
      }}
    />
  );
}
