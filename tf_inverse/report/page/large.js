// One image large: its activations, its nearest neighbours in encoding, and where its chain began.

let opened = null;

function openLarge(sample) {
  opened = sample;
  const archive = archives[sample.archive];
  byId("large-title").textContent = describe(sample);
  byId("large").style.setProperty("--aspect", `${archive.size[1]} / ${archive.size[0]}`);
  byId("large-image").firstElementChild?.remove();
  byId("large-image").prepend(pictured(sample.large, describe(sample)));
  byId("large-activations").replaceChildren(...archive.targets.map((target, i) =>
    make("tr", {}, make("th", { scope: "row" }, target.name),
      make("td", {}, standing(target, sample.activations[i])))), ...judgesRows(sample));
  const chain = samples.filter((s) => s.archive === sample.archive && s.chain === sample.chain);
  byId("large-story").textContent =
    `Found at step ${sample.step} by chain ${sample.chain}, which found ${chain.length} of these.${facetOf(sample)}`;
  const near = archive.samples.nearest[sample.row].map((row) => sampleAt(sample.archive, row));
  byId("large-nearest").replaceChildren(...near.map(strip));
  byId("large-seed").replaceChildren(strip(chain[0]));
  showLayers(sample);
  showNature(sample);
  if (!byId("large").open) byId("large").showModal();
}

function strip(sample) {
  const button = tile(sample);
  showOn(button.querySelector(".picture"), sample.thumbnail);
  button.addEventListener("click", () => openLarge(sample));
  return button;
}

function turn(by) {
  const all = archives.flatMap((_, k) => shownInOrder(k));
  const at = all.indexOf(opened);
  // From one that is not shown, the first is next and the last before.
  const from = at < 0 && by > 0 ? -1 : Math.max(at, 0);
  if (all.length) openLarge(all[(from + by + all.length) % all.length]);
}

function buildLarge() {
  byId("close").addEventListener("click", () => byId("large").close());
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("large").addEventListener("click", (event) => {
    if (event.target === byId("large")) byId("large").close();
  });
  byId("large").addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") turn(1);
    else if (event.key === "ArrowLeft") turn(-1);
  });
  byId("large").addEventListener("close", () => {
    const button = tiles.get(opened)?.querySelector("button");
    if (button?.checkVisibility()) button.focus();
    else if (!byId("map").hidden) select(opened);
  });
}
