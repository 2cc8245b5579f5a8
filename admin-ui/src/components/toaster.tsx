import { useStore } from "@/lib/store";
import { toast } from "@/lib/toast";

export function Toaster() {
  const shown = useStore(toast);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-4 bottom-4 z-60 flex justify-center"
    >
      {shown && (
        <p
          key={shown.id}
          className="rounded-lg bg-foreground px-4 py-2.5 text-[0.8125rem] text-background shadow-lg"
        >
          {shown.text}
        </p>
      )}
    </div>
  );
}
