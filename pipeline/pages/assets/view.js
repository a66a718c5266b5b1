// A frame on a canvas: picture, coloured mask, boxes.
const layer = document.createElement("canvas");

export function draw(canvas, image, coloured, boxes) {
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  if (coloured) {
    [layer.width, layer.height] = [coloured.width, coloured.height];
    layer.getContext("2d").putImageData(coloured, 0, 0);
    context.drawImage(layer, 0, 0);
  }
  if (boxes) outline(context, boxes, Math.max(1, width / 900));
}

// Dashed: not believed. The chosen one is drawn last and thicker.
function outline(context, boxes, wide) {
  context.save();
  for (const { box, believed, chosen } of [...boxes].sort((a, b) => Boolean(a.chosen) - Boolean(b.chosen))) {
    const [x0, y0, x1, y1] = box;
    for (const [ink, line] of [["rgb(0 0 0 / 60%)", wide * 3], [chosen ? "#ffd54a" : "#ffffff", wide * (chosen ? 2 : 1)]]) {
      context.strokeStyle = ink;
      context.lineWidth = line;
      context.setLineDash(believed === false ? [5 * wide, 4 * wide] : []);
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
  }
  context.restore();
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list" && key !== "form") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}%`;
}

export function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

const FIELDS = "input:not([type=checkbox], [type=range]), select, textarea";

// Single keys for those who do not type into a field. Enter presses the button that is in focus, and arrows
// move the slider that is; after a click of the mouse no button is.
export function onKeys(actions) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.key === "Enter" ? "button, a" : event.key.startsWith("Arrow") ? "[type=range]" : null;
    const within = (selector) => event.target instanceof Element && event.target.closest(selector);
    if (within(FIELDS) || (own && within(own)) || !Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key](event);
  });
  addEventListener("click", (event) => {
    if (event.detail && event.target instanceof Element) event.target.closest("button")?.blur();
  });
}
