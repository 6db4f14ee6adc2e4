// Answers by keys, the next pair and the promise without leaving the page.
const form = document.getElementById("answer");
const section = document.getElementById("pair");
const curve = document.getElementById("curve");
const target = Number(section.dataset.target);
const begin = Math.random(); // somebody else judges other pairs
const judged = []; // pairs that were answered here, the last one last
const element = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;
let now = form && shown();
let busy = false;

function shown() {
  const [query, match] = [...form.querySelectorAll("img")].map((image) => new URL(image.src).searchParams.get("id"));
  return {
    ours: form.ours.value, theirs: form.theirs.value, query, match, score: Number(element("pair-score").textContent),
    our_title: element("our-name").textContent, their_title: element("their-name").textContent,
  };
}

function show(pair) {
  now = pair;
  element("back").hidden = !judged.length;
  for (const part of form.querySelectorAll(".pair, .soft, button[name=said]")) part.hidden = !pair;
  section.querySelector(".notice")?.remove();
  if (!pair) {
    const line = document.createElement("p");
    line.className = "notice";
    line.textContent = "Every listed pair has been judged.";
    section.prepend(line); // the form stays: the last answer too can be taken back
    return;
  }
  form.ours.value = pair.ours;
  form.theirs.value = pair.theirs;
  const names = [pair.our_title || pair.ours, pair.their_title || pair.theirs];
  form.querySelectorAll("img").forEach((image, side) => {
    image.src = "/v1/photo?" + new URLSearchParams({ id: side ? pair.match : pair.query, size: 640 });
    image.alt = `${side ? "Theirs" : "Ours"}: ${names[side]}`;
  });
  element("our-name").textContent = names[0];
  element("their-name").textContent = names[1];
  element("pair-score").textContent = pair.score.toFixed(3);
}

function tell(standing) {
  for (const name of ["yes", "no", "unsure"]) element(name).textContent = standing[name];
  element("low").textContent = percent(standing.low);
  element("high").textContent = percent(standing.high);
  element("range").setAttribute("x", 100 * standing.low);
  element("range").setAttribute("width", Math.max(0.5, 100 * (standing.high - standing.low)));
  element("promised").textContent = standing.score === null
    ? `Nothing is promised yet: about ${standing.missing.toLocaleString("en")} more answers.`
    : `From score ${standing.score.toFixed(3)} on, at least ${percent(target)} are right, in 9 of 10 uses: ` +
      `${standing.accepted.toLocaleString("en")} of ${standing.pairs.toLocaleString("en")} pairs.`;
  element("no-curve").hidden = standing.curve.length > 0;
  draw(standing.curve);
}

function part(name, values, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw(points) {
  curve.replaceChildren();
  curve.style.display = points.length ? "" : "none";
  if (!points.length) return;
  const [low, high] = [points[0][0], points.at(-1)[0]];
  const x = (score) => 34 + 280 * (score - low) / Math.max(1e-9, high - low);
  const y = (chance) => 140 - 128 * chance;
  for (const chance of [0, 0.5, 1]) {
    curve.append(part("line", { class: "axis", x1: 34, x2: 314, y1: y(chance), y2: y(chance) }));
    curve.append(part("text", { x: 28, y: y(chance) + 4, "text-anchor": "end" }, percent(chance)));
  }
  for (const [score, anchor] of [[low, "start"], [high, "end"]]) {
    curve.append(part("text", { x: x(score), y: 160, "text-anchor": anchor }, score.toFixed(2)));
  }
  const line = points.map(([score, chance], place) => `${place ? "L" : "M"}${x(score).toFixed(1)} ${y(chance).toFixed(1)}`);
  curve.append(part("path", { class: "line", d: line.join("") }));
}

async function say(said) {
  if (busy || !now || form.querySelector("button[name=said]").disabled) return;
  busy = true;
  try {
    const answer = await fetch(`/v1/match?target=${target}`, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ ours: now.ours, theirs: now.theirs, said }),
    });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    judged.push(now);
    const next = await (await fetch(`/v1/match?target=${target}&begin=${begin}`)).json();
    tell(next.standing);
    show(next.pairs[0]);
  } catch (error) {
    element("promised").textContent = error.message;
  } finally {
    busy = false;
  }
}

form?.addEventListener("submit", (event) => { event.preventDefault(); say(event.submitter?.value ?? "unsure"); });
element("back")?.addEventListener("click", () => { if (judged.length) show(judged.pop()); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.repeat) return; // a key that is held down answers one pair
  const said = { y: "yes", n: "no", u: "unsure" }[event.key.toLowerCase()];
  if (said) { event.preventDefault(); say(said); }
  if (event.key.toLowerCase() === "b") element("back")?.click();
});
element("target").addEventListener("change", (event) => event.target.form.requestSubmit());
draw(JSON.parse(curve.dataset.curve));
