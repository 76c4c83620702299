// Mouse and touch on the map: drag to move, wheel to zoom, click to open.

function buildMap() {
  page.maps.forEach((map, i) => byId("map-name").append(make("option", { value: i }, map.name)));
  byId("map-label").hidden = page.maps.length < 2;
  byId("map-name").addEventListener("change", () => { select(null); whole(); explain(); });
  byId("closer").addEventListener("click", () => zoom(1.4));
  byId("farther").addEventListener("click", () => zoom(1 / 1.4));
  byId("whole").addEventListener("click", whole);
  const plane = byId("plane");
  plane.setAttribute("aria-label", "Map of the images by similarity");
  plane.addEventListener("keydown", onMapKey);
  plane.addEventListener("wheel", onWheel, { passive: false });
  plane.addEventListener("pointerdown", onDown);
  plane.addEventListener("pointermove", onMove);
  plane.addEventListener("pointerup", onUp);
  new ResizeObserver(drawMap).observe(plane);
  explain();
}

function explain() {
  const [first, second] = currentMap().explained.map((share) => (100 * share).toFixed(0));
  byId("explained").textContent = `The two directions hold ${first} % and ${second} % of the variance.`;
}

function toPlane(x, y) {
  const [ox, oy] = toCanvas([0, 0]), [ux, uy] = toCanvas([1, 1]);
  return [(x - ox) / (ux - ox), (y - oy) / (uy - oy)];
}

function onWheel(event) {
  event.preventDefault();
  const before = toPlane(event.offsetX, event.offsetY);
  zoom(Math.exp(-event.deltaY / 400));
  const after = toPlane(event.offsetX, event.offsetY);
  view.x += before[0] - after[0];
  view.y += before[1] - after[1];
}

let drag = null;

function onDown(event) {
  byId("plane").setPointerCapture(event.pointerId);
  drag = { x: event.offsetX, y: event.offsetY, moved: false };
}

function onMove(event) {
  if (!drag) {
    const point = nearestTo(event.offsetX, event.offsetY);
    if ((point?.sample ?? null) !== selected) select(point?.sample ?? null);
    return;
  }
  if (!drag.moved && Math.hypot(event.offsetX - drag.x, event.offsetY - drag.y) < 4) return;
  const from = toPlane(drag.x, drag.y), to = toPlane(event.offsetX, event.offsetY);
  view.x += from[0] - to[0];
  view.y += from[1] - to[1];
  drag = { x: event.offsetX, y: event.offsetY, moved: true };
  drawMap();
}

function onUp(event) {
  const point = drag && !drag.moved && nearestTo(event.offsetX, event.offsetY);
  drag = null;
  if (point) openLarge(point.sample);
}
