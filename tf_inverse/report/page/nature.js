// Natural images of the same range, and what shows that a row of images goes on.

function natural(item) {
  return make("figure", {}, pictured(item.thumbnail, item.words), make("figcaption", { "aria-hidden": "true" }, item.caption));
}

function natureOf(archive) {
  if (!archive.nature) return [];
  const list = make("ul", { className: "tiles nature", role: "list", "aria-label": archive.nature.title });
  list.style.setProperty("--aspect", `${archive.size[1]} / ${archive.size[0]}`);
  list.append(...archive.nature.items.map((item) => make("li", {}, natural(item))));
  return [make("h3", {}, archive.nature.title), list, ...moreBelow(list)];
}

function showNature(sample) {
  const archive = archives[sample.archive], items = archive.nature?.items ?? [];
  byId("large-natural").hidden = !items.length;
  const away = (item) => Math.hypot(...item.activations.map((z, i) => z - sample.activations[i]));
  const near = [...items].sort((a, b) => away(a) - away(b)).slice(0, 6);
  byId("large-nature").replaceChildren(...near.map(natural));
}

// A row that is cut at the right edge fades there, and a line below tells how many are beyond.
function moreBelow(list) {
  const line = make("p", { className: "more" });
  list.more = line;
  list.addEventListener("scroll", () => showMoreOf(list), { passive: true });
  return [line];
}

function showMoreOf(list) {
  const end = list.getBoundingClientRect().right;
  const shown = [...list.children].filter((li) => !li.hidden);
  const inRow = byId("sheet").className === "rows";
  const beyond = inRow ? shown.filter((li) => li.getBoundingClientRect().right > end + 1).length : 0;
  list.toggleAttribute("data-more", beyond > 0);
  list.more.textContent = beyond ? `${beyond} more to the right \u2192` : "";
}

function showMore() {
  for (const list of document.querySelectorAll("#sheet ul")) showMoreOf(list);
}
