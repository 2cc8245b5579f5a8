/**
 * Readers of untyped JSON. A shape takes what came over the wire and gives it back typed, or throws a ShapeError that
 * names the place. The types of the API are inferred from shapes, so that type and check cannot drift apart.
 */
export type Shape<T> = (value: unknown, path: string) => T;

export type Infer<S> = S extends Shape<infer T> ? T : never;

export class ShapeError extends Error {
  constructor(path: string, expected: string, value: unknown) {
    super(`${path} should be ${expected} but is ${describe(value)}`);
    this.name = "ShapeError";
  }
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const string: Shape<string> = (value, path) => {
  if (typeof value !== "string") throw new ShapeError(path, "a string", value);
  return value;
};

export const number: Shape<number> = (value, path) => {
  if (typeof value !== "number") throw new ShapeError(path, "a number", value);
  return value;
};

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null || value === undefined ? null : shape(value, path));
}

export function list<T>(item: Shape<T>): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, "a list", value);
    return value.map((entry, index) => item(entry, `${path}[${index}]`));
  };
}

export function record<T>(item: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    if (!isRecord(value)) throw new ShapeError(path, "an object", value);
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, item(entry, `${path}.${key}`)]),
    );
  };
}

/** Fields that the shape does not name are left out of the result: a newer gateway may send more. */
export function object<F extends Record<string, Shape<unknown>>>(
  fields: F,
): Shape<{ [K in keyof F]: Infer<F[K]> }> {
  return (value, path) => {
    if (!isRecord(value)) throw new ShapeError(path, "an object", value);
    return Object.fromEntries(
      Object.entries(fields).map(([key, field]) => [key, field(value[key], `${path}.${key}`)]),
    ) as { [K in keyof F]: Infer<F[K]> };
  };
}

/** A moment: milliseconds since 1970. */
export const instant: Shape<number> = number;
