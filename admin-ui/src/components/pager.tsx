import { ChevronLeft, ChevronRight, ChevronsLeft, ChevronsRight } from "lucide-react";
import { formatCount } from "@/lib/format";
import { clampPage, PAGE_SIZES, type Paging, pageCount, rowRange } from "@/lib/pagination";
import { Button } from "./ui/button";
import { Input } from "./ui/input";
import { NativeSelect } from "./ui/native-select";

interface PagerProps {
  paging: Paging;
  total: number;
  onPage: (page: number) => void;
  onPageSize: (pageSize: number) => void;
}

/** Above a table of more than one page, so that nobody has to go to its end to turn it. */
export function PageTurner({ paging, total, onPage }: Omit<PagerProps, "onPageSize">) {
  const { page, pageSize } = paging;
  const pages = pageCount(total, pageSize);
  if (pages === 1) return null;
  return (
    <nav
      aria-label="Pages, above"
      className="flex items-center justify-end gap-1.5 border-b px-4 py-1.5 text-xs text-muted-foreground tabular-nums"
    >
      {formatCount(page)} of {formatCount(pages)}
      <Button
        variant="outline"
        size="icon-sm"
        aria-label="Rows before these"
        disabled={page <= 1}
        onClick={() => onPage(clampPage(page - 1, total, pageSize))}
      >
        <ChevronLeft />
      </Button>
      <Button
        variant="outline"
        size="icon-sm"
        aria-label="Rows after these"
        disabled={page >= pages}
        onClick={() => onPage(clampPage(page + 1, total, pageSize))}
      >
        <ChevronRight />
      </Button>
    </nav>
  );
}

export function Pager({ paging, total, onPage, onPageSize }: PagerProps) {
  const { page, pageSize } = paging;
  const pages = pageCount(total, pageSize);
  const range = rowRange(paging, total);
  const sizes = [...new Set([...PAGE_SIZES, pageSize])].sort((a, b) => a - b);
  const steps = [
    { label: "First page", icon: ChevronsLeft, to: 1, off: page <= 1 },
    { label: "Previous page", icon: ChevronLeft, to: page - 1, off: page <= 1 },
    { label: "Next page", icon: ChevronRight, to: page + 1, off: page >= pages },
    { label: "Last page", icon: ChevronsRight, to: pages, off: page >= pages },
  ];

  const stepButtons = steps.map(({ label, icon: Icon, to, off }) => (
    <Button
      key={label}
      variant="outline"
      size="icon"
      aria-label={label}
      disabled={off}
      onClick={() => onPage(clampPage(to, total, pageSize))}
    >
      <Icon />
    </Button>
  ));

  return (
    <nav
      aria-label="Pages"
      className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-t px-4 py-2.5 text-[0.8125rem] text-muted-foreground"
    >
      <div className="flex items-center gap-3">
        <span className="tabular-nums" data-testid="row-range">
          {range ? `${formatCount(range[0])}–${formatCount(range[1])} of ` : "0 of "}
          {formatCount(total)}
        </span>
        <span className="flex items-center gap-2">
          <NativeSelect
            aria-label="Rows per page"
            value={pageSize}
            onChange={(change) => onPageSize(Number(change.target.value))}
          >
            {sizes.map((size) => (
              <option key={size} value={size}>
                {size} rows
              </option>
            ))}
          </NativeSelect>
        </span>
      </div>
      <div className="flex items-center gap-1.5">
        {stepButtons.slice(0, 2)}
        <form
          className="flex items-center gap-1.5 px-1 whitespace-nowrap tabular-nums"
          onSubmit={(submit) => {
            submit.preventDefault();
            const wanted = Number(new FormData(submit.currentTarget).get("page"));
            if (Number.isInteger(wanted)) onPage(clampPage(wanted, total, pageSize));
          }}
        >
          <Input
            key={page}
            name="page"
            aria-label="Page"
            inputMode="numeric"
            defaultValue={page}
            className="h-8 w-16 px-2 text-center text-[0.8125rem] text-foreground"
          />
          of {formatCount(pages)}
        </form>
        {stepButtons.slice(2)}
      </div>
    </nav>
  );
}
