import { Monitor, Moon, Sun } from "lucide-react";
import { useStore } from "@/lib/store";
import { chooseTheme, THEMES, type Theme, theme } from "@/lib/theme";
import { Button } from "./ui/button";

const LOOK = { system: Monitor, light: Sun, dark: Moon } as const;

function following(current: Theme): Theme {
  return THEMES[(THEMES.indexOf(current) + 1) % THEMES.length] ?? "system";
}

export function ThemeToggle() {
  const current = useStore(theme);
  const Icon = LOOK[current];
  const next = following(current);
  return (
    <Button
      variant="ghost"
      size="icon"
      aria-label={`Theme: ${current}. Change to ${next}`}
      title={`Theme: ${current}`}
      onClick={() => chooseTheme(next)}
    >
      <Icon />
    </Button>
  );
}
