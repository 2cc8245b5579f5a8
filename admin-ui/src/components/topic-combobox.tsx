import { useId, useState } from "react";
import { formatCount } from "@/lib/format";
import { useClient } from "@/lib/session";
import { useDebounced } from "@/lib/use-debounced";
import { useResource } from "@/lib/use-resource";
import { cn } from "@/lib/utils";
import { Input } from "./ui/input";

const SUGGESTIONS = 8;
const REFRESH_MS = 10_000;
const SETTLE_MS = 120;

interface TopicComboboxProps {
  label: string;
  placeholder: string;
  value: string;
  /** Called when a topic is chosen from the list or with Enter; with "" when the field is emptied. */
  onChoose: (topic: string) => void;
  className?: string;
}

/** A field for a topic name that suggests those with subscribers (ARIA combobox with a list). */
export function TopicCombobox({
  label,
  placeholder,
  value,
  onChoose,
  className,
}: TopicComboboxProps) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const listId = useId();
  if (value !== seen) {
    setSeen(value);
    setText(value);
  }

  const suggestions = useSuggestions(text.trim(), open);
  // Those of a moment ago may not begin with what is typed by now.
  const shown = open ? suggestions.filter(({ topic }) => topic.startsWith(text.trim())) : [];

  function choose(topic: string) {
    setText(topic);
    setOpen(false);
    setActive(-1);
    if (topic !== value) onChoose(topic);
  }

  function onKeyDown(press: React.KeyboardEvent) {
    if (press.key === "ArrowDown" || press.key === "ArrowUp") {
      press.preventDefault();
      setOpen(true);
      if (shown.length === 0) return;
      const step = press.key === "ArrowDown" ? 1 : -1;
      setActive((at) => (at + step + shown.length + (at < 0 && step < 0 ? 1 : 0)) % shown.length);
    } else if (press.key === "Enter") {
      press.preventDefault();
      choose(shown[active]?.topic ?? text.trim());
    } else if (press.key === "Escape") {
      leave();
    }
  }

  /** The field shows what is chosen again: what was typed and not chosen must not stand above another topic's data. */
  function leave() {
    setText(value);
    setOpen(false);
    setActive(-1);
  }

  return (
    <div className={cn("relative w-full sm:w-72", className)}>
      <Input
        role="combobox"
        aria-label={label}
        aria-expanded={shown.length > 0}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={shown[active] ? `${listId}-${active}` : undefined}
        placeholder={placeholder}
        value={text}
        autoComplete="off"
        spellCheck={false}
        className="h-8"
        onChange={(change) => {
          setText(change.target.value);
          setActive(-1);
          setOpen(true);
          if (change.target.value === "" && value !== "") onChoose("");
        }}
        onFocus={() => setOpen(true)}
        onBlur={leave}
        onKeyDown={onKeyDown}
      />
      <div
        id={listId}
        role="listbox"
        aria-label={`${label}: suggestions`}
        hidden={shown.length === 0}
        className="absolute z-30 mt-1 w-full min-w-56 overflow-hidden rounded-md border bg-popover p-1 text-popover-foreground shadow-lg"
      >
        {shown.map(({ topic, connectionCount }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input above handles the keys of its list
          <div
            key={topic}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === active}
            tabIndex={-1}
            className={cn(
              "flex cursor-pointer items-center justify-between gap-3 rounded-sm px-2 py-1.5 text-[0.8125rem]",
              index === active ? "bg-accent" : "hover:bg-accent/60",
            )}
            // The field would lose its focus, and the list its reason to be open, before the click.
            onMouseDown={(press) => press.preventDefault()}
            onClick={() => choose(topic)}
          >
            <span className="truncate">{topic}</span>
            <span className="text-muted-foreground tabular-nums">
              {formatCount(connectionCount)}
            </span>
          </div>
        ))}
      </div>
    </div>
  );
}

function useSuggestions(prefix: string, wanted: boolean) {
  const client = useClient();
  const settled = useDebounced(prefix, SETTLE_MS);
  const { data } = useResource(
    wanted ? settled : null,
    (signal) => client.topics({ page: 1, pageSize: SUGGESTIONS, prefix: settled }, signal),
    REFRESH_MS,
  );
  return data?.data ?? [];
}
