import { CornerUpLeft } from "lucide-react";
import type { ReactNode } from "react";
import type { Page } from "@/api/types";
import { clampPage } from "@/lib/pagination";
import type { List } from "@/lib/use-list";
import { cn } from "@/lib/utils";
import { Pager, PageTurner } from "./pager";
import { EmptyState, ErrorState, StaleBanner } from "./states";
import { Button } from "./ui/button";
import { Card } from "./ui/card";
import { Skeleton } from "./ui/skeleton";
import { Table, TableBody, TableCell, TableHeader, TableRow } from "./ui/table";

const SKELETON_ROWS = 8;

interface ListCardProps<T> {
  label: string;
  list: List<Page<T>>;
  columns: number;
  /** Cells with a width each but one: columns keep still from page to page, and layout is cheap. */
  head: ReactNode;
  /** Rows are keyed by their place: a page turn then changes texts instead of building a hundred rows anew. */
  row: (item: T, place: number) => ReactNode;
  /** Shown in place of the table when the whole list is empty. */
  empty: ReactNode;
}

/** A table of one server-side page with everything around it: first load, refresh, failure, emptiness, paging. */
export function ListCard<T>({ label, list, columns, head, row, empty }: ListCardProps<T>) {
  const { data, at, error, stale, query, refresh, goTo, resize } = list;
  if (error && !data) {
    return (
      <Card>
        <ErrorState error={error} onRetry={refresh} />
      </Card>
    );
  }
  const banner = error && <StaleBanner error={error} since={at} />;
  if (data?.total === 0 && !stale) {
    return (
      <Card className="overflow-hidden">
        {banner}
        {empty}
      </Card>
    );
  }

  // The gateway may lower what was asked for: the answer says what it is a page of.
  const paging = data && !stale ? { page: data.page, pageSize: data.pageSize } : query;
  return (
    <Card aria-label={label} aria-busy={data === null || stale} className="overflow-hidden">
      {banner}
      {data && <PageTurner paging={paging} total={data.total} onPage={goTo} />}
      <Table label={`${label}, page ${paging.page}`} className="table-fixed">
        <TableHeader>
          <TableRow>{head}</TableRow>
        </TableHeader>
        <TableBody className={cn(stale && "opacity-50 transition-opacity delay-200")}>
          {data?.data.map(row)}
          {data === null && <SkeletonRows columns={columns} />}
        </TableBody>
      </Table>
      {data?.data.length === 0 && !stale && (
        <EmptyState
          icon={CornerUpLeft}
          title={`There is no page ${paging.page} any more`}
          action={
            <Button
              variant="outline"
              size="sm"
              onClick={() => goTo(clampPage(paging.page, data.total, paging.pageSize))}
            >
              Go to the last page
            </Button>
          }
        >
          The list got shorter while you were reading.
        </EmptyState>
      )}
      {data && <Pager paging={paging} total={data.total} onPage={goTo} onPageSize={resize} />}
    </Card>
  );
}

function SkeletonRows({ columns }: { columns: number }) {
  return Array.from({ length: SKELETON_ROWS }, (_, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: rows that stand for none in particular
    <TableRow key={index}>
      <TableCell colSpan={columns}>
        <Skeleton className="h-5" />
      </TableCell>
    </TableRow>
  ));
}
