import type { ReactNode } from "react";
import { plural } from "@/lib/format";
import { ViewHeader } from "./app-shell";
import { LiveToggle } from "./live-toggle";

interface ListHeaderProps {
  title: string;
  /** What one row is, for "12 topics". */
  noun: string;
  list: {
    data: { total: number } | null;
    error: Error | null;
    loading: boolean;
    refresh: () => void;
  };
  /** Searches and filters. */
  children: ReactNode;
}

/** The title of a page that lists something: how many rows there are, and whether they refresh. */
export function ListHeader({ title, noun, list, children }: ListHeaderProps) {
  return (
    <ViewHeader
      title={title}
      detail={list.data && plural(list.data.total, noun)}
      aside={
        <LiveToggle onRefresh={list.refresh} loading={list.loading} failing={list.error !== null} />
      }
    >
      {children}
    </ViewHeader>
  );
}
