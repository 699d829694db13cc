/** Switches light, dark or as the system has it, at once; the form behind it works without script too. */
import { all, closest } from "./dom";

export function startTheme(): void {
  document.addEventListener("click", (event) => {
    const button = closest<HTMLButtonElement>(event, "button[data-theme-choice]");
    const choice = button?.dataset.themeChoice;
    if (!button || choice === undefined) return;
    event.preventDefault();
    const root = document.documentElement;
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
    document.cookie = `theme=${choice};path=/;max-age=31536000;samesite=lax`;
    for (const other of all<HTMLButtonElement>("button[data-theme-choice]")) {
      other.setAttribute("aria-current", String(other === button));
    }
  });
}
