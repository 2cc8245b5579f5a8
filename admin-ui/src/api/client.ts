/**
 * The one place that talks HTTP. Every call carries the key in `Authorization: Bearer`, sends no cookie, checks the shape
 * of the answer and ends in a value or an ApiError; an abort by the caller rejects with the signal's reason.
 */
import type { Shape } from "./shape";
import { readEventStream, type SseMessage } from "./sse";
import {
  type Audit,
  auditShape,
  type Connection,
  connectionPageShape,
  errorShape,
  type GatewayNode,
  nodesShape,
  type Page,
  type PublishResult,
  publishShape,
  type Stats,
  statsShape,
  type Tail,
  type Topic,
  tailShape,
  topicPageShape,
} from "./types";

/** `status` is 0 when no answer came at all (`code` "unreachable"). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export interface PageQuery {
  page: number;
  pageSize: number;
  prefix?: string;
  topic?: string;
  subject?: string;
}

export interface PublishRequest {
  topics: string;
  id: string;
  event: string;
  payload: string;
}

export interface ClientOptions {
  key: string;
  /** What stands in front of /v1 in the API's paths. */
  root?: string;
  /** Called for each 401, before the call rejects. */
  onUnauthorized?: () => void;
  fetch?: typeof fetch;
}

export type Client = ReturnType<typeof createClient>;

export function createClient({
  key,
  root = "",
  onUnauthorized,
  fetch: doFetch = fetch,
}: ClientOptions) {
  async function send(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${key}`);
    let response: Response;
    try {
      response = await doFetch(root + path, {
        ...init,
        headers,
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        ...(signal && { signal }),
      });
    } catch {
      signal?.throwIfAborted();
      throw new ApiError(0, "unreachable", "The gateway did not answer.");
    }
    if (response.ok) return response;
    if (response.status === 401) onUnauthorized?.();
    throw await errorOf(response);
  }

  async function json<T>(shape: Shape<T>, path: string, init: RequestInit, signal?: AbortSignal) {
    const response = await send(path, init, signal);
    let body: unknown;
    try {
      body = await response.json();
    } catch {
      signal?.throwIfAborted();
      throw new ApiError(response.status, "bad_answer", `${path} did not answer with JSON.`);
    }
    return shape(body, "answer");
  }

  const get = <T>(shape: Shape<T>, path: string, signal?: AbortSignal) =>
    json(shape, path, { method: "GET" }, signal);

  return {
    stats: (signal?: AbortSignal): Promise<Stats> => get(statsShape, "/v1/admin/stats", signal),

    audit: (signal?: AbortSignal): Promise<Audit> => get(auditShape, "/v1/admin/audit", signal),

    nodes: async (signal?: AbortSignal): Promise<GatewayNode[]> =>
      (await get(nodesShape, "/v1/admin/nodes", signal)).data,

    topics: (query: PageQuery, signal?: AbortSignal): Promise<Page<Topic>> =>
      get(topicPageShape, `/v1/admin/topics?${searchOf(query)}`, signal),

    connections: (query: PageQuery, signal?: AbortSignal): Promise<Page<Connection>> =>
      get(connectionPageShape, `/v1/admin/connections?${searchOf(query)}`, signal),

    tail: (topic: string, limit: number, signal?: AbortSignal): Promise<Tail> =>
      get(tailShape, `/v1/admin/tail?${topicSearch(topic)}&limit=${limit}`, signal),

    /** Calls onMessage for each frame until the stream ends (resolves) or breaks (rejects). onOpen runs once, before. */
    tailStream: async (
      topic: string,
      lastEventId: string | null,
      on: { open: () => void; message: (message: SseMessage) => void },
      signal: AbortSignal,
    ): Promise<void> => {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (lastEventId !== null) headers["last-event-id"] = lastEventId;
      const response = await send(
        `/v1/admin/tail/stream?${topicSearch(topic)}`,
        { headers },
        signal,
      );
      if (!response.body) throw new ApiError(response.status, "bad_answer", "The stream is empty.");
      on.open();
      await readEventStream(response.body, on.message, signal);
    },

    publish: (request: PublishRequest, signal?: AbortSignal): Promise<PublishResult> => {
      const headers: Record<string, string> = {
        "content-type": "text/plain; charset=utf-8",
        "x-sse-topic": request.topics,
        "x-sse-id": request.id,
      };
      if (request.event !== "") headers["x-sse-event"] = request.event;
      return json(
        publishShape,
        "/v1/publish",
        { method: "POST", headers, body: request.payload },
        signal,
      );
    },

    /** True when the connection was closed, false when it was gone already. */
    closeConnection: async (connectionId: string, signal?: AbortSignal): Promise<boolean> => {
      try {
        await send(
          `/v1/admin/connections/${encodeURIComponent(connectionId)}`,
          { method: "DELETE" },
          signal,
        );
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return false;
        throw error;
      }
    },
  };
}

/** A topic goes into the query: proxies decode or refuse `%2F` in a path. */
function topicSearch(topic: string): string {
  return new URLSearchParams({ topic }).toString();
}

function searchOf(query: PageQuery): string {
  const search = new URLSearchParams({
    page: String(query.page),
    pageSize: String(query.pageSize),
  });
  if (query.prefix) search.set("prefix", query.prefix);
  if (query.topic) search.set("topic", query.topic);
  if (query.subject) search.set("subject", query.subject);
  return search.toString();
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { error } = errorShape(await response.json(), "answer");
    return new ApiError(response.status, error.code, error.message);
  } catch {
    const message = `The gateway answered ${response.status} ${response.statusText}`.trimEnd();
    return new ApiError(response.status, "bad_answer", `${message}.`);
  }
}
