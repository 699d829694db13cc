/** Whoever comes to the log-in has left the gate: whose turn it was there (gate-turn.ts), and the page kept for it
 * (gate-worker.ts), go. What waits to be sent stays. No module is shared with the gate: its page is kept file by file. */
export function startParting(): void {
  if (!document.querySelector("form input[name=login]")) return;
  try {
    localStorage.removeItem("gate-turn");
  } catch { /* nothing was kept */ }
  if ("caches" in window) void caches.delete("gate-1");
}
