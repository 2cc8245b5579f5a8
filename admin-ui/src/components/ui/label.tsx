import type { ComponentProps } from "react";
import { cn } from "@/lib/utils";

export function Label({
  className,
  htmlFor,
  children,
  ...props
}: ComponentProps<"label"> & { htmlFor: string }) {
  return (
    <label
      data-slot="label"
      htmlFor={htmlFor}
      className={cn("block text-[0.8125rem] font-medium select-none", className)}
      {...props}
    >
      {children}
    </label>
  );
}
