// The first page of a site: its units as tiles, in an order, those that are searched for.

const tiles = units.map((unit) => make("li", {}, unitTile(unit, "")));
const haystacks = units.map((unit) => `${unit.name} ${unit.label}`.toLowerCase());
let like = null; // number of the unit whose likes alone are shown

const fields = ["search", "layer", "order", "state"];
const text = new Intl.Collator(undefined, { numeric: true });
const rising = (name) => (a, b) => (a[name] ?? Infinity) - (b[name] ?? Infinity);
const falling = (name) => (a, b) => (b[name] ?? -Infinity) - (a[name] ?? -Infinity);
const orders = {
  label: (a, b) => text.compare(a.label || a.name, b.label || b.name),
  low: falling("low"),
  vendi: falling("vendi"),
  poly: falling("poly"),
  agreement: rising("agreement"),
  found: rising("found"),
};

function groups() {
  const all = units.map((_, i) => i), order = byId("order").value;
  if (like !== null) return [[`Units like ${unitTitle(units[like])}`, [like, ...units[like].like.map(([i]) => i)]]];
  if (order !== "layer") return [["", all.sort((i, j) => orders[order](units[i], units[j]))]];
  // An intersection stands with the layer of its first neuron.
  return [...new Set(units.map((unit) => unit.layers[0]))].map((name) =>
    [name, all.filter((i) => units[i].layers[0] === name)]);
}

function arrange() {
  byId("units").replaceChildren(...groups().map(([name, members]) => {
    const list = make("ul", { className: "tiles units", role: "list", "aria-label": name || "Units" });
    list.append(...members.map((i) => tiles[i]));
    return make("section", {}, ...(name ? [make("h2", {}, `${name} `, make("small"))] : []), list);
  }));
  filter();
}

// A number is the number of a unit or part of a label; anything else is part of a name or label.
function isSearched(i, words) {
  const { numbers, label } = units[i];
  return words.every((word) => (/^\d+$/.test(word)
    ? numbers.includes(word) || label.toLowerCase().includes(word) : haystacks[i].includes(word)));
}

const states = {
  "": () => true,
  done: (unit) => unit.place && unit.found >= unit.asked,
  partial: (unit) => unit.place && unit.found < unit.asked,
  none: (unit) => !unit.place,
};

function filter() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [layer, state] = [byId("layer").value, states[byId("state").value]];
  units.forEach((unit, i) => {
    tiles[i].hidden = !(isSearched(i, words) && (!layer || unit.layers.includes(layer)) && state(unit));
  });
  let count = 0;
  for (const section of byId("units").children) {
    const shown = section.querySelectorAll("li:not([hidden])").length;
    section.hidden = !shown;
    const words = section.querySelector("h2 small");
    if (words) words.textContent = many(shown, "unit");
    count += shown;
  }
  byId("count").value = `${count} of ${many(units.length, "unit")}`;
  rove(document.querySelector("#units section:not([hidden]) li:not([hidden]) .tile"));
  remember();
}

// What is shown stands in the address, so that the way back from a unit leads to it.
function remember() {
  const said = new URLSearchParams();
  for (const name of fields) {
    const field = byId(name);
    if (field.value !== (field.options?.[0].value ?? "")) said.set(name, field.value);
  }
  if (like !== null) said.set("like", like);
  history.replaceState(null, "", `#${said}`);
}

function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const name of fields) {
    const field = byId(name), value = said.get(name) ?? "";
    const known = !field.options || [...field.options].some((option) => option.value === value);
    field.value = known ? value : "";
    if (field.options && field.selectedIndex < 0) field.selectedIndex = 0;
  }
  const number = said.get("like") ?? "";
  like = /^\d+$/.test(number) && units[Number(number)]?.place ? Number(number) : null;
  byId("clear").hidden = like === null;
  byId("clear").textContent = like === null ? "" : `like ${unitTitle(units[like])} \u00d7`;
  arrange();
}

function tally() {
  const names = new Set(units.flatMap((unit) => unit.layers)), lacking = units.filter((unit) => !unit.place).length;
  const words = `${many(units.length, "unit")} of ${many(names.size, "layer")}`;
  return `${words}, each by samples of what excites it to a range` +
    `${lacking ? `; ${lacking} without samples` : ""}. ${legend().join(" ")}`;
}

// What the words and numbers of the tiles mean, of those that there are.
function legend() {
  const lines = ["A picture shows samples as unlike as can be."];
  if (units.some((unit) => unit.facets > 1)) {
    lines[0] = "Samples may fall into facets, groups that show unlike things: a picture has the most " +
      "typical sample of each facet, or of a unit with one facet samples as unlike as can be.";
  }
  if (units.some((unit) => unit.vendi !== null)) lines.push("Vendi: how many wholly different images the samples are worth.");
  if (units.some((unit) => unit.facets > 1 && unit.poly !== null)) {
    lines.push("Polysemanticity: how many wholly unlike things the unit answers to, 1 where it has one facet.");
  }
  return lines;
}

for (const name of new Set(units.flatMap((unit) => unit.layers))) {
  byId("layer").append(make("option", { value: name }, name));
}
byId("tally").textContent = tally();
byId("search").addEventListener("input", filter);
byId("layer").addEventListener("change", filter);
byId("state").addEventListener("change", filter);
byId("order").addEventListener("change", arrange);
byId("clear").addEventListener("click", () => { location.hash = ""; recall(); });
byId("tile").addEventListener("input", (event) =>
  byId("units").style.setProperty("--tile", `${event.target.value}px`));
byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
byId("units").addEventListener("keydown", onGridKey);
byId("units").addEventListener("focusin", (event) => rove(event.target.closest(".tile")));
addEventListener("hashchange", recall);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select")) return;
  event.preventDefault();
  byId("search").focus();
});
recall();
document.documentElement.dataset.ready = "true";
