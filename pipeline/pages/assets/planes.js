// Masks as colours: a byte a pixel in (0 background, 1 foreground, 255 unknown), RGBA out.
export const FOREGROUND = 1;
export const UNKNOWN = 255;
const STRIPE = 8;

const COLOURS = {
  foreground: [0, 210, 255, 115],
  gained: [40, 200, 90, 150],
  lost: [235, 50, 50, 150],
  unknown: [200, 60, 160, 60],
  stripe: [200, 60, 160, 165],
  told: [60, 110, 255, 150],
};

export const LEGEND = {
  mask: [
    ["foreground", "foreground"],
    ["stripe", "unknown"],
  ],
  difference: [
    ["foreground", "foreground in both"],
    ["gained", "foreground only here"],
    ["lost", "foreground only in the recipe"],
    ["stripe", "unknown"],
    ["told", "unknown only in the recipe"],
  ],
  owners: [["stripe", "unknown"]],
  none: [],
};

export function css(name) {
  const [red, green, blue] = COLOURS[name];
  return `rgb(${red} ${green} ${blue})`;
}

function packed([red, green, blue, alpha]) {
  return new Uint32Array(new Uint8Array([red, green, blue, alpha]).buffer)[0];
}

const INK = Object.fromEntries(Object.entries(COLOURS).map(([name, colour]) => [name, packed(colour)]));

function colours(size) {
  const image = new ImageData(size[1], size[0]);
  return [image, new Uint32Array(image.data.buffer)];
}

function striped(place, width) {
  const row = Math.floor(place / width);
  return (row + place - row * width) % STRIPE < 2;
}

function unknownInk(place, width) {
  return striped(place, width) ? INK.stripe : INK.unknown;
}

export function paintMask(mask, size) {
  const [image, out] = colours(size);
  const width = size[1];
  for (let at = 0; at < mask.length; at++) {
    const value = mask[at];
    if (value === FOREGROUND) out[at] = INK.foreground;
    else if (value === UNKNOWN) out[at] = unknownInk(at, width);
  }
  return image;
}

export function paintDifference(mask, before, size) {
  const [image, out] = colours(size);
  const width = size[1];
  for (let at = 0; at < mask.length; at++) {
    const now = mask[at];
    const then = before[at];
    if (now === 0 && then === 0) continue;
    if (now === FOREGROUND) out[at] = then === FOREGROUND ? INK.foreground : INK.gained;
    else if (then === FOREGROUND && now === 0) out[at] = INK.lost;
    else if (now === UNKNOWN) {
      if (then === UNKNOWN) out[at] = unknownInk(at, width);
      else out[at] = then === FOREGROUND && striped(at, width) ? INK.lost : INK.stripe;
    } else out[at] = INK.told;
  }
  return image;
}

// Each object in its colour, the same along its track; numbers that follow each other get hues far apart.
export function paintOwners(owners, mask, numbers, size) {
  const [image, out] = colours(size);
  const inks = numbers.map((number) => packed([...hue(number), 150]));
  const width = size[1];
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] === UNKNOWN) out[at] = unknownInk(at, width);
    else if (mask[at] === FOREGROUND) out[at] = inks[owners[at]] ?? INK.foreground;
  }
  return image;
}

function hue(number) {
  const sector = (((number * 0.6180339887) % 1) + 1) % 1 * 6;
  const part = (shift) => {
    const at = (sector + shift) % 6;
    return Math.round(255 - 190 * Math.max(0, Math.min(at, 4 - at, 1)));
  };
  return [part(5), part(3), part(1)];
}

export function countDifferent(mask, before) {
  let different = 0;
  for (let at = 0; at < mask.length; at++) different += mask[at] !== before[at];
  return different;
}
