// Facets: the groups of an archive's samples; each is a button with its medoid that shows it alone.

const chosenFacet = new Map(); // number of an archive -> the one facet that is shown of it

function isInChosenFacet(sample) {
  const chosen = chosenFacet.get(sample.archive);
  return chosen === undefined || archives[sample.archive].facets.members[sample.row] === chosen;
}

function facetOf(sample) {
  const { members, medoids } = archives[sample.archive].facets;
  const medoid = medoids.includes(sample.row) ? ", its medoid" : "";
  return medoids.length > 1 ? ` It is of facet ${members[sample.row] + 1} of ${medoids.length}${medoid}.` : "";
}

function facetsStrip(k) {
  const { medoids, shares, words } = archives[k].facets;
  const hint = medoids.length < 2 ? "" : " A click on a medoid shows its facet alone.";
  const line = make("p", { className: "note" }, words + hint);
  if (medoids.length < 2) return [line];
  const strip = make("div", { className: "strip", role: "group", "aria-label": "Facets, each by its medoid" });
  strip.style.setProperty("--aspect", `${archives[k].size[1]} / ${archives[k].size[0]}`);
  strip.append(...medoids.map((row, i) => {
    const label = `Show facet ${i + 1} of ${medoids.length} alone: ${shares[i]} of the samples, medoid row ${row}`;
    const button = make("button", { type: "button", className: "tile", "aria-pressed": "false", "aria-label": label },
      pictured(sampleAt(k, row).thumbnail), make("span", { "aria-hidden": "true" }, shares[i]));
    button.addEventListener("click", () => chooseFacet(k, i, strip));
    return button;
  }));
  return [line, strip];
}

function chooseFacet(k, facet, strip) {
  if (chosenFacet.get(k) === facet) chosenFacet.delete(k);
  else chosenFacet.set(k, facet);
  [...strip.children].forEach((button, i) =>
    button.setAttribute("aria-pressed", String(chosenFacet.get(k) === i)));
  filter();
}
