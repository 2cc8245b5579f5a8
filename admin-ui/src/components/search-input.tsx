import { Search, X } from "lucide-react";
import { useRef } from "react";
import { useSearchBox } from "@/lib/use-list";
import { cn } from "@/lib/utils";
import { Input } from "./ui/input";

interface SearchInputProps {
  label: string;
  placeholder: string;
  value: string;
  onSearch: (value: string) => void;
  className?: string;
}

export function SearchInput({ label, placeholder, value, onSearch, className }: SearchInputProps) {
  const { text, setText } = useSearchBox(value, onSearch);
  const input = useRef<HTMLInputElement>(null);
  return (
    <search className={cn("relative w-full sm:w-72", className)}>
      <Search
        aria-hidden
        className="pointer-events-none absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-muted-foreground"
      />
      <Input
        ref={input}
        aria-label={label}
        placeholder={placeholder}
        value={text}
        autoComplete="off"
        spellCheck={false}
        className="h-8 pr-8 pl-8.5"
        onChange={(change) => setText(change.target.value)}
        onKeyDown={(press) => {
          if (press.key === "Escape") setText("");
        }}
      />
      {text !== "" && (
        <button
          type="button"
          aria-label={`Clear: ${label}`}
          className="absolute top-1/2 right-1.5 -translate-y-1/2 rounded-sm p-1 text-muted-foreground outline-none hover:text-foreground focus-visible:ring-2 focus-visible:ring-ring"
          onClick={() => {
            setText("");
            input.current?.focus();
          }}
        >
          <X className="size-3.5" />
        </button>
      )}
    </search>
  );
}
