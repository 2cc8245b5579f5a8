import { useEffect, useRef, useState } from "react";

const EVERY_MS = 1000;

/** How fast a number that only grows has grown during the last second, per second. */
export function useRate(total: number): number {
  const [rate, setRate] = useState(0);
  const latest = useRef(total);
  latest.current = total;
  useEffect(() => {
    let before = latest.current;
    const timer = setInterval(() => {
      setRate(((latest.current - before) * 1000) / EVERY_MS);
      before = latest.current;
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return rate;
}
