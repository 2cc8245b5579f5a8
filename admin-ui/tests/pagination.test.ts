import { describe, expect, it } from "vitest";
import {
  clampPage,
  PAGE_SIZE_DEFAULT,
  pageAfterResize,
  pageCount,
  pagingOf,
  pagingSearch,
  rowRange,
} from "@/lib/pagination";

describe("pagingOf", () => {
  it("takes what the address says", () => {
    expect(pagingOf(new URLSearchParams("page=7&pageSize=25"))).toEqual({ page: 7, pageSize: 25 });
  });

  it.each(["0", "-1", "1.5", "x", "", "1e3", "99999999999"])(
    "takes page=%s as not said",
    (page) => {
      expect(pagingOf(new URLSearchParams({ page }))).toEqual({
        page: 1,
        pageSize: PAGE_SIZE_DEFAULT,
      });
    },
  );

  it("lowers a page size above what the gateway gives", () => {
    expect(pagingOf(new URLSearchParams("pageSize=10000")).pageSize).toBe(500);
  });

  it("reads back what pagingSearch writes, which leaves defaults out", () => {
    for (const paging of [
      { page: 1, pageSize: PAGE_SIZE_DEFAULT },
      { page: 12, pageSize: 500 },
    ]) {
      expect(pagingOf(new URLSearchParams(pagingSearch(paging)))).toEqual(paging);
    }
    expect(pagingSearch({ page: 1, pageSize: PAGE_SIZE_DEFAULT })).toEqual({
      page: "",
      pageSize: "",
    });
  });
});

describe("pages", () => {
  it.each([
    [0, 100, 1],
    [1, 100, 1],
    [100, 100, 1],
    [101, 100, 2],
    [100_000, 500, 200],
  ])("%i rows of %i a page are %i pages", (total, pageSize, pages) => {
    expect(pageCount(total, pageSize)).toBe(pages);
  });

  it("counts rows from one and ends with the list", () => {
    expect(rowRange({ page: 1, pageSize: 100 }, 2000)).toEqual([1, 100]);
    expect(rowRange({ page: 21, pageSize: 100 }, 2001)).toEqual([2001, 2001]);
    expect(rowRange({ page: 22, pageSize: 100 }, 2001)).toBeNull();
    expect(rowRange({ page: 1, pageSize: 100 }, 0)).toBeNull();
  });

  it("keeps the first row in view when the page size changes", () => {
    for (const [page, from, to] of [
      [5, 100, 25],
      [17, 25, 500],
      [1, 50, 250],
      [3, 250, 100],
    ] as const) {
      const first = (page - 1) * from + 1;
      const range = rowRange(
        { page: pageAfterResize({ page, pageSize: from }, to), pageSize: to },
        1e6,
      );
      expect(range?.[0]).toBeLessThanOrEqual(first);
      expect(range?.[1]).toBeGreaterThanOrEqual(first);
    }
  });

  it("leads back into the list from beyond its end", () => {
    expect(clampPage(99, 2001, 100)).toBe(21);
    expect(clampPage(0, 2001, 100)).toBe(1);
    expect(clampPage(5, 0, 100)).toBe(1);
  });
});
