// Dropping or pasting a photo, the box around the item, and results without leaving the page.
const form = document.getElementById("by-photo");
const input = document.getElementById("photo");
const drop = document.getElementById("drop");
const results = document.getElementById("results");
const field = document.getElementById("crop");
const canvas = document.getElementById("crop-canvas");
const cropping = document.getElementById("cropping");
const dialog = document.getElementById("why-dialog");
const pen = canvas.getContext("2d");
const LEAST = 0.05;
let picture = null;
let box = null; // left, top, right, bottom as shares of the sides
let asked = 0;

function draw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  if (!box) return;
  const [left, top, right, bottom] = [box[0] * canvas.width, box[1] * canvas.height, box[2] * canvas.width, box[3] * canvas.height];
  pen.fillStyle = "rgba(0, 0, 0, .5)";
  pen.beginPath();
  pen.rect(0, 0, canvas.width, canvas.height);
  pen.rect(left, top, right - left, bottom - top);
  pen.fill("evenodd");
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  pen.strokeRect(left, top, right - left, bottom - top);
}

function choose(next) {
  box = next;
  field.value = box ? box.map((value) => value.toFixed(4)).join(",") : "";
  draw();
}

async function show(file) {
  try {
    picture = await createImageBitmap(file);
  } catch {
    picture = null; // a format that the browser does not know: the server may
  }
  cropping.hidden = !picture;
  [box, field.value] = [null, ""]; // the last photo's
  if (!picture) return;
  const scale = Math.min(480 / picture.width, 360 / picture.height);
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  choose(null);
}

async function search() {
  if (!input.files.length) return;
  const mine = ++asked;
  results.innerHTML = '<p class="soft">Looking …</p>';
  try {
    const answer = await fetch("/search", { method: "POST", body: new FormData(form), headers: { "x-part": "results" } });
    const text = await answer.text();
    if (mine !== asked) return;
    if (answer.ok) {
      results.innerHTML = text; // made and escaped by the server
      for (const button of results.querySelectorAll(".why-link")) button.hidden = false;
    } else say(JSON.parse(text).detail);
  } catch {
    if (mine === asked) say("The server does not answer.");
  }
  if (mine === asked) results.querySelector("h2, p")?.scrollIntoView({ block: "nearest" });
}

function say(sentence) {
  const line = document.createElement("p");
  line.className = "notice";
  line.textContent = sentence;
  results.replaceChildren(line);
}

async function explain(button) {
  const sent = new FormData(form);
  sent.append("match", button.dataset.match);
  button.disabled = true;
  try {
    const answer = await fetch("/why", { method: "POST", body: sent, headers: { "x-part": "why" } });
    const text = await answer.text();
    const part = dialog.firstElementChild;
    if (answer.ok) part.innerHTML = text; // made and escaped by the server
    else part.textContent = JSON.parse(text).detail;
  } catch {
    dialog.firstElementChild.textContent = "The server does not answer.";
  }
  button.disabled = false;
  dialog.showModal();
}

async function take(files) {
  if (!files.length) return;
  if (files !== input.files) {
    const held = new DataTransfer();
    held.items.add(files[0]);
    input.files = held.files;
  }
  await show(input.files[0]);
  await search();
}

results.addEventListener("click", (event) => {
  const button = event.target.closest("button.why-link");
  if (button) explain(button);
});
form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
form.addEventListener("change", (event) => { if (event.target.name === "mode") search(); });
input.addEventListener("change", () => take(input.files));
for (const kind of ["dragover", "dragenter"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
document.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files); });
document.addEventListener("paste", (event) => take(event.clipboardData.files));

const within = (value) => Math.min(1, Math.max(0, value));
let began = null;
const place = (event) => {
  const frame = canvas.getBoundingClientRect();
  return [within((event.clientX - frame.left) / frame.width), within((event.clientY - frame.top) / frame.height)];
};
canvas.addEventListener("pointerdown", (event) => { began = place(event); canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  if (!began) return;
  const [x, y] = place(event);
  const next = [Math.min(began[0], x), Math.min(began[1], y), Math.max(began[0], x), Math.max(began[1], y)];
  if (next[2] - next[0] >= LEAST && next[3] - next[1] >= LEAST) choose(next);
});
canvas.addEventListener("pointerup", () => { began = null; if (box) search(); });
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-0.04, 0], ArrowRight: [0.04, 0], ArrowUp: [0, -0.04], ArrowDown: [0, 0.04] }[event.key];
  if (event.key === "Enter") { event.preventDefault(); search(); }
  if (!step) return;
  event.preventDefault();
  let [left, top, right, bottom] = box ?? [0.15, 0.15, 0.85, 0.85];
  const [x, y] = step;
  if (event.shiftKey) {
    right = Math.min(1, Math.max(left + LEAST, right + x));
    bottom = Math.min(1, Math.max(top + LEAST, bottom + y));
  } else {
    const [dx, dy] = [Math.max(-left, Math.min(1 - right, x)), Math.max(-top, Math.min(1 - bottom, y))];
    [left, right, top, bottom] = [left + dx, right + dx, top + dy, bottom + dy];
  }
  choose([left, top, right, bottom]);
});
document.getElementById("whole").addEventListener("click", () => { choose(null); search(); });
