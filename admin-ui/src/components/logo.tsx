import mark from "@/assets/tideway.svg";
import { cn } from "@/lib/utils";

export function Logo({ className }: { className?: string }) {
  return (
    <span
      className={cn(
        "flex items-center gap-2 text-[0.9375rem] font-semibold tracking-tight",
        className,
      )}
    >
      <img src={mark} alt="" className="size-6" />
      Tideway
    </span>
  );
}
