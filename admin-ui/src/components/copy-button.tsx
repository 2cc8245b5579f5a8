import { Check, Copy, type LucideIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { showToast } from "@/lib/toast";
import { cn } from "@/lib/utils";
import { Button } from "./ui/button";

const CONFIRM_MS = 1500;

export function CopyButton({
  text,
  label,
  className,
  icon: Icon = Copy,
}: {
  text: string;
  label: string;
  className?: string;
  icon?: LucideIcon;
}) {
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [copied]);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      showToast("The browser did not allow copying. Select the text and copy it by hand.");
    }
  }

  return (
    <Button
      variant="ghost"
      size="icon-sm"
      aria-label={copied ? "Copied" : label}
      title={label}
      onClick={copy}
      className={cn("text-muted-foreground", className)}
    >
      {copied ? <Check className="text-success" /> : <Icon />}
    </Button>
  );
}
