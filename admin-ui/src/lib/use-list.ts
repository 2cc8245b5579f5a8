/** A paged list whose page, size and filters stand in the address. */
import { useEffect, useState } from "react";
import type { Page } from "@/api/types";
import { type Paging, pageAfterResize, pagingOf, pagingSearch } from "./pagination";
import { navigate, useSearch, withSearch } from "./router";
import { useDebounced } from "./use-debounced";
import { type Resource, useResource } from "./use-resource";

export const LIST_REFRESH_MS = 3000;
const SEARCH_SETTLE_MS = 150;

export interface ListQuery extends Paging {
  prefix: string;
  topic: string;
  subject: string;
  /** See find-connections.ts. */
  find: string;
  sort: string;
}

export type Filters = Omit<ListQuery, keyof Paging>;

export interface List<P extends Page<unknown>> extends Resource<P> {
  query: ListQuery;
  goTo: (page: number) => void;
  resize: (pageSize: number) => void;
  /** Changing a filter leads back to the first page. */
  filter: (filters: Partial<Filters>) => void;
}

export function useList<P extends Page<unknown>>(
  path: string,
  load: (query: ListQuery, signal: AbortSignal) => Promise<P>,
): List<P> {
  const search = useSearch();
  const query: ListQuery = {
    ...pagingOf(search),
    prefix: search.get("prefix") ?? "",
    topic: search.get("topic") ?? "",
    subject: search.get("subject") ?? "",
    find: search.get("find") ?? "",
    sort: search.get("sort") ?? "",
  };
  const resource = useResource(
    `${path} ${JSON.stringify(query)}`,
    (signal) => load(query, signal),
    LIST_REFRESH_MS,
  );

  function show(next: ListQuery, replace: boolean) {
    const { page: _, pageSize: __, ...filters } = next;
    navigate(withSearch(path, { ...filters, ...pagingSearch(next) }), { replace });
  }

  return {
    ...resource,
    query,
    goTo: (page) => show({ ...query, page }, false),
    resize: (pageSize) =>
      show({ ...query, pageSize, page: pageAfterResize(query, pageSize) }, false),
    filter: (filters) => show({ ...query, ...filters, page: 1 }, true),
  };
}

/** What a search box holds: at once on the screen, and handed on once typing rests. */
export function useSearchBox(value: string, onSettled: (value: string) => void) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const settled = useDebounced(text, SEARCH_SETTLE_MS);
  // The address changed under the box (back, a link): it wins over what was typed.
  if (value !== seen) {
    setSeen(value);
    if (value !== settled) setText(value);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed may change the address
  useEffect(() => {
    if (settled === text && settled !== value) onSettled(settled);
  }, [settled]);
  return { text, setText };
}
