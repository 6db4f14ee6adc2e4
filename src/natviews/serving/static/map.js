// The map on a canvas: colours by an attribute, and a line drawn around products.
const canvas = document.getElementById("map");
const pen = canvas.getContext("2d");
const by = document.getElementById("by");
const HUES = ["#3366cc", "#d9702a", "#2f9e56", "#b23aa0", "#c9a227", "#27a3b5", "#8b5a3c", "#7657d6", "#d1405b", "#5b8a1f"];
const OTHER = "#8d8880";
const MARGIN = 24;
const TILES = 60;
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();
let held = null;
let tints = [];
let chosen = new Set();
let line = [];
let cross = null;

const across = (place) => MARGIN + held.x[place] * (canvas.width - 2 * MARGIN);
const down = (place) => MARGIN + held.y[place] * (canvas.height - 2 * MARGIN);

function draw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!held) return;
  const radius = held.x.length > 1500 ? 3 : 4.5;
  for (let place = 0; place < held.x.length; place++) {
    pen.globalAlpha = chosen.size && !chosen.has(place) ? 0.22 : 0.85;
    pen.fillStyle = tints[place];
    pen.beginPath();
    pen.arc(across(place), down(place), radius, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = colour("--ink");
  pen.lineWidth = 1.5;
  if (line.length) {
    pen.beginPath();
    line.forEach(([x, y], corner) => (corner ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (cross) pen.lineTo(...cross);
    pen.stroke();
  }
  if (cross) {
    pen.beginPath();
    for (const [dx, dy] of [[12, 0], [0, 12]]) {
      pen.moveTo(cross[0] - dx, cross[1] - dy);
      pen.lineTo(cross[0] + dx, cross[1] + dy);
    }
    pen.stroke();
  }
}

function inside(x, y) {
  let within = false;
  for (let one = 0, other = line.length - 1; one < line.length; other = one++) {
    const [[ax, ay], [bx, by]] = [line[one], line[other]];
    if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) within = !within;
  }
  return within;
}

function close() {
  chosen = new Set();
  if (line.length > 2) {
    for (let place = 0; place < held.x.length; place++) if (inside(across(place), down(place))) chosen.add(place);
  }
  line = [];
  draw();
  tell();
}

function tell() {
  const places = [...chosen];
  const text = places.length
    ? `${places.length.toLocaleString("en")} ${places.length === 1 ? "product" : "products"} selected.` +
      (places.length > TILES ? ` The first ${TILES} are shown.` : "")
    : "Nothing is selected.";
  document.getElementById("selected").textContent = text;
  document.getElementById("save").hidden = !places.length;
  document.getElementById("tiles").replaceChildren(...places.slice(0, TILES).map((place) => {
    const tile = document.createElement("a");
    tile.className = "tile";
    tile.href = "/search?" + new URLSearchParams({ product: held.products[place] });
    const image = document.createElement("img");
    image.loading = "lazy";
    image.alt = `Product ${held.products[place]}`;
    image.src = "/v1/photo?" + new URLSearchParams({ id: held.photos[place], size: 160 });
    const name = document.createElement("span");
    name.className = "soft";
    name.textContent = held.products[place];
    tile.append(image, name);
    return tile;
  }));
}

function paint() {
  const counts = new Map();
  for (const value of held.values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const kinds = [...counts].filter(([value]) => value).sort((one, other) => other[1] - one[1]).slice(0, HUES.length);
  const hue = new Map(kinds.map(([value], place) => [value, HUES[place]]));
  tints = held.values.length ? held.values.map((value) => hue.get(value) ?? OTHER) : held.x.map(() => colour("--accent"));
  const shown = kinds.map(([value, count]) => [hue.get(value), `${value} (${count})`]);
  if (kinds.length && [...counts].some(([value]) => !hue.has(value))) shown.push([OTHER, "other"]);
  document.getElementById("legend").replaceChildren(...shown.map(([tint, text]) => {
    const entry = document.createElement("li");
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    dot.setAttribute("viewBox", "0 0 10 10");
    const round = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, value] of Object.entries({ cx: 5, cy: 5, r: 5, fill: tint })) round.setAttribute(name, value);
    dot.append(round);
    entry.append(dot, text);
    return entry;
  }));
}

async function load() {
  const answer = await fetch("/v1/map?" + new URLSearchParams({ by: by.value }));
  const said = await answer.json();
  const made = document.getElementById("made");
  if (!answer.ok) {
    made.textContent = said.detail;
    if (answer.status === 429) setTimeout(load, 1000);
    return;
  }
  const same = held && held.made === said.made && held.photos.join() === said.photos.join();
  held = said;
  if (!same) chosen = new Set();
  made.textContent = `${held.x.length.toLocaleString("en")} products, placed by ${held.made}.`;
  if (by.options.length === 1) for (const name of held.columns) by.add(new Option(name.replaceAll("_", " "), name));
  paint();
  draw();
  tell();
  if (held.made !== "t-SNE" && held.x.length >= 50) setTimeout(load, 3000);
}

const place = (event) => {
  const frame = canvas.getBoundingClientRect();
  return [(event.clientX - frame.left) * canvas.width / frame.width, (event.clientY - frame.top) * canvas.height / frame.height];
};
let drawing = false;
canvas.addEventListener("pointerdown", (event) => {
  drawing = true;
  cross = null;
  line = [place(event)];
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => { if (drawing && held) { line.push(place(event)); draw(); } });
canvas.addEventListener("pointerup", () => { drawing = false; if (held) close(); });
canvas.addEventListener("keydown", (event) => {
  if (!held) return;
  const step = { ArrowLeft: [-24, 0], ArrowRight: [24, 0], ArrowUp: [0, -24], ArrowDown: [0, 24] }[event.key];
  if (step) {
    cross ??= [canvas.width / 2, canvas.height / 2];
    cross = [Math.min(canvas.width, Math.max(0, cross[0] + step[0])), Math.min(canvas.height, Math.max(0, cross[1] + step[1]))];
  } else if (event.key === " " && cross) {
    line.push(cross);
  } else if (event.key === "Enter") {
    close();
  } else if (event.key === "Escape") {
    [line, cross, chosen] = [[], null, new Set()];
    tell();
  } else {
    return;
  }
  event.preventDefault();
  draw();
});
by.addEventListener("change", load);
document.getElementById("save").addEventListener("click", () => {
  const cell = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
  const rows = [...chosen].map((spot) => `${cell(held.products[spot])},${cell(held.photos[spot])}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["product_id,photo\n", rows.join("\n"), "\n"], { type: "text/csv" }));
  link.download = "selected.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
load();
