// The page of a unit on a site: the way to the others, its other ranges, and the units like it.

const up = "../../";
page.figures = page.figures.map((key) => [key, ...figures[key]]);

function wayToOthers() {
  const others = units.map((unit, i) => i).filter((i) => units[i].place);
  const at = others.indexOf(page.number);
  const link = (i, words, rel) => (units[i] === undefined ? [] : [make("a",
    { href: `${up}${units[i].place}.html`, rel, title: unitTitle(units[i]) }, words(units[i]))]);
  return make("nav", { "aria-label": "Units" },
    make("a", { href: `${up}index.html` }, "All units"),
    ...link(others[at - 1], (unit) => `\u2190 ${unitTitle(unit)}`, "prev"),
    ...link(others[at + 1], (unit) => `${unitTitle(unit)} \u2192`, "next"));
}

function ladderRow({ band, words, items }) {
  const list = make("ul", { className: "tiles nature", role: "list", "aria-label": `Samples from ${band}` });
  list.style.setProperty("--aspect", `${archives[0].size[1]} / ${archives[0].size[0]}`);
  list.append(...items.map((item) => make("li", {}, natural(item))));
  return make("div", {}, make("h3", {}, `${band} `, make("small", {}, words)), ...(items.length ? [list] : []));
}

// 0 is a unit whose samples have the same encodings, 1 one that has nothing in common with them.
function likeThis() {
  const list = make("ul", { className: "tiles units", role: "list", "aria-label": "Units like this" });
  list.append(...units[page.number].like.slice(0, 8).map(([i, unlike]) =>
    make("li", {}, unitTile(units[i], up, [`${unlike.toFixed(2)} unlike`]))));
  return list;
}

function buildUnit() {
  document.querySelector("header").before(wayToOthers());
  const more = make("section", { id: "more" });
  if (page.ladder.length) more.append(make("h2", {}, "Ladder of ranges"), ...page.ladder.map(ladderRow));
  if (units[page.number].like.length) {
    more.append(make("h2", {}, "Units like this"), likeThis(),
      make("p", { className: "note" }, "By the encodings of their samples: 0 is no difference, 1 nothing in common. ",
        make("a", { href: `${up}index.html#like=${page.number}` }, "More of them")));
  }
  byId("numbers").before(more);
}

buildUnit();
