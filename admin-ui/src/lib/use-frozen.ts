import { useRef } from "react";

/** The value as it was when `frozen` began, for views that keep still while what they show goes on. */
export function useFrozen<T>(value: T, frozen: boolean): T {
  const held = useRef(value);
  if (!frozen) held.current = value;
  return held.current;
}
