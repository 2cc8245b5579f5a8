/** What the contract tests use of gateway.mjs. */
export interface Gateway {
  url: string;
  port: number;
  key: string;
  log: () => string;
  restart: (withKeys: string, whileDown?: () => Promise<unknown>) => Promise<void>;
  stop: () => Promise<void>;
}

export interface Peer {
  open: (count: number, topics: string[], clientId?: string | null) => Promise<{ opened: number }>;
  publish: (topic: string, id: string, payload: string, event?: string | null) => Promise<unknown>;
  burst: (topic: string, count: number) => Promise<unknown>;
  ended: () => Promise<number>;
  stop: () => Promise<void>;
}

export function startGateway(setup?: {
  keys?: string;
  options?: Record<string, string | number>;
}): Promise<Gateway>;

export function startPeer(gateway: Gateway): Peer;
