// The tuner: settings on one side, the mask of a frame on the other.
import { Latest, Refused, get, post, postForPlanes, tell } from "./wire.js";
import { LEGEND, countDifferent, css, paintDifference, paintMask, paintOwners } from "./planes.js";
import { draw, element, number, onKeys, percent } from "./view.js";
import { Form } from "./tune-form.js";
import { Frames } from "./tune-frames.js";
import { offerRuns } from "./tune-run.js";

const at = (id) => document.getElementById(id);
const start = await get("start").catch((error) => {
  tell(error.message);
  throw error;
});
const form = new Form(start.controls, start.settings);
const frames = new Frames(start);
const [work, lines] = [new Latest(), new Latest()];
const mode = at("mode");
const beside = at("beside");
const kept = new Map();
let recipe = start.settings;
let shown = null;
let asked = 0;

at("preset").append(
  element("option", { value: "" }, "choose"),
  ...Object.keys(start.presets).map((name) => element("option", {}, name)),
);
at("rules-1").append(
  element("option", { value: "recipe" }, "the recipe"),
  element("option", { value: "these" }, "these settings"),
  ...Object.keys(start.presets).map((name) => element("option", { value: `preset ${name}` }, `preset ${name}`)),
);

function rulesBeside() {
  const chosen = at("rules-1").value;
  if (chosen === "these") return form.settings;
  return chosen === "recipe" ? recipe : start.presets[chosen.slice("preset ".length)];
}

function panes() {
  const first = { labeler: at("labeler-0").value, settings: form.settings };
  return beside.checked ? [first, { labeler: at("labeler-1").value, settings: rulesBeside() }] : [first];
}

// The recipe's own mask of this frame, to compare with.
async function recipesMask(query) {
  const pane = { labeler: frames.facts.labelers[0], settings: recipe };
  const key = JSON.stringify([query, pane]);
  if (!kept.has(key)) {
    const { facts, bytes } = await postForPlanes("masks", { ...query, panes: [pane] });
    kept.set(key, { mask: new Uint8Array(bytes), facts: facts.panes[0] });
    if (kept.size > 16) kept.delete(kept.keys().next().value);
  }
  return kept.get(key);
}

function refresh(since = performance.now()) {
  const turn = ++asked;
  at("stage").dataset.settled = "false";
  return work.run(async () => {
    if (!frames.facts) return;
    if (!frames.facts.labelers.length) {
      nothing();
      return;
    }
    try {
      await look(turn, since);
      at("problem").hidden = true;
    } catch (error) {
      failed(error);
    }
  });
}

async function look(turn, since) {
  const query = frames.query;
  const wanted = panes();
  const sameFrame = shown && JSON.stringify(shown.query) === JSON.stringify(query);
  const [{ facts, bytes }, ground, before] = await Promise.all([
    postForPlanes("masks", { ...query, panes: wanted }),
    sameFrame ? shown.ground : frames.ground(query),
    recipesMask(query),
  ]);
  const pixels = facts.size[0] * facts.size[1];
  const masks = facts.panes.map((pane, k) => ({ ...pane, mask: new Uint8Array(bytes, k * pixels, pixels) }));
  shown = { query, ground, before, size: facts.size, panes: masks, wanted, owners: [] };
  render();
  at("stage").dataset.ms = performance.now() - since;
  if (turn === asked && mode.value === "owners") await own(turn);
  if (turn === asked) at("stage").dataset.settled = "true";
}

// Whose each pixel is comes later: it needs the frames before.
async function own(turn) {
  const now = shown;
  for (const [k, pane] of now.wanted.entries()) {
    for (;;) {
      const { facts, bytes } = await postForPlanes("owners", { ...now.query, ...pane });
      if (turn !== asked || now !== shown) return;
      if (bytes) {
        now.owners[k] = new Uint16Array(bytes);
        at(`told-${k}`).textContent = "";
        break;
      }
      if (facts.none) {
        at(`told-${k}`).textContent = "These settings tell nobody's pixels.";
        break;
      }
      at(`told-${k}`).textContent = `Objects: ${facts.done} of ${facts.needed} frames gone through`;
    }
  }
  render();
}

function coloured(pane, k) {
  if (mode.value === "none") return null;
  if (mode.value === "difference") return paintDifference(pane.mask, shown.before.mask, shown.size);
  if (mode.value === "owners" && shown.owners[k]) {
    const numbers = shown.ground.facts.tracks.map((track, row) => (track >= 0 ? track : row));
    return paintOwners(shown.owners[k], pane.mask, numbers, shown.size);
  }
  return paintMask(pane.mask, shown.size);
}

function render() {
  if (!shown || shown.query.edition !== frames.facts?.edition) return; // of a video that was left
  at("pane-0").hidden = false;
  at("pane-1").hidden = shown.panes.length < 2;
  for (const [k, pane] of shown.panes.entries()) {
    const canvas = at(`canvas-${k}`);
    const boxes = shown.ground.facts.boxes.map((box, row) => ({ box, believed: pane.boxes[row]?.[2] }));
    draw(canvas, shown.ground.image, coloured(pane, k), at("show-boxes").checked ? boxes : null);
    canvas.mask = pane.mask;
    canvas.owners = shown.owners[k] ?? null;
    figures(k, pane);
  }
  legend();
}

