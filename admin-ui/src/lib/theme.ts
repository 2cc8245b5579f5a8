/** Light, dark or as the system has it. The choice lasts until sign out, which leaves nothing in localStorage. */
import { createStore } from "./store";

export const THEME_ITEM = "tideway.theme";
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

function storedTheme(): Theme {
  const stored = localStorage.getItem(THEME_ITEM);
  return THEMES.find((theme) => theme === stored) ?? "system";
}

export const theme = createStore<Theme>(storedTheme());

function apply(): void {
  document.documentElement.dataset.theme = theme.get();
}

export function startTheme(): void {
  apply();
  theme.subscribe(apply);
}

export function chooseTheme(next: Theme): void {
  localStorage.setItem(THEME_ITEM, next);
  theme.set(next);
}

export function forgetTheme(): void {
  localStorage.removeItem(THEME_ITEM);
}
