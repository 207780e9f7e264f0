// The engine's worker: loads the page's own script with the wasm module that the page has compiled. The first message
// names both; everything after it belongs to the wasm.
self.onmessage = async ({ data }) => {
  try {
    if (new URL(data.js).origin !== self.location.origin) throw new Error("the engine's script is not from here");
    const bindings = await import(data.js);
    await bindings.default({ module_or_path: data.module });
  } catch (error) {
    // Outside of this promise it reaches the page as an error of the worker.
    setTimeout(() => { throw error; });
  }
};
