// Starts the wasm of the page, and shows what happened when it cannot start or stops. Works without any wasm.
const boot = document.getElementById("boot");
const at = (path) => new URL(path, document.baseURI).href;
const LAST = "voltcast.lastgood";

// Before the first paint; src/page/theme.rs goes on from here.
const kept = (() => { try { return localStorage.getItem("voltcast.theme"); } catch { return null; } })();
document.documentElement.dataset.theme =
  kept === "light" || kept === "dark" ? kept : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

const last = () => {
  try { return sessionStorage.getItem(LAST) ?? "#/"; } catch { return "#/"; }
};
const open = (hash) => { location.hash = hash; location.reload(); };
const without = (hash) => {
  const [path, query = ""] = hash.split("?");
  const pairs = query.split("&");
  const newest = pairs.map((p) => p.startsWith("do=")).lastIndexOf(true);
  // The digest belongs to the run with the intervention.
  return `${path}?${pairs.filter((p, i) => i !== newest && !p.startsWith("d=") && !p.startsWith("at=")).join("&")}`;
};

globalThis.voltcastCrash = (message) => {
  document.getElementById("crash-text").textContent = String(message).slice(0, 400);
  document.getElementById("crash-reopen").onclick = () => open(last());
  document.getElementById("crash-without").onclick = () => open(without(last()));
  document.getElementById("crash-without").hidden = !last().includes("do=");
  document.getElementById("crash-fresh").onclick = () => open("#/");
  document.getElementById("crash").hidden = false;
};

// The compressed copy where there is one and the browser can unpack it, else the wasm as it is.
const compiled = async () => {
  const { packed, wasm } = boot.dataset;
  if (packed && "DecompressionStream" in globalThis) {
    try {
      const bytes = (await fetch(at(packed))).body.pipeThrough(new DecompressionStream("gzip"));
      return await WebAssembly.compileStreaming(new Response(bytes, { headers: { "content-type": "application/wasm" } }));
    } catch { /* a host may have altered it */ }
  }
  return at(wasm);
};

try {
  const [bindings, module] = await Promise.all([import(at(boot.dataset.js)), compiled()]);
  await bindings.default({ module_or_path: module });
} catch (error) {
  const text = document.getElementById("boot-text");
  if (text) text.textContent = `The page cannot start here: ${error}`;
  else globalThis.voltcastCrash(error);
}
