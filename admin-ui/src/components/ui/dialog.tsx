import * as DialogPrimitive from "@radix-ui/react-dialog";
import { X } from "lucide-react";
import { type ComponentProps, useRef } from "react";
import { cn } from "@/lib/utils";

export const Dialog = DialogPrimitive.Root;
export const DialogTrigger = DialogPrimitive.Trigger;
export const DialogClose = DialogPrimitive.Close;

export const dialogContentClass =
  "fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] max-w-lg -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-xl border bg-popover p-5 text-popover-foreground shadow-xl outline-none";

/**
 * Handlers for a dialog's content: the page behind it cannot be reached while the dialog is there, and gets its focus back
 * after it. Inert only from when the focus moves, since an inert page has none that could be noted.
 */
export function usePageBehind() {
  const focused = useRef<Element | null>(null);
  return {
    onOpenAutoFocus: () => {
      focused.current = document.activeElement;
      setPageInert(true);
    },
    onCloseAutoFocus: (event: Event) => {
      event.preventDefault();
      setPageInert(false);
      const back = focused.current?.isConnected
        ? focused.current
        : document.getElementById("content");
      if (back instanceof HTMLElement) back.focus();
    },
  };
}

function setPageInert(inert: boolean) {
  const page = document.getElementById("root");
  if (page) page.inert = inert;
}

/**
 * A plain element in place of Radix' overlay: that one locks scrolling with a style element of its own making, which the
 * gateway's Content-Security-Policy refuses.
 */
export function DialogBackdrop() {
  return <div aria-hidden data-slot="dialog-backdrop" className="fixed inset-0 z-50 bg-black/45" />;
}

export function DialogContent({
  className,
  children,
  ...props
}: ComponentProps<typeof DialogPrimitive.Content>) {
  const page = usePageBehind();
  return (
    <DialogPrimitive.Portal>
      <DialogBackdrop />
      <DialogPrimitive.Content
        data-slot="dialog-content"
        className={cn(dialogContentClass, className)}
        {...page}
        {...props}
      >
        {children}
        <DialogPrimitive.Close
          aria-label="Close"
          className="absolute top-3.5 right-3.5 rounded-sm p-1 text-muted-foreground outline-none hover:text-foreground focus-visible:ring-2 focus-visible:ring-ring"
        >
          <X className="size-4" />
        </DialogPrimitive.Close>
      </DialogPrimitive.Content>
    </DialogPrimitive.Portal>
  );
}

export function DialogHeader({ className, ...props }: ComponentProps<"div">) {
  return (
    <div data-slot="dialog-header" className={cn("mb-4 space-y-1 pr-8", className)} {...props} />
  );
}

export function DialogFooter({ className, ...props }: ComponentProps<"div">) {
  return (
    <div
      data-slot="dialog-footer"
      className={cn("mt-5 flex flex-wrap items-center justify-end gap-2", className)}
      {...props}
    />
  );
}

export function DialogTitle({ className, ...props }: ComponentProps<typeof DialogPrimitive.Title>) {
  return (
    <DialogPrimitive.Title
      data-slot="dialog-title"
      className={cn("text-base font-semibold", className)}
      {...props}
    />
  );
}

export function DialogDescription({
  className,
  ...props
}: ComponentProps<typeof DialogPrimitive.Description>) {
  return (
    <DialogPrimitive.Description
      data-slot="dialog-description"
      className={cn("text-[0.8125rem] text-muted-foreground", className)}
      {...props}
    />
  );
}
