// Images: each has an address of its own, or a place in the one picture that holds all of a page.

const sprite = page.sprite ?? null;
const spriteImage = sprite && make("img", { src: sprite.address });

function corner(place) {
  return [(place % sprite.columns) * sprite.width, Math.floor(place / sprite.columns) * sprite.height];
}

function vector(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

// An element for an image that is not shown yet; without a text it stands beside what says it all.
function blank(alt = "") {
  if (!sprite) return make("img", { alt, className: "picture", width: 80, height: 80, decoding: "async" });
  return vector("svg", { class: "picture", ...(alt ? { role: "img", "aria-label": alt } : { "aria-hidden": "true" }) });
}

function showOn(element, thumbnail) {
  if (!sprite) { element.src = thumbnail; return; }
  // Half a pixel less on each side, or what is beside it in the picture would shine through.
  const [x, y] = corner(thumbnail).map((edge) => edge + 0.5);
  element.setAttribute("viewBox", `${x} ${y} ${sprite.width - 1} ${sprite.height - 1}`);
  element.replaceChildren(vector("image", {
    href: sprite.address, width: sprite.columns * sprite.width, height: sprite.rows * sprite.height,
  }));
}

function pictured(thumbnail, alt = "") {
  const element = blank(alt);
  showOn(element, thumbnail);
  return element;
}

function isBlank(element) {
  return sprite ? !element.hasChildNodes() : !element.hasAttribute("src");
}
