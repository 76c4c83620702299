// The range slider: two native sliders over one neuron's activations.

const STEPS = 1000;

function neurons() {
  const all = new Map();
  for (const archive of archives) {
    archive.targets.forEach((target, i) => {
      const span = all.get(target.name) ?? { low: Infinity, high: -Infinity, target };
      for (const row of archive.samples.activations) {
        span.low = Math.min(span.low, row[i]);
        span.high = Math.max(span.high, row[i]);
      }
      all.set(target.name, span);
    });
  }
  return all;
}

const spans = neurons();

function buildRange() {
  for (const name of spans.keys()) byId("neuron").append(make("option", { value: name }, name));
  for (const id of ["low", "high"]) {
    Object.assign(byId(id), { min: 0, max: STEPS, step: 1 });
    byId(id).addEventListener("input", () => { keepApart(id); showRange(); });
  }
  byId("neuron").addEventListener("change", () => { wholeRange(); arrange(); });
  byId("all").addEventListener("click", wholeRange);
  wholeRange();
}

function wholeRange() {
  byId("low").value = 0;
  byId("high").value = STEPS;
  showRange();
}

function keepApart(moved) {
  const [low, high] = [byId("low"), byId("high")];
  if (Number(low.value) <= Number(high.value)) return;
  if (moved === "low") high.value = low.value;
  else low.value = high.value;
}

// The ends stand for the extreme activations themselves, so that "all" loses none to rounding.
function limits() {
  const { low, high } = spans.get(byId("neuron").value);
  return ["low", "high"].map((id) => low + ((high - low) * Number(byId(id).value)) / STEPS)
    .map((z, i) => (Number(byId("low").value) === 0 && i === 0 ? low : z))
    .map((z, i) => (Number(byId("high").value) === STEPS && i === 1 ? high : z));
}

function showRange() {
  const { target } = spans.get(byId("neuron").value);
  limits().forEach((z, i) => {
    const id = ["low", "high"][i];
    byId(`${id}-value`).value = Number.isFinite(z) ? standing(target, z) : "";
    byId(id).setAttribute("aria-valuetext", byId(`${id}-value`).value);
  });
  filter();
}
