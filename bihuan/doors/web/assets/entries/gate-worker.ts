// Lets the page of a gate open without a network. It controls /gate/ only and keeps that page, its script and
// style; what people passed never goes through it (requests that send are left to the network).
/// <reference lib="webworker" />
const worker = self as unknown as ServiceWorkerGlobalScope;
const CACHE = "gate-1";

worker.addEventListener("install", () => void worker.skipWaiting());

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((n) => n.startsWith("gate-") && n !== CACHE).map((n) => caches.delete(n))))
      .then(() => worker.clients.claim()),
  );
});

worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== worker.location.origin) return;
  const isGate = /^\/gate\/L-[0-9A-Z]+\/$/.test(url.pathname);
  if (isGate && event.request.mode === "navigate") event.respondWith(pageFirstFromNetwork(event.request));
  else if (url.pathname.startsWith("/static/")) event.respondWith(keptElseNetwork(event.request));
});

async function pageFirstFromNetwork(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const fresh = await fetch(request);
    if (fresh.ok && !fresh.redirected) await cache.put(request, fresh.clone());
    if (fresh.status >= 500) return (await kept(cache, request)) ?? fresh; // what stands before the server answers
    return fresh;
  } catch (error) {
    const page = await kept(cache, request);
    if (page) return page;
    throw error;
  }
}

const kept = (cache: Cache, request: Request): Promise<Response | undefined> =>
  cache.match(request, { ignoreSearch: true, ignoreVary: true });

async function keptElseNetwork(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreVary: true });
  if (kept) return kept;
  const fresh = await fetch(request);
  if (fresh.ok) await cache.put(request, fresh.clone());
  return fresh;
}
