// Times the scheme and its peers in one page. Each round runs every operation once, in an order that shifts from round
// to round, so that a busy moment of the machine hits all of them alike; the median of the rounds is what counts. Two
// clocks are read: the browser's, and the processor time of the page, which the server knows on Linux and which leaves
// out what a busy machine does for others. Results go back to the server that served the page. `?quick` makes three
// short rounds, to try the page out.

import { failed, idleness, log, median, post, quick, sample, summary } from "./clock.js";
import { peers } from "./peers.js";
import { plot } from "./plot.js";

const [ROUNDS, WARM_UP, SAMPLE_MS] = quick ? [3, 1, 5] : [15, 3, 25];
const SIZES = [1, 10, 100, 1000, 10000];

const OURS = [
  ...SIZES.map((n) => `signcrypt/fresh/${n}`),
  ...SIZES.map((n) => `signcrypt/known/${n}`),
  "kernels/fresh/1000", "kernels/known/1000",
  "know/1000",
  "verify/header/1", "verify/body/10", "verify/body/1000", "verify/body/10000", "verify/batch/64", "verify/batch/200",
  "decapsulate/10", "open/10", "open/10000", "issue/1",
  "end-to-end/fresh/5000", "end-to-end/known/5000",
  ...[100, 1000, 5000].map((n) => `polynomial/end-to-end/${n}`),
];
const PEERS = [
  ...SIZES.slice(0, 4).map((n) => `libsodium/box/${n}`),
  "libsodium/verify/1", "libsodium/verify/200", "libsodium/open/1",
  "noble/box/100", "noble/verify/1",
  "webcrypto/box/100", "webcrypto/box/1000",
];

// An instance of our wasm of its own, with its memory.
let instances = 0;
async function instance(receivers) {
  const { default: init, Bench } = await import(`./voltcast_bench_web.js?${instances++}`);
  return [await init(), new Bench(receivers)];
}

// Bytes of wasm memory before and after; it never shrinks, so this is the peak.
async function memory(receivers, work) {
  const [wasm, bench] = await instance(receivers);
  const before = wasm.memory.buffer.byteLength;
  work(bench);
  return { before_bytes: before, after_bytes: wasm.memory.buffer.byteLength };
}

async function once(subject, times) {
  const start = performance.now();
  if (subject.batch) subject.batch(times);
  else for (let i = 0; i < times; i++) await subject.single();
  return performance.now() - start;
}

// One sample of a subject by both clocks.
async function measure(subject, idle) {
  const { wall, cpu } = await sample(() => once(subject, subject.times), idle);
  subject.wall.push(wall / subject.times);
  subject.cpu.push(cpu / subject.times);
}

// Repetitions that make one sample long enough for the clock, unless something else had the processor meanwhile.
async function calibrated(subject) {
  let times = 1;
  for (;;) {
    const ms = await once(subject, times);
    if (ms >= SAMPLE_MS / 2) return Math.max(1, Math.round((times * SAMPLE_MS) / ms));
    times *= 4;
  }
}

async function prepared(bench, message) {
  const subjects = [];
  for (const name of OURS) {
    if (!bench.prepare(name)) throw new Error(`no operation ${name}`);
    subjects.push({ name, batch: (times) => bench.run(name, times) });
  }
  const make = await peers(message);
  for (const name of PEERS) {
    const cut = name.lastIndexOf("/");
    subjects.push({ name, single: await make[name.slice(0, cut)](Number(name.slice(cut + 1))) });
  }
  for (const subject of subjects) {
    subject.times = 1;
    for (let i = 0; i < WARM_UP; i++) subject.times = Math.max(subject.times, await calibrated(subject));
    [subject.wall, subject.cpu] = [[], []];
  }
  return subjects;
}

// Ratios of medians, the wanted side, and whether it is kept.
function ratios(ms) {
  const at_least = (what, value, goal) => ({ what, value: Number(value.toFixed(3)), goal: `>= ${goal}`, kept: value >= goal });
  const at_most = (what, value, goal) => ({ what, value: Number(value.toFixed(3)), goal: `<= ${goal}`, kept: value <= goal });
  const growth = (kind) => ms[`signcrypt/${kind}/10000`] / 10 / ms[`signcrypt/${kind}/1000`];
  const baseline = ms["polynomial/end-to-end/5000"];
  return [
    at_least("libsodium box / signcrypt, 1,000 fresh receivers", ms["libsodium/box/1000"] / ms["signcrypt/fresh/1000"], 1.0),
    at_most("signcrypt / bare kernels, 1,000 fresh receivers", ms["signcrypt/fresh/1000"] / ms["kernels/fresh/1000"], 1.15),
    at_least("libsodium box / signcrypt, 1,000 known receivers", ms["libsodium/box/1000"] / ms["signcrypt/known/1000"], 3.0),
    at_most("verify header / one libsodium Ed25519 verification", ms["verify/header/1"] / ms["libsodium/verify/1"], 2.2),
    at_least("200 libsodium verifications / batch of 200", ms["libsodium/verify/200"] / ms["verify/batch/200"], 3.0),
    at_most("open at 10,000 / at 10 receivers", ms["open/10000"] / ms["open/10"], 1.05),
    at_least("polynomial baseline / scheme end to end, 5,000 fresh", baseline / ms["end-to-end/fresh/5000"], 10),
    at_least("polynomial baseline / scheme end to end, 5,000 known", baseline / ms["end-to-end/known/5000"], 10),
    at_most("per receiver at 10,000 / at 1,000, fresh", growth("fresh"), 1.1),
    at_most("per receiver at 10,000 / at 1,000, known", growth("known"), 1.1),
  ];
}

async function main() {
  const memories = {
    "signcrypt/fresh/1000": await memory(1000, (b) => (b.prepare("signcrypt/fresh/1000"), b.run("signcrypt/fresh/1000", 3))),
    "signcrypt/fresh/10000": await memory(10000, (b) => (b.prepare("signcrypt/fresh/10000"), b.run("signcrypt/fresh/10000", 3))),
    "tables/1000": await memory(1000, (b) => b.know(1000)),
    "tables/10000": await memory(10000, (b) => b.know(10000)),
  };
  const [, bench] = await instance(10000);
  const subjects = await prepared(bench, new Uint8Array(64).fill(0x4d));
  const idle = await idleness();
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < subjects.length; i++) {
      await measure(subjects[(i + 7 * round) % subjects.length], idle);
    }
    await log(`round ${round + 1} of ${ROUNDS}`);
  }
  const by = (clock) => ratios(Object.fromEntries(subjects.map((subject) => [subject.name, median(subject[clock])])));
  const report = {
    made: new Date().toISOString(),
    browser: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    rounds: ROUNDS,
    message_bytes: 64,
    ratios_of_wall_time: by("wall"),
    ratios_of_cpu_time: Number.isFinite(idle) ? by("cpu") : null,
    memory: memories,
    milliseconds: Object.fromEntries(subjects.map(({ name, times, wall, cpu }) =>
      [name, { times, wall: summary(wall), cpu: Number.isFinite(idle) ? summary(cpu) : null }])),
  };
  await post("plot", plot(report));
  await post("result", JSON.stringify(report, null, 1));
}

main().catch(failed);
