// Times the loads of agreement in a page by themselves, each in rounds like the scheme's, and looks at the memory they
// take. Results go back to the server that served the page. `?quick` makes one round.

import { failed, idleness, log, post, quick, sample, summary } from "./clock.js";

const [ROUNDS, WARM_UP] = quick ? [1, 1] : [11, 2];
const SHORTEST_MS = 50;

// An instance of our wasm of its own, with its memory.
let instances = 0;
async function instance() {
  const { default: init, Loads } = await import(`./voltcast_bench_web.js?${instances++}`);
  return [await init(), new Loads()];
}

// Bytes of wasm memory before and after; it never shrinks, so this is the peak.
async function memory(work) {
  const [wasm, loads] = await instance();
  const before = wasm.memory.buffer.byteLength;
  if (!work(loads)) throw new Error("a load did not reach its goal");
  return { before_bytes: before, after_bytes: wasm.memory.buffer.byteLength };
}

async function prepared() {
  const [, loads] = await instance();
  const subjects = [];
  for (const name of loads.names()) {
    const does = loads.prepare(name);
    let once = 0;
    for (let i = 0; i < WARM_UP; i++) {
      const start = performance.now();
      loads.run(name, 1);
      once = performance.now() - start;
    }
    const times = Math.max(1, Math.ceil(SHORTEST_MS / once));
    subjects.push({ name, does, times, run: () => loads.run(name, times), wall: [], cpu: [] });
  }
  return subjects;
}

async function main() {
  const memories = {
    "block/100": await memory((loads) => loads.prepare("block/100") && loads.run("block/100", 1)),
    "view/100": await memory((loads) => loads.prepare("view/100") && loads.run("view/100", 1)),
  };
  await log("memory is known");
  const subjects = await prepared();
  const idle = await idleness();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { run, times, wall, cpu } of subjects) {
      const took = await sample(run, idle);
      wall.push(took.wall / times);
      cpu.push(took.cpu / times);
    }
    await log(`round ${round + 1} of ${ROUNDS}`);
  }
  // Milliseconds of one run, and how many events or seeds that are in a second.
  const both = (times, does) => {
    const ms = summary(times);
    return { ms, per_second: does > 1 ? Math.round((does * 1000) / ms.median) : undefined };
  };
  const report = {
    made: new Date().toISOString(),
    browser: navigator.userAgent,
    rounds: ROUNDS,
    memory: memories,
    loads: Object.fromEntries(subjects.map(({ name, does, times, wall, cpu }) =>
      [name, { does, times, wall: both(wall, does), cpu: Number.isFinite(idle) ? both(cpu, does) : null }])),
  };
  await post("result", JSON.stringify(report, null, 1));
}

main().catch(failed);
