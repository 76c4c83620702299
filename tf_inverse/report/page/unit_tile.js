// A unit of a site as a tile: its picture and a few lines, and the way to its page.

const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function unitTitle(unit) {
  return unit.label ? `${unit.name} (${unit.label})` : unit.name;
}

function unitLines(unit) {
  if (!unit.place) return [unit.range, unit.reason];
  const found = unit.found < unit.asked ? `${unit.found} of ${unit.asked} found` : `${unit.found} found`;
  const lines = [unit.range, unit.vendi === null ? found : `${found}, Vendi ${unit.vendi.toPrecision(3)}`];
  if (unit.facets > 1) lines.push(unit.poly === null ? many(unit.facets, "facet") : `polysemanticity ${unit.poly.toPrecision(2)}`);
  if (unit.agreement !== null) lines.push(`judges agree ${Math.round(100 * unit.agreement)} %`);
  return lines;
}

// `up` leads from the page to the site's folder.
function unitTile(unit, up, lines = unitLines(unit)) {
  const words = [make("strong", {}, unit.label || unit.name), ...(unit.label ? [make("span", {}, unit.name)] : []),
    ...lines.map((line) => make("span", {}, line))];
  if (!unit.place) {
    return make("div", { className: "tile unit", tabIndex: -1 }, make("span", { className: "gone" }, unit.state), ...words);
  }
  const image = make("img", {
    className: "picture",
    src: `${up}${unit.place}.small.webp`, alt: `Samples of ${unitTitle(unit)}`, width: 128, height: 128,
  });
  image.loading = "lazy";
  return make("a", { className: "tile unit", href: `${up}${unit.place}.html` }, image, ...words);
}
