/**
 * Where this page and the gateway's API are, as the browser reaches them: a proxy in front may have a path prefix that it
 * strips, and of which the gateway knows nothing.
 */

/** The folder of the page with this path: "/prefix/admin" of "/prefix/admin/topics". */
export function folderOf(pathname: string): string {
  return `${pathname.slice(0, Math.max(0, pathname.lastIndexOf("/admin/")))}/admin`;
}

export const BASE = folderOf(location.pathname);

/** What stands in front of /v1: "" without a prefix. */
export const ROOT = BASE.slice(0, -"/admin".length);
