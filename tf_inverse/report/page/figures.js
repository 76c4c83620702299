// Words and numbers: summaries, histograms, metrics, settings.

function buildSummaries() {
  byId("summaries").className = archives.length > 1 ? "cards" : "single";
  archives.forEach((archive, k) => {
    const words = make("div");
    if (archives.length > 1) words.append(make("h2", {}, archive.name));
    if (archives.length > 1 && archive.name !== targetWords(archive)) words.append(make("p", {}, archive.question));
    const notes = archive.targets.filter((target) => target.natural).map((target) => target.natural);
    if (archive.volume) notes.unshift(archive.volume);
    if (archive.compared) notes.push(archive.compared);
    const said = (archive.judges ?? []).map((judge) => judge.words);
    for (const text of [outcome(archive), ...notes, ...said]) words.append(make("p", { className: "note" }, text));
    words.append(...facetsStrip(k));
    byId("summaries").append(make("article", {}, words, ...archive.targets.map(chart)));
  });
}

function outcome({ metrics: m, complete }) {
  const known = (text, value) => (value === "-" ? "" : text);
  return `${m.found} of ${m.asked} samples found${known(` in ${m.steps} steps`, m.steps)}` +
    `${known(`, ${m.seconds} s`, m.seconds)}; ${m.in_range} in range` +
    `${known(`; as varied as ${m.vendi} wholly different images (Vendi score)`, m.vendi)}` +
    `${known(m.natural === m.vendi_count ? "" : `; ${m.natural} of them as ${m.vendi_equal_count}`, m.vendi_natural)}` +
    `${known(`, and the ${m.natural} natural images in the range as ${m.vendi_natural}`, m.vendi_natural)}.` +
    `${complete ? "" : " The run is not complete."}`;
}

function histogram(target) {
  const { edges, samples: own, natural } = target.histogram;
  const [width, height, base] = [400, 130, 112];
  const picture = vector("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const x = (z) => ((z - edges[0]) / (edges.at(-1) - edges[0] || 1)) * width;
  picture.setAttribute("aria-label", `Histogram of the activation of ${target.name}`);
  const [left, right] = [Math.max(0, x(target.z1)), Math.min(width, x(target.z2))];
  picture.append(vector("rect", { class: "band", x: left, y: 0, width: Math.max(right - left, 1), height: base }));
  for (const [name, shares] of [["nature", natural], ["samples", own]]) {
    const most = Math.max(...(shares ?? []), 1e-9);
    (shares ?? []).forEach((share, i) => picture.append(vector("rect", {
      class: name, x: x(edges[i]) + 0.5, width: Math.max(width / own.length - 1, 1),
      y: base - (base - 8) * (share / most), height: (base - 8) * (share / most),
    })));
  }
  picture.append(vector("line", { x1: 0, x2: width, y1: base, y2: base }));
  // As many digits as tell the labels apart, also of a narrow range of large activations.
  const span = edges.at(-1) - edges[0], most = Math.max(...edges.map(Math.abs));
  const digits = Math.min(9, Math.max(3, Math.ceil(Math.log10(most / (span || 1)) || 0) + 2));
  [0, 0.25, 0.5, 0.75, 1].forEach((at) => picture.append(vector("text", {
    x: at * width, y: height - 3, "text-anchor": at === 0 ? "start" : at === 1 ? "end" : "middle",
  }, Number((edges[0] + at * span).toPrecision(digits)))));
  return picture;
}

function chart(target) {
  const caption = make("figcaption", {}, `${target.name}: share of `,
    make("span", { className: "key samples" }, "samples"));
  if (target.histogram.natural) {
    caption.append(" and ", make("span", { className: "key" }, "natural images"),
      ", each to its own scale");
  }
  return make("figure", {}, histogram(target), caption);
}

function buildMetrics() {
  const head = make("tr", {}, make("th", { scope: "col" }, "figure"),
    ...archives.map((a) => make("th", { scope: "col", className: "value" }, a.name)),
    make("th", { scope: "col" }, "meaning"));
  const rows = page.figures.map(([key, name, meaning]) => make("tr", {},
    make("th", { scope: "row" }, name),
    ...archives.map((a) => make("td", { className: "value" }, a.metrics[key] ?? "-")),
    make("td", {}, meaning)));
  byId("metrics").append(make("thead", {}, head), make("tbody", {}, ...rows));
  // What to know before archives are compared: their yardstick, and whether they can be at all.
  if (archives.length > 1) {
    byId("metrics").parentElement.after(...page.notes.map((text) => make("p", { className: "note" }, text)));
  }
}

function buildFacts() {
  for (const archive of archives) {
    if (archives.length > 1) byId("facts").append(make("h3", {}, archive.name));
    archive.facts.forEach(([title, pairs], i) => {
      const rows = pairs.map(([name, value]) => make("tr", {},
        ...(name ? [make("th", { scope: "row" }, name)] : []), make("td", {}, make("code", {}, ...unbroken(value)))));
      byId("facts").append(make("details", { open: i === 0 },
        make("summary", {}, title), make("div", { className: "scroll" }, make("table", {}, ...rows))));
    });
  }
}

// Words of a text in a line each at most, for a browser would break a flag after its hyphens.
function unbroken(text) {
  return text.split(" ").flatMap((word, i) => [...(i ? [" "] : []), make("span", {}, word)]);
}