function figures(k, pane) {
  const before = shown.before.facts;
  const different = countDifferent(pane.mask, shown.before.mask) / pane.mask.length;
  const rows = [
    ["fill", percent(pane.fill), percent(before.fill)],
    ["believed", `${pane.believed} of ${pane.judged}`, `${before.believed} of ${before.judged}`],
    ["unknown", percent(pane.unknown), percent(before.unknown)],
    ["foreground", percent(pane.foreground), percent(before.foreground)],
    ["other pixels", percent(different, 2), null],
  ];
  if (frames.facts.truth) {
    rows.push(["F", number(pane.f), number(before.f)], ["F where known", number(pane.f_known), number(before.f_known)]);
  }
  at(`figures-${k}`).replaceChildren(
    ...rows.map(([name, value, was]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value, element("small", {}, was && was !== value ? ` recipe ${was}` : ""))),
    ),
  );
  const whole = pane.state === "ok" ? "" : `, ${pane.state}`;
  const words = rows.map(([name, value]) => `${name} ${value}`).join(", ");
  at(`canvas-${k}`).setAttribute("aria-label", `frame ${frames.facts.numbers[shown.query.frame]}${whole}: ${words}`);
  const { corrected } = shown.ground.facts;
  const byHand = corrected ? `${corrected} of its boxes are corrected by hand: relabel puts that on top.` : "";
  if (mode.value !== "owners") at(`told-${k}`).textContent = `${whole && `This frame is ${pane.state}.`} ${byHand}`;
}

function legend() {
  const swatch = (name) => {
    const made = element("i", { className: "patch" });
    made.style.background = css(name);
    return made;
  };
  at("legend").replaceChildren(...LEGEND[mode.value].map(([name, text]) => element("span", {}, swatch(name), text)));
}

function nothing() {
  shown = null;
  const why = Object.entries(frames.facts.unfit).map(([name, text]) => `${name}: ${text}`);
  for (const k of [0, 1]) at(`pane-${k}`).hidden = true;
  tell(`There is no evidence of this video to make masks of. ${why.join("; ") || "Run spotlabel label first."}`);
}

function failed(error) {
  if (error.changed) {
    tell(error.message, "Reload", () => frames.open(frames.video, true));
    return;
  }
  if (!(error instanceof Refused)) {
    tell(error.message);
    return;
  }
  at("problem").textContent = error.message;
  at("problem").hidden = false;
}

async function tellDifference() {
  const { settings } = form;
  try {
    const { lines: text } = await post("difference", { settings });
    at("difference").textContent = text || "none";
  } catch (error) {
    at("difference").textContent = `cannot be told: ${error.message}`;
  }
}

function changed() {
  form.mark(recipe);
  const [back, forth] = form.steps;
  [at("undo").disabled, at("redo").disabled] = [!back, !forth];
  lines.run(tellDifference);
  refresh();
}

form.addEventListener("change", changed);
frames.addEventListener("opening", () => {
  at("stage").dataset.settled = "false";
  tell("Opening the video: its annotations and evidence are read.");
});
frames.addEventListener("failed", ({ detail }) => {
  for (const k of [0, 1]) at(`pane-${k}`).hidden = true;
  tell(detail.message, "Try again", () => frames.open(frames.video, true));
});
frames.addEventListener("video", () => {
  const [own, [first]] = [start.labelers[frames.video], frames.facts.labelers];
  const lacking = first && first !== own;
  tell(lacking ? `The recipe's labeler ${own} has no evidence here that fits (${frames.facts.unfit[own] ?? "run spotlabel label"}): all masks, the recipe's too, are shown by ${first}.` : "");
  form.classes.know(frames.facts.classes);
  form.show();
  for (const k of [0, 1]) {
    const select = at(`labeler-${k}`);
    const chosen = select.value;
    select.replaceChildren(...frames.facts.labelers.map((name) => element("option", {}, name)));
    if (frames.facts.labelers.includes(chosen)) select.value = chosen;
  }
});
frames.addEventListener("frame", () => refresh());
at("preset").addEventListener("change", () => {
  const name = at("preset").value;
  if (name) form.set(start.presets[name]);
  at("preset").value = "";
});
at("undo").addEventListener("click", () => form.back());
at("redo").addEventListener("click", () => form.forth());
at("reset").addEventListener("click", () => form.set(recipe));
mode.addEventListener("change", () => (mode.value === "owners" ? refresh() : render()));
at("show-boxes").addEventListener("change", render);
for (const id of ["beside", "rules-1", "labeler-0", "labeler-1"]) at(id).addEventListener("change", () => refresh());
offerRuns(form, start, () => recipe, (settings) => {
  recipe = settings;
  changed();
});
onKeys({
  ArrowLeft: () => frames.step(-1),
  ArrowRight: () => frames.step(1),
  n: () => frames.stepTelling(1),
  p: () => frames.stepTelling(-1),
  b: () => at("show-boxes").click(),
  d: () => {
    mode.value = mode.value === "difference" ? "mask" : "difference";
    mode.dispatchEvent(new Event("change"));
  },
  a: () => beside.click(),
  u: () => form.back(),
  r: () => form.forth(),
  t: () => at("theme").click(),
});
changed();
await frames.open(start.first);
