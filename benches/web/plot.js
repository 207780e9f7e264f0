// The plot of docs/performance.md: time per receiver over the number of receivers, both axes logarithmic, as an SVG.

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 420, 64, 190, 40, 52];
const SERIES = [
  ["signcrypt/fresh", "scheme, fresh receivers", "#1f5fbf", ""],
  ["signcrypt/known", "scheme, known receivers", "#12805c", ""],
  ["libsodium/box", "libsodium box + signature", "#b3541e", "6 4"],
  ["webcrypto/box", "WebCrypto X25519", "#6b6b6b", "2 3"],
  ["noble/box", "noble", "#8a3ffc", "2 3"],
  ["polynomial/end-to-end", "polynomial baseline", "#a2191f", "6 4"],
];

export function plot(report) {
  const points = (name) => Object.entries(report.milliseconds)
    .filter(([key]) => key.slice(0, key.lastIndexOf("/")) === name)
    .map(([key, { wall, cpu }]) => [Number(key.slice(key.lastIndexOf("/") + 1)), (cpu ?? wall).median * 1000])
    .map(([n, us]) => [n, us / n]);
  const [low, high] = [5, 5000];
  const x = (n) => LEFT + (Math.log10(n) / 4) * (WIDTH - LEFT - RIGHT);
  const y = (us) => HEIGHT - BOTTOM - (Math.log(us / low) / Math.log(high / low)) * (HEIGHT - TOP - BOTTOM);
  const text = (at, up, words, anchor = "middle", colour = "#222") =>
    `<text x="${at.toFixed(1)}" y="${up.toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${words}</text>`;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>Microseconds per receiver over the number of receivers</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 22, "Microseconds of processor time per receiver, 64-byte messages (Chromium)", "start"),
  ];
  for (const n of [1, 10, 100, 1000, 10000]) {
    out.push(`<path d="M${x(n).toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#ddd"/>`, text(x(n), HEIGHT - BOTTOM + 18, n.toLocaleString("en")));
  }
  for (const us of [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) {
    out.push(`<path d="M${LEFT} ${y(us).toFixed(1)}H${WIDTH - RIGHT}" stroke="#eee"/>`, text(LEFT - 8, y(us) + 4, us.toLocaleString("en"), "end"));
  }
  out.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "receivers"));
  let free = HEIGHT;
  const ends = SERIES.map(([name, label, colour, dash]) => ({ label, colour, dash, line: points(name) })).filter((s) => s.line.length);
  ends.sort((a, b) => a.line.at(-1)[1] - b.line.at(-1)[1]);
  for (const { label, colour, dash, line } of ends) {
    const path = line.map(([n, us], i) => `${i ? "L" : "M"}${x(n).toFixed(1)} ${y(us).toFixed(1)}`).join("");
    out.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash || "none"}"/>`);
    out.push(...line.map(([n, us]) => `<circle cx="${x(n).toFixed(1)}" cy="${y(us).toFixed(1)}" r="3" fill="${colour}"/>`));
    free = Math.min(y(line.at(-1)[1]) + 4, free - 15);
    out.push(text(WIDTH - RIGHT + 10, free, label, "start", colour));
  }
  return out.join("\n") + "\n</svg>\n";
}
