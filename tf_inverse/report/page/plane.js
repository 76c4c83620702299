"use strict";
const plane = JSON.parse(document.getElementById("data").textContent);
const starts = [0];
for (const count of plane.counts) starts.push(starts[starts.length - 1] + count);

function made(name, parent, text) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
}

// Of a cell's range: its activations, and their natural percentiles where these are known.
function ranges(axis, i) {
  const [low, high] = [plane.axes[axis][i], plane.axes[axis][i + 1]];
  return low.map((text, kind) => `${text} to ${high[kind]}`);
}

function told(row, column) {
  const parts = [[0, column], [1, row]].map(([axis, i]) => {
    const [activations, natural] = ranges(axis, i);
    return `${plane.neurons[axis]} ${activations}${natural ? ` (${natural})` : ""}`;
  });
  return parts.join(", ");
}

function pictured(image, sample, small) {
  image.src = (small && plane.thumbnails ? plane.thumbnails : plane.images)[sample];
  image.alt = `sample ${plane.samples[sample]}`;
}

function show(row, column) {
  const cell = row * plane.columns + column;
  for (const button of document.querySelectorAll("td button")) {
    button.setAttribute("aria-pressed", String(button.dataset.cell === String(cell)));
  }
  document.getElementById("where").textContent = told(row, column);
  document.getElementById("word").textContent = plane.words[cell];
  const samples = document.getElementById("samples");
  samples.replaceChildren();
  for (let i = starts[cell]; i < starts[cell + 1]; i++) {
    const figure = made("figure", samples);
    pictured(made("img", figure), i, false);
    made("figcaption", figure, `${plane.captions[i]} (row ${plane.samples[i]})`);
  }
}

function draw() {
  document.getElementById("tally").textContent = plane.tally;
  document.getElementById("caption").textContent =
    `across: ${plane.neurons[0]}; up: ${plane.neurons[1]}`;
  document.getElementById("plane").style.setProperty("--columns", plane.columns);
  const body = made("tbody", document.getElementById("plane"));
  for (let row = plane.rows - 1; row >= 0; row--) {
    const line = made("tr", body);
    const side = made("th", line);
    side.scope = "row";
    for (const text of ranges(1, row)) made("div", side, text);
    for (let column = 0; column < plane.columns; column++) {
      const cell = row * plane.columns + column;
      const button = made("button", made("td", line));
      button.type = "button";
      button.dataset.cell = cell;
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", `${told(row, column)}: ${plane.words[cell]}`);
      button.title = `${told(row, column)}: ${plane.words[cell]}`;
      if (plane.counts[cell]) pictured(made("img", button), starts[cell], true);
      else button.className = plane.words[cell].startsWith("unreachable") ? "unreachable" : "open";
      button.addEventListener("click", () => show(row, column));
    }
  }
  const foot = made("tr", body);
  made("th", foot);
  for (let column = 0; column < plane.columns; column++) {
    const head = made("th", foot);
    head.scope = "col";
    for (const text of ranges(0, column)) made("div", head, text);
  }
}

draw();
