// Judges: other classifiers' say on each sample, as a mark on its image and as a filter.

// How many of the judges that have the neuron's class give a sample to it: [yes, all].
function votes(sample) {
  const known = (archives[sample.archive].judges ?? []).filter((judge) => judge.agrees);
  return [known.filter((judge) => judge.agrees[sample.row]).length, known.length];
}

function markOf(sample) {
  const [yes, all] = votes(sample);
  return all ? `${yes} of ${all}` : "";
}

function markFor(sample) {
  const [yes, all] = votes(sample);
  if (!all) return [];
  const kind = yes === all ? "all" : yes ? "some" : "none";
  return [make("span", { className: `mark ${kind}`, "aria-hidden": "true" }, `${yes}/${all}`)];
}

const wanted = {
  "": () => true,
  all: ([yes, all]) => yes === all,
  split: ([yes, all]) => yes > 0 && yes < all,
  none: ([yes]) => yes === 0,
};

// Samples that no judge was asked about are shown whatever is chosen.
function isWanted(sample) {
  const found = votes(sample);
  return !found[1] || wanted[byId("judged").value](found);
}

function buildJudges() {
  byId("judged-label").hidden = !samples.some((sample) => votes(sample)[1]);
  byId("judged").addEventListener("change", filter);
}

function judgesRows(sample) {
  return (archives[sample.archive].judges ?? []).map((judge) => make("tr", {},
    make("th", { scope: "row" }, judge.name), make("td", {}, `sees ${judge.sees[sample.row]}`)));
}
