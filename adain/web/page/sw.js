// The service worker of the static page: caches the page for use without a network, and makes it
// cross-origin isolated, so that WebAssembly can use threads. `adain web --static` sets VERSION and
// FILES.

//
// Without them it removes itself: `adain web` may serve an address where a static page was before.

const VERSION = "";
const FILES = [];
const IS_BUILT = FILES.length > 0;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(VERSION).then(async (cache) => {
    await cache.addAll(FILES);
    await self.skipWaiting();
  }));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then(async (names) => {
    await Promise.all(names.filter((name) => name !== VERSION).map((name) => caches.delete(name)));
    await self.clients.claim();
    if (!IS_BUILT) {
      await self.registration.unregister();
      const pages = await self.clients.matchAll({ type: "window" });
      await Promise.all(pages.map((page) => page.navigate(page.url)));
    }
  }));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (IS_BUILT && request.method === "GET" && request.url.startsWith(self.registration.scope)) {
    event.respondWith(answer(request));
  }
});

async function answer(request) {
  const cache = await caches.open(VERSION);
  let response = await cache.match(request, { ignoreSearch: true });
  if (!response) {
    response = await fetch(request);
    if (response.ok) { // the runtime for graphics cards, where there is one
      await cache.put(request, response.clone());
    }
  }
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText,
    headers });
}
