// Words and numbers: summaries, histograms, metrics, settings.

function buildSummaries() {
  for (const archive of archives) {
    const paragraphs = archive.targets.filter((t) => t.natural).map((t) => t.natural);
    const m = archive.metrics;
    paragraphs.push(`${m.found} of ${m.asked} samples found` +
      (m.steps === "-" ? "" : ` in ${m.steps} steps`) + (m.seconds === "-" ? "" : `, ${m.seconds} s`) +
      `; ${m.in_range} in range` + (m.vendi === "-" ? "" : `; Vendi score ${m.vendi}`) +
      (m.vendi_natural === "-" ? "." : ` (nature: ${m.vendi_natural} of ${m.natural}).`) +
      (archive.complete ? "" : " The run is not complete."));
    const lead = archives.length > 1 ? [make("strong", {}, `${archive.name}: `), archive.question] : [];
    byId("summaries").append(...(lead.length ? [make("p", {}, ...lead)] : []),
      ...paragraphs.map((text) => make("p", { className: "note" }, text)));
  }
}

function svg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function histogram(archive, target) {
  const { edges, samples: own, natural } = target.histogram;
  const [width, height, base] = [400, 130, 112];
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const x = (z) => ((z - edges[0]) / (edges.at(-1) - edges[0] || 1)) * width;
  picture.setAttribute("aria-label", `Histogram of the activation of ${target.name}`);
  const [left, right] = [Math.max(0, x(target.z1)), Math.min(width, x(target.z2))];
  picture.append(svg("rect", { class: "band", x: left, y: 0, width: Math.max(right - left, 1), height: base }));
  for (const [name, shares] of [["nature", natural], ["samples", own]]) {
    const most = Math.max(...(shares ?? []), 1e-9);
    (shares ?? []).forEach((share, i) => picture.append(svg("rect", {
      class: name, x: x(edges[i]) + 0.5, width: Math.max(width / own.length - 1, 1),
      y: base - (base - 8) * (share / most), height: (base - 8) * (share / most),
    })));
  }
  picture.append(svg("line", { x1: 0, x2: width, y1: base, y2: base }));
  [0, 0.25, 0.5, 0.75, 1].forEach((at) => picture.append(svg("text", {
    x: at * width, y: height - 3, "text-anchor": at === 0 ? "start" : at === 1 ? "end" : "middle",
  }, (edges[0] + at * (edges.at(-1) - edges[0])).toPrecision(3))));
  return picture;
}

function buildCharts() {
  for (const archive of archives) {
    for (const target of archive.targets) {
      const owner = archives.length > 1 ? `${archive.name}: ` : "";
      const caption = make("figcaption", {}, `${owner}${target.name}`,
        make("span", { className: "key samples" }, "samples"));
      if (target.histogram.natural) {
        caption.append(make("span", { className: "key" }, "natural images"));
      }
      byId("charts").append(make("figure", {}, histogram(archive, target), caption));
    }
  }
}

function buildMetrics() {
  const head = make("tr", {}, make("th", { scope: "col" }, "figure"),
    ...archives.map((a) => make("th", { scope: "col", className: "value" }, a.name)),
    make("th", { scope: "col" }, "meaning"));
  const rows = page.figures.map(([key, name, meaning]) => make("tr", {},
    make("th", { scope: "row" }, name),
    ...archives.map((a) => make("td", { className: "value" }, a.metrics[key])),
    make("td", {}, meaning)));
  byId("metrics").append(make("thead", {}, head), make("tbody", {}, ...rows));
}

function buildFacts() {
  for (const archive of archives) {
    if (archives.length > 1) byId("facts").append(make("h3", {}, archive.name));
    archive.facts.forEach(([title, pairs], i) => {
      const rows = pairs.map(([name, value]) => make("tr", {},
        ...(name ? [make("th", { scope: "row" }, name)] : []), make("td", {}, make("code", {}, value))));
      byId("facts").append(make("details", { open: i === 0 },
        make("summary", {}, title), make("div", { className: "scroll" }, make("table", {}, ...rows))));
    });
  }
}
