import { createContext, type ReactNode, useContext, useMemo } from "react";
import { type Client, createClient } from "@/api/client";
import { expire } from "./auth";
import { ROOT } from "./root";

const ClientContext = createContext<Client | null>(null);

/** Gives everything below it a client that speaks with `apiKey` and signs out when the gateway refuses it. */
export function SessionProvider({ apiKey, children }: { apiKey: string; children: ReactNode }) {
  const client = useMemo(
    () => createClient({ key: apiKey, root: ROOT, onUnauthorized: () => expire(apiKey) }),
    [apiKey],
  );
  return <ClientContext value={client}>{children}</ClientContext>;
}

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a SessionProvider above it");
  return client;
}
