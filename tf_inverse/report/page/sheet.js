// The sheet: one list of tiles for each archive; order, filter, size and keys.

const tiles = new Map(); // sample -> its <li>

function tile(sample) {
  return make("button", { type: "button", className: "tile", "aria-label": describe(sample) },
    make("span", { className: "frame" }, blank(), ...markFor(sample)), make("span", { "aria-hidden": "true" }, sample.caption));
}

// Thumbnails get their source a few at a time, in the order shown, the first of every list at once
// and the others while nothing else is to do: a page of thousands opens at once. (Observing each
// tile costs more at every scrolled frame.)
const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 30));

function revealSome() {
  const shown = blanks("#sheet li:not([hidden])");
  const waiting = shown.length ? shown : blanks("#sheet li");
  if (!waiting.length) return;
  reveal(waiting.slice(0, 60));
  whenIdle(revealSome);
}

function revealFirst() {
  for (const list of document.querySelectorAll("#sheet ul")) {
    reveal(blanks("li:not([hidden])", list).slice(0, 60));
  }
}

function blanks(where, root = document) {
  return [...root.querySelectorAll(`${where} .tile .picture`)].filter(isBlank);
}

function reveal(images) {
  for (const image of images) showOn(image, image.closest("li").sample.thumbnail);
}

function revealAll() {
  reveal(blanks("#sheet li"));
}

function buildSheet() {
  archives.forEach((archive, k) => {
    const list = make("ul", { className: "tiles", role: "list", "aria-label": archive.name });
    list.style.setProperty("--aspect", `${archive.size[1]} / ${archive.size[0]}`);
    const section = make("section");
    if (archives.length > 1) section.append(make("h2", {}, heading(archive)));
    section.append(list, ...moreBelow(list), ...natureOf(archive));
    byId("sheet").append(section);
    for (const sample of samples) if (sample.archive === k) list.append(item(sample));
  });
  byId("sheet").className = archives.length > 1 ? "rows" : "grids";
  byId("layout-label").hidden = archives.length < 2;
}

function item(sample) {
  const button = tile(sample);
  button.tabIndex = -1;
  button.addEventListener("click", () => openLarge(sample));
  button.addEventListener("focus", () => rove(button));
  const li = make("li", {}, button);
  li.sample = sample;
  tiles.set(sample, li);
  return li;
}

// A ladder names its archives by their targets, which need not be said again.
function heading(archive) {
  const words = targetWords(archive);
  return archive.name === words ? words : `${archive.name}: ${words}`;
}

function targetWords(archive) {
  return archive.targets.map((t) => `${t.name} from ${t.band}`).join(" and ");
}

const orders = {
  found: (archive) => archive.samples.thumbnails.map((_, i) => i),
  rising: (archive) => orders.found(archive).sort((a, b) => key(archive, a) - key(archive, b)),
  falling: (archive) => orders.rising(archive).reverse(),
  similar: (archive) => archive.samples.similar,
  different: (archive) => archive.samples.different,
};

function key(archive, row) {
  const at = archive.targets.findIndex((target) => target.name === byId("neuron").value);
  return archive.samples.activations[row][Math.max(at, 0)];
}

function shownInOrder(k) {
  const rows = orders[byId("order").value](archives[k]);
  return rows.map((row) => sampleAt(k, row)).filter((sample) => sample.shown);
}

function arrange() {
  document.querySelectorAll("#sheet ul:not(.nature)").forEach((list, k) => {
    const rows = orders[byId("order").value](archives[k]);
    list.append(...rows.map((row) => tiles.get(sampleAt(k, row))));
  });
  rove(document.querySelector("#sheet li:not([hidden]) .tile"));
  showMore();
}

function filter() {
  const name = byId("neuron").value;
  const at = archives.map((archive) => archive.targets.findIndex((t) => t.name === name));
  const [low, high] = limits();
  for (const sample of samples) {
    const z = sample.activations[at[sample.archive]];
    sample.shown = (z === undefined || (z >= low && z <= high)) && isWanted(sample) && isInChosenFacet(sample);
    tiles.get(sample).hidden = !sample.shown;
  }
  const count = samples.filter((sample) => sample.shown).length;
  byId("count").value = `${count} of ${samples.length} images`;
  if (!roving || roving.parentElement.hidden) {
    rove(document.querySelector("#sheet li:not([hidden]) .tile"));
  }
  drawMap();
  showMore();
}
