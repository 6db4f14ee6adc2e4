(() => {
  const plane = document.querySelector("#map .plane");
  const drawing = plane.querySelector("svg");
  const points = [...drawing.querySelectorAll("circle")];
  const box = plane.querySelector(".pointed");
  const sheet = box.querySelector("img");
  const columns = Number(sheet.dataset.columns);
  const said = document.querySelector("#map .said");
  const names = points.map((point) => point.firstChild.textContent);
  const places = points.map((point) => [Number(point.getAttribute("cx")), Number(point.getAttribute("cy"))]);
  const side = drawing.viewBox.baseVal.width;
  let now = -1;
  points.forEach((point) => point.firstChild.remove()); // the thumbnail says the same, and sooner

  const faded = (place) => points[place].classList.contains("faded");

  function show(place) {
    if (now >= 0) points[now].classList.remove("now");
    now = place;
    box.hidden = now < 0;
    said.textContent = now < 0 ? "" : names[now];
    if (now < 0) return;
    points[now].classList.add("now");
    drawing.append(points[now]); // above the others
    sheet.style.left = -(now % columns) * 100 + "%";
    sheet.style.top = -Math.floor(now / columns) * 100 + "%";
    box.lastElementChild.textContent = names[now];
    const [x, y] = places[now];
    box.style.left = (100 * x) / side + "%";
    box.style.top = (100 * y) / side + "%";
    box.classList.toggle("leftwards", x > side / 2);
    box.classList.toggle("upwards", y > side / 2);
  }

  function nearest(x, y, allowed, reach) {
    let found = -1;
    for (let place = 0; place < places.length; place++) {
      const far = Math.hypot(places[place][0] - x, places[place][1] - y);
      if (far < reach && !faded(place) && allowed(place)) { reach = far; found = place; }
    }
    return found;
  }

  function pointed(event) {
    const frame = drawing.getBoundingClientRect();
    const scale = side / frame.width;
    const reach = (event.pointerType === "mouse" ? 14 : 28) * scale;
    return nearest((event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale, () => true, reach);
  }

  drawing.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") show(pointed(event));
  });
  drawing.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") show(-1); });
  drawing.addEventListener("click", (event) => show(pointed(event)));

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  plane.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(-1);
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    if (now < 0) return show(nearest(side / 2, side / 2, () => true, Infinity));
    const [x, y] = places[now];
    const ahead = (place) => {
      const along = (places[place][0] - x) * step[0] + (places[place][1] - y) * step[1];
      const aside = Math.abs((places[place][0] - x) * step[1]) + Math.abs((places[place][1] - y) * step[0]);
      return place !== now && along > 0 && aside <= along;
    };
    const next = nearest(x, y, ahead, Infinity);
    if (next >= 0) show(next);
  });
  plane.addEventListener("blur", () => show(-1));

  const kinds = [...document.querySelectorAll("#map .kinds button")];
  kinds.forEach((kind) => {
    kind.disabled = false;
    kind.addEventListener("click", () => {
      const alone = kind.getAttribute("aria-pressed") !== "true";
      kinds.forEach((other) => other.setAttribute("aria-pressed", String(alone && other === kind)));
      points.forEach((point) => point.classList.toggle("faded", alone && !point.classList.contains(kind.className)));
    });
  });
})();
