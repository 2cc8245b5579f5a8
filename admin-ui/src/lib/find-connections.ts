/**
 * Finds and sorts streams by what the gateway has no order for: it looks at the first ones, as many as are bearable, and says
 * how many these were. One of prefix, topic and subject narrows them down before.
 */
import type { Client, PageQuery } from "@/api/client";
import { type Connection, PAGE_SIZE_MAX, type Page } from "@/api/types";

export const LOOKED_AT_MAX = 5000;

export const SORTS = {
  queued: { label: "Most queued first", key: (one: Connection) => -one.queuedBytes },
  delivered: { label: "Most delivered first", key: (one: Connection) => -one.delivered },
  oldest: { label: "Oldest first", key: (one: Connection) => one.openedAt },
  newest: { label: "Newest first", key: (one: Connection) => -one.openedAt },
} as const;

export type Sort = keyof typeof SORTS;

export function sortOf(text: string): Sort | null {
  return Object.hasOwn(SORTS, text) ? (text as Sort) : null;
}

export interface FoundPage extends Page<Connection> {
  /** How many were looked at, of how many; null: all, in the gateway's own order. */
  looked: { at: number; of: number } | null;
}

/** Every word has to stand in hint, subject, address, node or a topic, in any case. */
export function matchesWords(one: Connection, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const { clientId, subject, remoteAddress, nodeId, topics } = one;
  const hay = [clientId, subject, remoteAddress, nodeId, ...topics].join("\n").toLowerCase();
  return words.every((word) => hay.includes(word));
}

export async function findConnections(
  client: Pick<Client, "connections">,
  query: PageQuery & { find: string; sort: string },
  signal?: AbortSignal,
): Promise<FoundPage> {
  const { find, sort, ...asked } = query;
  const { prefix, topic, subject } = asked;
  const order = sortOf(sort);
  const orders = [prefix, topic, subject].filter(Boolean).length;
  if (find.trim() === "" && order === null && orders <= 1)
    return { ...(await client.connections(asked, signal)), looked: null };

  // The gateway takes one of them. A subject has fewer streams than a topic, and a topic than a node, as a rule.
  const one = subject ? { subject } : topic ? { topic } : prefix ? { prefix } : {};
  const load = (page: number) =>
    client.connections({ page, pageSize: PAGE_SIZE_MAX, ...one }, signal);
  const first = await load(1);
  const all = [...first.data];
  for (let page = 2; all.length < Math.min(first.total, LOOKED_AT_MAX); page++) {
    const next = await load(page);
    if (next.data.length === 0) break;
    all.push(...next.data);
  }
  const found = all.filter(
    (row) =>
      row.connectionId.startsWith(prefix ?? "") &&
      (!topic || row.topics.includes(topic)) &&
      (!subject || row.subject === subject) &&
      matchesWords(row, find),
  );
  if (order !== null) {
    const { key } = SORTS[order];
    found.sort((a, b) => key(a) - key(b));
  }
  const from = (query.page - 1) * query.pageSize;
  return {
    page: query.page,
    pageSize: query.pageSize,
    total: found.length,
    data: found.slice(from, from + query.pageSize),
    looked: { at: all.length, of: Math.max(first.total, all.length) },
  };
}
