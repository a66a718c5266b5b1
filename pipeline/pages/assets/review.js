// The review: one box after the other, a key for every decision.
import { get, getPlanes, picture, post, tell } from "./wire.js";
import { Brush, packed } from "./brush.js";
import { number, onKeys, percent } from "./view.js";
import { refreshAudit } from "./review-audit.js";

const at = (id) => document.getElementById(id);
const canvas = at("canvas");
const queue = await get("start").catch((error) => {
  tell(error.message);
  throw error;
});
const decided = queue.decided;
const begun = new Map();
const ahead = new Map();
const spent = [];
let here = 0;
let shown = null;
let hidden = false;
let busy = false;
let since = 0;

const brush = new Brush(canvas, () => {
  [shown.painted, sure] = [true, null];
  render();
});

// What was painted and not accepted is let go of only when that was said twice.
let sure = null;

function unlessPainted(what, go) {
  if (!shown?.painted || sure === what) {
    if (sure === what) letGo();
    go();
    return;
  }
  sure = what;
  tell("What you painted here is not accepted yet. Once more lets go of it; Enter keeps it.", "Let go of it", () => {
    letGo();
    go();
  });
}

function letGo() {
  [shown.painted, sure] = [false, null];
  tell("");
}

addEventListener("beforeunload", (event) => {
  if (shown?.painted) event.preventDefault();
});

// What is needed of a box; asked for ahead, so that it is there when its turn comes.
function fetched(place) {
  if (!ahead.has(place)) {
    const parts = Promise.all([getPlanes("box", { at: place }), picture({ at: place, again: begun.get(place) ?? 0 })]);
    parts.catch(() => ahead.delete(place));
    ahead.set(place, parts);
  }
  return ahead.get(place);
}

function forget(place) {
  begun.set(place, (begun.get(place) ?? 0) + 1);
  ahead.delete(place);
}

function masksOf({ facts, bytes }) {
  const [x0, y0, x1, y1] = facts.place;
  const pixels = (x1 - x0) * (y1 - y0);
  const masks = facts.names.map((name, k) => [name, new Uint8Array(bytes, k * pixels, pixels)]);
  return masks.length ? masks : [["nothing", new Uint8Array(pixels)]];
}

async function open(place) {
  const began = performance.now();
  here = place;
  sure = null;
  canvas.dataset.ready = "false";
  tell("");
  try {
    const [found, image] = await fetched(place);
    if (place !== here) return;
    const [x0, y0, x1, y1] = found.facts.place;
    const rect = found.facts.rect.map((edge, k) => edge - (k % 2 ? y0 : x0));
    shown = { facts: found.facts, image, rect, size: [y1 - y0, x1 - x0], candidates: masksOf(found), candidate: 0 };
    choose(0);
    describe();
    since = performance.now();
    canvas.dataset.at = place;
    canvas.dataset.ms = since - began;
    canvas.dataset.ready = "true";
    if (queue.audit) refreshAudit();
    for (let next = place + 1; next <= place + 3 && next < queue.boxes.length; next++) fetched(next).catch(() => {});
    for (const old of ahead.keys()) if (Math.abs(old - place) > 6) ahead.delete(old);
  } catch (error) {
    failed(error);
  }
}

function choose(candidate) {
  shown.candidate = candidate;
  shown.painted = false;
  const [name, mask] = shown.candidates[candidate];
  shown.mask = mask.slice();
  brush.take(shown.mask, shown.size, shown.rect);
  at("candidate").textContent = `mask ${candidate + 1} of ${shown.candidates.length}: ${name}`;
  render();
}

function render() {
  const [height, width] = shown.size;
  const scale = Math.max(1, Math.min(10, Math.floor(720 / Math.max(height, width))));
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = scale < 3;
  context.drawImage(shown.image, 0, 0, canvas.width, canvas.height);
  if (!hidden) paint(context, scale);
  const [x0, y0, x1, y1] = shown.rect;
  for (const [ink, wide] of [["rgb(0 0 0 / 60%)", 4], ["#ffd54a", 2]]) {
    context.strokeStyle = ink;
    context.lineWidth = wide;
    context.strokeRect(x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
  }
  canvas.mask = shown.mask;
}

// A tint inside and an outline, so that the image can be judged through it.
function paint(context, scale) {
  const [height, width] = shown.size;
  const inside = (row, column) => row >= 0 && column >= 0 && row < height && column < width && shown.mask[row * width + column];
  context.fillStyle = "rgb(0 210 255 / 32%)";
  const edges = new Path2D();
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (!inside(row, column)) continue;
      context.fillRect(column * scale, row * scale, scale, scale);
      const [x, y] = [column * scale, row * scale];
      if (!inside(row - 1, column)) edges.rect(x, y, scale, 1.5);
      if (!inside(row + 1, column)) edges.rect(x, y + scale - 1.5, scale, 1.5);
      if (!inside(row, column - 1)) edges.rect(x, y, 1.5, scale);
      if (!inside(row, column + 1)) edges.rect(x + scale - 1.5, y, 1.5, scale);
    }
  }
  context.fillStyle = "rgb(0 240 255)";
  context.fill(edges);
}

