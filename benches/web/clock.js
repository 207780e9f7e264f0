// What the pages share: two clocks, medians, and the way back to the server that served the page.

export const quick = location.search === "?quick";

export const post = (path, body) => fetch(`./${path}`, { method: "POST", body });

export const log = (line) => {
  document.getElementById("log").textContent += line + "\n";
  return post("progress", line);
};

export const median = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

const round = (ms) => Number(ms.toPrecision(5));
export const summary = (times) => ({ median: round(median(times)), min: round(Math.min(...times)), max: round(Math.max(...times)) });

// Milliseconds of processor time that the page has used; NaN where that is not known.
export async function cpu() {
  const text = await (await post("cpu")).text();
  return text ? Number(text) / 1e6 : NaN;
}

// One sample of `run` by both clocks; both in milliseconds. What reading the second one costs is taken off (`idle`).
export async function sample(run, idle) {
  const before = await cpu();
  const start = performance.now();
  await run();
  const wall = performance.now() - start;
  return { wall, cpu: (await cpu()) - before - idle };
}

// What reading the processor's clock costs by itself.
export async function idleness() {
  const nothing = [];
  for (let i = 0; i < 21; i++) nothing.push((await sample(() => {}, 0)).cpu);
  return median(nothing);
}

export const failed = (error) => post("failure", String(error?.stack ?? error));
