// Overlays: which parts of an image drive a neuron, as layers over it.

function layerOf(sample, method = byId("layer").value) {
  const layers = archives[sample.archive].layers?.[method];
  if (!layers) return null;
  const at = archives[sample.archive].targets.findIndex((t) => t.name === byId("neuron").value);
  return layers[sample.row]?.[Math.max(at, 0)] ?? null;
}

function methods(archive) {
  return Object.keys(archive.layers ?? {});
}

function buildLayers() {
  for (const name of new Set(archives.flatMap(methods))) {
    byId("layer").append(make("option", { value: name }, name.replaceAll("_", " ")));
  }
  byId("layer-label").hidden = byId("layer").options.length < 2;
  byId("layer").addEventListener("change", coverAll);
  byId("neuron").addEventListener("change", coverAll);
}

function coverAll() {
  for (const [sample, li] of tiles) cover(li.querySelector(".frame"), layerOf(sample));
  if (opened) cover(byId("large-image"), layerOf(opened));
}

// Lays one layer over a frame's image, or takes away the one that is there.
function cover(frame, layer) {
  frame.querySelector(".layer")?.remove();
  frame.classList.toggle("overlaid", Boolean(layer));
  if (layer) frame.append(make("img", { className: "layer", src: layer, alt: "" }));
}

// In the large view all methods are beside each other; pressing one shows it large.
function showLayers(sample) {
  const archive = archives[sample.archive];
  byId("large-driven").hidden = !methods(archive).length;
  byId("large-layers").replaceChildren(...methods(archive).map((method) => {
    const words = method.replaceAll("_", " "), frame = make("span", { className: "frame" });
    frame.append(pictured(sample.thumbnail));
    cover(frame, layerOf(sample, method));
    const button = make("button", { type: "button", className: "tile", "aria-label": `Overlay: ${words}` },
      frame, make("span", { "aria-hidden": "true" }, words));
    button.addEventListener("click", () => {
      byId("layer").value = byId("layer").value === method ? "" : method;
      coverAll();
    });
    return button;
  }));
  cover(byId("large-image"), layerOf(sample));
}
