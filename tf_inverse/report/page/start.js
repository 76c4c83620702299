// Puts the page together once it is read.

function show(name) {
  for (const other of ["sheet", "map"]) {
    byId(other).hidden = other !== name;
    byId(`view-${other}`).setAttribute("aria-pressed", String(other === name));
  }
  if (name === "map") { loadPictures(); drawMap(); }
}

buildSummaries();
buildMetrics();
buildFacts();
buildSheet();
buildLarge();
buildMap();
buildLayers();
buildJudges();
buildRange();
arrange();
byId("order").addEventListener("change", arrange);
byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
byId("tile").addEventListener("input", (event) => {
  document.documentElement.style.setProperty("--tile", `${event.target.value}px`);
  showMore();
});
byId("layout").addEventListener("change", (event) => {
  byId("sheet").className = event.target.value;
  showMore();
});
addEventListener("resize", showMore);
byId("sheet").addEventListener("keydown", onGridKey);
byId("view-sheet").addEventListener("click", () => show("sheet"));
byId("view-map").addEventListener("click", () => show("map"));
addEventListener("beforeprint", revealAll);
revealFirst();
whenIdle(revealSome);
document.documentElement.dataset.ready = "true";
