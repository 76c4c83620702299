// The map: thumbnails at the two principal coordinates of their encodings, on a canvas.

const view = { x: 0, y: 0, zoom: 1 }; // what lies at the centre, and how many times enlarged
const pictures = new Map(); // sample -> decoded <img>, its own or that of all
let selected = null, drawing = false;

function currentMap() {
  return page.maps[Number(byId("map-name").value)];
}

function points() {
  const map = currentMap();
  return map.members
    .map(([k, row], i) => ({ sample: sampleAt(k, row), place: map.places[i] }))
    .filter((point) => point.sample.shown);
}

function toCanvas([x, y]) {
  const { clientWidth: width, clientHeight: height } = byId("plane");
  const unit = 0.46 * view.zoom * Math.min(width, height);
  return [width / 2 + (x - view.x) * unit * Math.max(1, width / height / 1.15), height / 2 - (y - view.y) * unit];
}

function drawMap() {
  if (drawing || byId("map").hidden) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; paint(); });
}

function paint() {
  const plane = byId("plane"), ratio = window.devicePixelRatio || 1;
  plane.width = plane.clientWidth * ratio;
  plane.height = plane.clientHeight * ratio;
  const context = plane.getContext("2d");
  context.scale(ratio, ratio);
  const side = tileSide();
  for (const point of points()) if (point.sample !== selected) drawPoint(context, point, side);
  const chosen = points().find((point) => point.sample === selected);
  if (chosen) drawPoint(context, chosen, side * 1.6, true);
}

function tileSide() {
  const crowd = Math.sqrt(Math.max(points().length, 1));
  const fit = (0.9 * byId("plane").clientHeight) / crowd;
  return Math.min(96, Math.max(12, fit * Math.sqrt(view.zoom)));
}

function drawPoint(context, point, side, framed = false) {
  const [x, y] = toCanvas(point.place);
  const [width, height] = [byId("plane").clientWidth, byId("plane").clientHeight];
  if (x < -side || y < -side || x > width + side || y > height + side) return;
  const picture = pictures.get(point.sample);
  const colour = frameColour(point.sample);
  if (picture?.complete) {
    const cut = sprite ? [...corner(point.sample.thumbnail), sprite.width, sprite.height] : [];
    context.drawImage(picture, ...cut, x - side / 2, y - side / 2, side, side);
  }
  if (framed || archives.length > 1 || !picture?.complete) {
    context.lineWidth = framed ? 3 : 1.5;
    context.strokeStyle = framed ? getComputedStyle(byId("plane")).outlineColor : colour;
    context.strokeRect(x - side / 2, y - side / 2, side, side);
  }
}

function frameColour(sample) {
  return `hsl(${(sample.archive * 137.5 + 215) % 360} 65% 55%)`;
}

function loadPictures() {
  for (const sample of samples) {
    if (pictures.has(sample)) continue;
    const picture = spriteImage ?? make("img", { src: sample.thumbnail });
    picture.addEventListener("load", drawMap);
    pictures.set(sample, picture);
  }
}

function nearestTo(x, y) {
  let best = null, distance = Infinity;
  for (const point of points()) {
    const [px, py] = toCanvas(point.place);
    const away = Math.hypot(px - x, py - y);
    if (away < distance) [best, distance] = [point, away];
  }
  return distance <= 2 * tileSide() ? best : null;
}

function select(sample) {
  selected = sample;
  byId("map-status").textContent = sample ? describe(sample) : "";
  drawMap();
}

function zoom(factor) {
  view.zoom = Math.min(60, Math.max(0.5, view.zoom * factor));
  drawMap();
}

function whole() {
  Object.assign(view, { x: 0, y: 0, zoom: 1 });
  drawMap();
}

// From the selected image to the nearest one in a direction, within 45 degrees of it.
function go(dx, dy) {
  const all = points();
  const from = all.find((point) => point.sample === selected);
  if (!from) return select(all[0]?.sample ?? null);
  const [x, y] = toCanvas(from.place);
  let best = null, distance = Infinity;
  for (const point of all) {
    const [px, py] = toCanvas(point.place);
    const along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (along > 0 && across <= along && along + across < distance) [best, distance] = [point, along + across];
  }
  if (best) select(best.sample);
}

function onMapKey(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (moves[event.key]) go(...moves[event.key]);
  else if (event.key === "+" || event.key === "=") zoom(1.4);
  else if (event.key === "-") zoom(1 / 1.4);
  else if (event.key === "0") whole();
  else if (event.key === "Enter" && selected) openLarge(selected);
  else return;
  event.preventDefault();
}
