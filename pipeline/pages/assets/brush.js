// A mask under a brush: bytes of 0 and 1, painted within a rectangle.
export class Brush {
  constructor(canvas, painted) {
    this.tool = null;
    this.radius = 6;
    this.mask = null;
    let last = null;
    const at = (event) => {
      const frame = canvas.getBoundingClientRect();
      const [height, width] = this.size;
      return [((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.tool || !this.mask) return;
      canvas.setPointerCapture(event.pointerId);
      last = at(event);
      this.line(last, last);
      painted();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const now = at(event);
      this.line(last, now);
      last = now;
      painted();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  }

  // The mask to be painted, its height and width, and the rectangle to stay in.
  take(mask, size, rect) {
    [this.mask, this.size, this.rect] = [mask, size, rect];
  }

  line([x0, y0], [x1, y1]) {
    const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / Math.max(1, this.radius / 2)));
    for (let step = 0; step <= steps; step++) {
      this.#dot(x0 + ((x1 - x0) * step) / steps, y0 + ((y1 - y0) * step) / steps);
    }
  }

  #dot(x, y) {
    const value = this.tool === "brush" ? 1 : 0;
    const [left, top, right, bottom] = this.rect;
    const far = this.radius;
    for (let row = Math.max(top, Math.floor(y - far)); row < Math.min(bottom, y + far); row++) {
      for (let column = Math.max(left, Math.floor(x - far)); column < Math.min(right, x + far); column++) {
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= far) this.mask[row * this.size[1] + column] = value;
      }
    }
  }
}

// As bits, eight to a byte, in base64.
export function packed(mask) {
  const bytes = new Uint8Array(Math.ceil(mask.length / 8));
  for (let at = 0; at < mask.length; at++) if (mask[at]) bytes[at >> 3] |= 128 >> (at & 7);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
