// Light or dark: the reader's own choice on this page, else what the system says.
const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

function show() {
  const dark = isDark();
  button.textContent = dark ? "Light" : "Dark";
  button.setAttribute("aria-label", dark ? "switch to light colours" : "switch to dark colours");
  button.setAttribute("aria-pressed", String(dark));
}

button.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  show();
});
system.addEventListener("change", show);
document.documentElement.classList.add("scripted");
show();
