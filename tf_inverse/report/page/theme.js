// Light and dark: as the system has it until the button is pressed.

function switchTheme() {
  const style = document.documentElement.style;
  const dark = style.colorScheme
    ? style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  style.colorScheme = dark ? "light" : "dark";
  byId("theme").textContent = dark ? "Dark" : "Light";
}

byId("theme").addEventListener("click", switchTheme);
byId("theme").textContent = matchMedia("(prefers-color-scheme: dark)").matches ? "Light" : "Dark";
