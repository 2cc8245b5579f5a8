import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatCompact,
  formatDuration,
  formatExact,
  formatRelative,
  plural,
} from "@/lib/format";
import { folderOf } from "@/lib/root";
import { pathOf, withSearch } from "@/lib/router";

describe("numbers", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1536, "1.5 KiB"],
    [1024 * 1024, "1.0 MiB"],
    [300 * 1024 ** 3, "300 GiB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, "0"],
    [0.44, "0.4"],
    [9.96, "10"],
    [999, "999"],
    [12_345, "12.3K"],
    [4_300_000, "4.3M"],
  ])("%d in short is %s", (value, text) => {
    expect(formatCompact(value)).toBe(text);
  });

  it("counts nouns", () => {
    expect([plural(1, "topic"), plural(0, "topic"), plural(1234, "topic")]).toEqual([
      "1 topic",
      "0 topics",
      "1,234 topics",
    ]);
  });
});

describe("times", () => {
  const now = Date.UTC(2030, 0, 2, 3, 4, 5, 678);

  it.each([
    [0, "now"],
    [-900, "now"],
    [-2500, "now"],
    [59_999, "59s ago"],
    [60_000, "1m ago"],
    [3_600_000, "1h ago"],
    [3_660_000, "1h 1m ago"],
    [25 * 3_600_000, "1d 1h ago"],
    [-7_200_000, "in 2h"],
  ])("%d ms before is %s", (elapsed, text) => {
    expect(formatRelative(now - elapsed, now)).toBe(text);
  });

  it("is exact to the millisecond, and names the zone", () => {
    expect(formatExact(now)).toBe("2030-01-02 03:04:05.678 UTC");
    expect(formatDuration(-5)).toBe("0s");
  });

  it("shows an exact time in the same zone as the clock", () => {
    const zone = process.env.TZ;
    process.env.TZ = "Asia/Kolkata";
    try {
      expect(formatExact(now)).toBe("2030-01-02 08:34:05.678 UTC+5:30");
    } finally {
      process.env.TZ = zone ?? "UTC";
    }
  });
});

describe("addresses", () => {
  it("are found below any prefix that a proxy strips", () => {
    const paths = [
      "/",
      "/admin/",
      "/admin/topics",
      "/a/b/admin/tail",
      "/admin/admin/",
      "/a/admin/b/c",
    ];
    expect(paths.map(folderOf)).toEqual([
      "/admin",
      "/admin",
      "/admin",
      "/a/b/admin",
      "/admin/admin",
      "/a/admin",
    ]);
    expect(pathOf("/a/admin/topics", "/a/admin")).toBe("/topics");
  });

  it("are read behind /admin, with or without a slash at the end", () => {
    const at = (path: string) => pathOf(path, "/admin");
    expect([at("/admin"), at("/admin/"), at("/admin/topics/")]).toEqual(["", "", "/topics"]);
  });

  it("leave out empty values and escape the others", () => {
    expect(withSearch("/tail", { topic: "a&b=c", filter: "" })).toBe("/tail?topic=a%26b%3Dc");
    expect(withSearch("/tail", { topic: "" })).toBe("/tail");
  });
});