function describe() {
  const box = queue.boxes[here];
  const { facts } = shown;
  const track = box.track >= 0 ? `, track ${box.track}` : "";
  at("title").textContent = `${box.video}, frame ${box.frame}${track}: ${facts.class}`;
  const quality = Object.entries(facts.quality).map(([name, value]) => `${name} ${number(value, 2)}`).join(", ");
  const now = facts.decided ? `decided: ${facts.decided}. ` : facts.unknown ? "Its pixels are unknown now. " : "";
  at("why").textContent = `${now}Asked because ${queue.words[box.why]} (${quality}).`;
  canvas.setAttribute("aria-label", `${at("title").textContent}. ${at("why").textContent}`);
  progress();
}

function progress() {
  const count = decided.filter(Boolean).length;
  at("done").max = decided.length;
  at("done").value = count;
  const mean = spent.reduce((sum, one) => sum + one, 0) / spent.length / 1000;
  const pace = spent.length ? `, ${mean.toFixed(1)} s a box, about ${Math.ceil((mean * (decided.length - count)) / 60)} min to go` : "";
  at("progress").textContent = `box ${here + 1} of ${decided.length}: ${count} decided (${percent(count / decided.length, 0)}), ${decided.length - count} left${pace}`;
}

function following(from) {
  for (let step = 1; step <= decided.length; step++) {
    const place = (from + step) % decided.length;
    if (!decided[place]) return place;
  }
  return null;
}

async function decide(decision, mask = null) {
  if (busy || !shown || canvas.dataset.ready !== "true") return;
  busy = true;
  const pressed = performance.now();
  const place = here;
  const { facts } = shown;
  const body = { at: place, edition: facts.edition, decision };
  if (mask) Object.assign(body, { place: facts.place, mask: packed(mask) });
  try {
    const answer = await post("decide", body);
    spent.push(Math.min(60000, performance.now() - since));
    decided[place] = answer.decided;
    shown.painted = false;
    forget(place);
    await onward(place);
    canvas.dataset.whole = performance.now() - pressed;
  } catch (error) {
    failed(error);
  } finally {
    busy = false;
  }
}

async function onward(from) {
  const next = following(from);
  if (next === null) {
    await open(from);
    tell("All boxes of this queue are decided. `spotlabel relabel` puts them into the masks.");
    return;
  }
  await open(next);
}

function filled() {
  const mask = new Uint8Array(shown.mask.length);
  const [x0, y0, x1, y1] = shown.rect;
  for (let row = y0; row < y1; row++) mask.fill(1, row * shown.size[1] + x0, row * shown.size[1] + x1);
  return mask;
}

async function undo() {
  if (busy) return;
  busy = true;
  try {
    const answer = await post("undo", {});
    decided[answer.at] = answer.decided;
    forget(answer.at);
    await open(answer.at);
  } catch (error) {
    tell(error.message);
  } finally {
    busy = false;
  }
}

function failed(error) {
  if (!error.changed) {
    tell(error.message);
    return;
  }
  tell(error.message, "Reload", () => unlessPainted("reload", reload));
}

async function reload() {
  await post("reload", { at: here }).catch((again) => tell(again.message));
  for (const place of [...ahead.keys()]) forget(place);
  await open(here);
}

function tool(name) {
  brush.tool = brush.tool === name ? null : name;
  for (const one of ["brush", "eraser"]) at(one).setAttribute("aria-pressed", String(brush.tool === one));
  canvas.classList.toggle("painting", Boolean(brush.tool));
}

function resize(by) {
  at("size").value = Number(at("size").value) + by;
  brush.radius = Number(at("size").value);
}

const actions = {
  accept: () => {
    if (shown.mask.includes(1)) decide("mask", shown.mask);
    else tell("There is no mask to accept here: paint one, fill the box, or say that it is empty.");
  },
  unknown: () => unlessPainted("unknown", () => decide("unknown")),
  fill: () => unlessPainted("fill", () => decide("mask", filled())),
  empty: () => (shown.mask.includes(1) ? unlessPainted("empty", () => decide("background")) : decide("background")),
  next: () => unlessPainted("next", () => choose((shown.candidate + 1) % shown.candidates.length)),
  skip: () => unlessPainted("skip", () => open(following(here) ?? here)),
  back: () => unlessPainted("back", () => open(Math.max(0, here - 1))),
  on: () => unlessPainted("on", () => open(Math.min(decided.length - 1, here + 1))),
  undo: () => unlessPainted("undo", undo),
  brush: () => tool("brush"),
  eraser: () => tool("eraser"),
  hide: () => {
    hidden = !hidden;
    at("hide").setAttribute("aria-pressed", String(hidden));
    render();
  },
};
const moves = ["skip", "back", "on"];
const act = (name) => (shown || moves.includes(name)) && actions[name]();
for (const name of Object.keys(actions)) at(name)?.addEventListener("click", () => act(name));
at("size").addEventListener("input", () => resize(0));
const keys = { Enter: "accept", u: "unknown", f: "fill", e: "empty", c: "next", s: "skip", k: "back", j: "on", z: "undo", b: "brush", x: "eraser", h: "hide" };
onKeys({
  ...Object.fromEntries(Object.entries(keys).map(([key, name]) => [key, () => act(name)])),
  "[": () => resize(-1),
  "]": () => resize(1),
  t: () => at("theme").click(),
});

if (!decided.length) tell("No box of these videos is doubtful.");
else await open(following(decided.length - 1) ?? 0);
