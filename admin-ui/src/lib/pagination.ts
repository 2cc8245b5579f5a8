/** Arithmetic of server-side pages, and how a page stands in the address. */
import { PAGE_SIZE_MAX } from "@/api/types";

export const PAGE_SIZES = [25, 50, 100, 250, PAGE_SIZE_MAX] as const;
export const PAGE_SIZE_DEFAULT = 100;

export interface Paging {
  page: number;
  pageSize: number;
}

function positive(text: string | null): number | null {
  if (text === null || !/^[1-9]\d{0,8}$/.test(text)) return null;
  return Number(text);
}

/** What the address asks for; anything that is not a positive integer counts as not said. */
export function pagingOf(search: URLSearchParams): Paging {
  const pageSize = positive(search.get("pageSize")) ?? PAGE_SIZE_DEFAULT;
  return { page: positive(search.get("page")) ?? 1, pageSize: Math.min(pageSize, PAGE_SIZE_MAX) };
}

/** The values for the address; defaults are left out, so that the plain address stays plain. */
export function pagingSearch({ page, pageSize }: Paging): Record<string, string> {
  return {
    page: page === 1 ? "" : String(page),
    pageSize: pageSize === PAGE_SIZE_DEFAULT ? "" : String(pageSize),
  };
}

/** At least 1: an empty list has one empty page. */
export function pageCount(total: number, pageSize: number): number {
  return Math.max(1, Math.ceil(total / pageSize));
}

/** First and last row of a page, counted from 1; null when the page has no rows. */
export function rowRange({ page, pageSize }: Paging, total: number): [number, number] | null {
  const first = (page - 1) * pageSize + 1;
  return first > total ? null : [first, Math.min(total, first + pageSize - 1)];
}

/** The page that holds what was the first row when the page size changes. */
export function pageAfterResize({ page, pageSize }: Paging, nextSize: number): number {
  return Math.floor(((page - 1) * pageSize) / nextSize) + 1;
}

export function clampPage(page: number, total: number, pageSize: number): number {
  return Math.min(Math.max(1, page), pageCount(total, pageSize));
}
