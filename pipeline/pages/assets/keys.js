// Keys: / to the filter, Escape out of it, j and k along the videos, t light or dark.
const filter = document.getElementById("filter");

function links() {
  return [...document.querySelectorAll("#videos-table tbody tr:not([hidden]) th a")];
}

function step(by) {
  const all = links();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  all[next].focus();
}

const actions = {
  "/": () => {
    filter.focus();
    filter.select();
  },
  j: () => step(1),
  k: () => step(-1),
  t: () => document.getElementById("theme").click(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && document.activeElement === filter) {
    filter.value = "";
    filter.dispatchEvent(new Event("input"));
    filter.blur();
    return;
  }
  const typing = event.target instanceof Element && event.target.closest("input, select, textarea");
  if (typing || !Object.hasOwn(actions, event.key)) return;
  event.preventDefault();
  actions[event.key]();
});
