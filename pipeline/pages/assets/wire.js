// Talking to the server that the page came from, and to no other.
const banner = document.getElementById("banner");

export class Refused extends Error {
  constructor(told) {
    super(told.error);
    this.changed = told.changed === true;
  }
}

async function asked(name, options) {
  let answer;
  try {
    answer = await fetch(name, { cache: "no-store", credentials: "omit", ...options });
  } catch {
    throw new Error("The server has ended: start it again and open its new address.");
  }
  if (answer.ok) return answer;
  throw new Refused(await answer.json().catch(() => ({ error: `the server said ${answer.status}` })));
}

function address(name, query) {
  return `${name}?${new URLSearchParams(query)}`;
}

export async function get(name, query = {}) {
  return (await asked(address(name, query))).json();
}

function posted(body) {
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

export async function post(name, body) {
  return (await asked(name, posted(body))).json();
}

// Facts and, behind them, arrays; null in place of the arrays while they are in the making.
export async function postForPlanes(name, body) {
  return planes(await asked(name, posted(body)));
}

export async function getPlanes(name, query) {
  return planes(await asked(address(name, query)));
}

async function planes(answer) {
  if (answer.headers.get("Content-Type") === "application/json") return { facts: await answer.json(), bytes: null };
  const buffer = await answer.arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { facts, bytes: buffer.slice(4 + length) };
}

const pictures = new Map();

// A frame as picture, the last ones kept.
export function picture(query) {
  const url = address("picture", query);
  let found = pictures.get(url);
  if (!found) {
    const image = new Image();
    image.src = url;
    found = image.decode().then(() => image);
    found.catch(() => pictures.delete(url));
    pictures.set(url, found);
    if (pictures.size > 24) pictures.delete(pictures.keys().next().value);
  }
  return found;
}

// At most one job at a time; of those that come meanwhile the last one follows.
export class Latest {
  #running = false;
  #next = null;

  async run(job) {
    this.#next = job;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#next) {
        const now = this.#next;
        this.#next = null;
        await now();
      }
    } finally {
      this.#running = false;
    }
  }
}

// A line over the page; with a button if something can be done.
export function tell(text, action = null, press = null) {
  banner.replaceChildren(text);
  banner.hidden = !text;
  if (!action) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = action;
  button.addEventListener("click", () => {
    banner.hidden = true;
    press();
  });
  banner.append(" ", button);
}
