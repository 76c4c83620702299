// A grid of tiles, of which only one is in the tab order; arrow keys, Home and End move between them.

let roving = null;
function rove(button) {
  if (roving) roving.tabIndex = -1;
  roving = button;
  if (roving) roving.tabIndex = 0;
}

function onGridKey(event) {
  const current = event.target.closest("li .tile");
  if (!current) return;
  const all = [...event.currentTarget.querySelectorAll("li:not([hidden]) .tile")];
  const to = all[step(all, all.indexOf(current), event.key)];
  if (!to) return;
  event.preventDefault();
  to.focus();
}

function step(all, at, pressed) {
  if (pressed === "ArrowRight") return at + 1;
  if (pressed === "ArrowLeft") return at - 1;
  if (pressed === "Home") return 0;
  if (pressed === "End") return all.length - 1;
  if (pressed === "ArrowDown") return vertical(all, at, 1);
  if (pressed === "ArrowUp") return vertical(all, at, -1);
  return -1;
}

// The tile in the next line whose centre is nearest in the horizontal direction.
function vertical(all, at, direction) {
  const from = all[at].getBoundingClientRect();
  let line = null, best = -1, distance = Infinity;
  for (let i = at + direction; i >= 0 && i < all.length; i += direction) {
    const box = all[i].getBoundingClientRect();
    if (Math.abs(box.top - from.top) < 2) continue;
    line ??= box.top;
    if (Math.abs(box.top - line) > 2) break;
    const away = Math.abs(box.left - from.left);
    if (away < distance) [best, distance] = [i, away];
  }
  return best;
}
