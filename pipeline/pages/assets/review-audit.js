// How good the masks are, by what is decided of the drawn sample so far: a line, and how it came about.
import { Latest, get } from "./wire.js";

const [SPACE, WIDE, HIGH] = ["http://www.w3.org/2000/svg", 240, 44];
const at = (id) => document.getElementById(id);
const history = new Map();
const work = new Latest();

function shape(name, attributes) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// The interval narrows from left to right: boxes decided across, mean IoU from 0 to 1 up.
function chart(proposed) {
  const points = [...history.entries()].sort(([a], [b]) => a - b);
  const across = (count) => ((count / proposed) * WIDE).toFixed(1);
  const up = (value) => ((1 - value) * (HIGH - 2) + 1).toFixed(1);
  const line = (name) => points.map(([count, told]) => `${across(count)},${up(told[name])}`);
  const made = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, "aria-hidden": "true" });
  const [count, last] = points.at(-1);
  made.append(
    shape("polygon", { class: "band", points: [...line("low"), ...line("high").reverse()].join(" ") }),
    shape("polyline", { class: "line", points: line("mean").join(" ") }),
    shape("line", { class: "line", x1: across(count), x2: across(count), y1: up(last.low), y2: up(last.high) }),
  );
  return made;
}

function show(told) {
  at("audit").hidden = false;
  const rest = [
    told.unsure && `${told.unsure} nobody can tell`,
    told.elsewhere && `${told.elsewhere} are of other videos, so this is not of all masks`,
    told.pending && `${told.pending} are being worked out`,
    told.lacking && `${told.lacking} cannot be compared${told.problem && ` (${told.problem})`}`,
  ].filter(Boolean);
  const figure = told.mean === null
    ? "no figure yet"
    : `mean IoU ${told.elsewhere ? "here" : "of all masks"} ${told.mean.toFixed(3)}, 95 % interval ${told.low.toFixed(3)} to ${told.high.toFixed(3)}, from ${told.boxes} boxes`;
  at("audit-told").textContent = `Audit: ${figure}; ${told.decided} of ${told.proposed} decided${rest.length ? `, ${rest.join(", ")}` : ""}.`;
  if (told.mean !== null) {
    history.set(told.decided, told);
    for (const count of history.keys()) if (count > told.decided) history.delete(count);
    at("audit-chart").replaceChildren(chart(told.proposed));
  }
  at("audit").dataset.decided = told.decided;
}

export function refreshAudit() {
  return work.run(async () => {
    const told = await get("audit").catch(() => null);
    if (!told) return;
    show(told);
    if (told.pending) setTimeout(refreshAudit, 1000);
  });
}
