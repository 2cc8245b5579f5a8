import { useEffect, useState } from "react";

/** Less than a row: a touch of the wheel is not reading. */
const AT_TOP_PX = 16;

/** Whether the page is scrolled down: somebody reads further below. */
export function useScrolled(): boolean {
  const [scrolled, setScrolled] = useState(() => window.scrollY > AT_TOP_PX);
  useEffect(() => {
    const look = () => setScrolled(window.scrollY > AT_TOP_PX);
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, []);
  return scrolled;
}
