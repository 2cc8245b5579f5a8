/** Every answer of the gateway that the UI reads, written once: the shape checks it, the type is inferred from it. */
import {
  type Infer,
  instant,
  list,
  nullable,
  number,
  object,
  record,
  type Shape,
  string,
} from "./shape";

/** The most rows a page can have; the gateway lowers what is larger. */
export const PAGE_SIZE_MAX = 500;

/** The most events that one tail answer can have. */
export const TAIL_LIMIT_MAX = 500;

export interface Page<T> {
  page: number;
  pageSize: number;
  total: number;
  data: T[];
}

function pageOf<T>(item: Shape<T>): Shape<Page<T>> {
  return object({ page: number, pageSize: number, total: number, data: list(item) });
}

export const topicShape = object({
  topic: string,
  connectionCount: number,
  nodes: list(object({ nodeId: string, connectionCount: number })),
});
export type Topic = Infer<typeof topicShape>;
export const topicPageShape = pageOf(topicShape);

/** One open SSE stream. `clientId` is the client's own hint and need not be unique; `subject` is that of its token. */
export const connectionShape = object({
  connectionId: string,
  clientId: nullable(string),
  subject: nullable(string),
  topics: list(string),
  nodeId: string,
  remoteAddress: string,
  protocol: string,
  openedAt: instant,
  delivered: number,
  queuedBytes: number,
});
export type Connection = Infer<typeof connectionShape>;
export const connectionPageShape = pageOf(connectionShape);

/**
 * Gauges (connections, streams, topics, queuedBytes) are of now; everything else counts up from the node's start. `now` is when
 * the node counted, by its own clock.
 */
export const statsShape = object({
  nodeId: string,
  connections: number,
  streams: number,
  topics: number,
  publishesAccepted: number,
  publishesDropped: number,
  publishesRefused: number,
  deliveries: number,
  bytes: number,
  queuedBytes: number,
  closes: record(number),
  uptimeMs: number,
  now: instant,
});
export type Stats = Infer<typeof statsShape>;

export const nodeShape = object({
  nodeId: string,
  hostname: string,
  ip: string,
  startedAt: instant,
  version: string,
  connectionCount: number,
  /** "up" or "draining". */
  state: string,
  stats: nullable(statsShape),
});
export type GatewayNode = Infer<typeof nodeShape>;
export const nodesShape = object({ data: list(nodeShape) });

/** `position` is the gateway's own and unique; `id` is the publisher's and need not be. */
export const tailEventShape = object({
  position: string,
  id: string,
  event: nullable(string),
  payload: string,
  publishedAt: instant,
});
export type TailEvent = Infer<typeof tailEventShape>;
export const tailShape = object({ topic: string, events: list(tailEventShape) });
export type Tail = Infer<typeof tailShape>;

/** What operators did on one node, newest first. `about` is what they did it to, `key` a fingerprint. */
export const auditShape = object({
  nodeId: string,
  data: list(
    object({
      at: instant,
      action: string,
      about: string,
      address: string,
      key: string,
      count: number,
    }),
  ),
});
export type Audit = Infer<typeof auditShape>;

export const publishShape = object({
  status: string,
  id: string,
  delivered: nullable(number),
  droppedTopics: list(string),
});
export type PublishResult = Infer<typeof publishShape>;

export const errorShape = object({ error: object({ code: string, message: string }) });
