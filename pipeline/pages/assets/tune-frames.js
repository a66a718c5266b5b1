// Choosing a video and a frame.
import { get, picture, post } from "./wire.js";
import { element } from "./view.js";

const [videos, frame, place, telling] = ["video", "frame", "place", "telling"].map((id) => document.getElementById(id));

export class Frames extends EventTarget {
  facts = null;
  index = 0;
  boxes = null;

  constructor(start) {
    super();
    this.words = start.words;
    videos.append(...start.videos.map((name, at) => element("option", { value: at }, name)));
    videos.addEventListener("change", () => this.open(Number(videos.value)));
    place.addEventListener("input", () => this.go(Number(place.value)));
    frame.addEventListener("change", () => this.go(this.#nearest(Number(frame.value))));
  }

  get video() {
    return Number(videos.value);
  }

  get query() {
    return { video: this.video, edition: this.facts.edition, frame: this.index };
  }

  async open(video, again = false) {
    videos.value = video;
    const index = again ? this.index : null;
    this.facts = null;
    this.dispatchEvent(new Event("opening"));
    let facts;
    try {
      facts = again ? await post("reload", { video }) : await get("video", { video });
    } catch (error) {
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
      return;
    }
    if (video !== this.video) return;
    this.facts = facts;
    place.max = facts.numbers.length - 1;
    [frame.min, frame.max] = [facts.numbers[0], facts.numbers.at(-1)];
    frame.step = facts.numbers.length > 1 ? facts.numbers[1] - facts.numbers[0] : 1;
    this.dispatchEvent(new Event("video"));
    this.#list();
    await this.go(Math.min(index ?? facts.telling[0]?.[0] ?? 0, facts.numbers.length - 1));
  }

  #list() {
    telling.replaceChildren(
      ...this.facts.telling.map(([at, why]) => {
        const query = { video: this.video, edition: this.facts.edition, frame: at };
        const image = element("img", { alt: "", loading: "lazy", src: `picture?${new URLSearchParams(query)}` });
        const number = `frame ${this.facts.numbers[at]}`;
        const button = element("button", { type: "button", title: this.words[why] }, image, element("span", {}, number));
        button.setAttribute("aria-label", `${number}: ${this.words[why]}`);
        button.dataset.at = at;
        button.addEventListener("click", () => this.go(at));
        return button;
      }),
    );
  }

  #nearest(number) {
    const far = this.facts.numbers.map((one) => Math.abs(one - number));
    return far.indexOf(Math.min(...far));
  }

  async go(index) {
    if (!this.facts) return;
    this.index = Math.max(0, Math.min(index, this.facts.numbers.length - 1));
    place.value = this.index;
    frame.value = this.facts.numbers[this.index];
    place.setAttribute("aria-valuetext", `frame ${frame.value}`);
    for (const button of telling.children) button.setAttribute("aria-current", String(Number(button.dataset.at) === this.index));
    this.dispatchEvent(new Event("frame"));
  }

  step(by) {
    return this.go(this.index + by);
  }

  // To the next telling frame, or back.
  stepTelling(by) {
    const all = this.facts?.telling.map(([at]) => at) ?? [];
    const next = by > 0 ? all.find((at) => at > this.index) : all.findLast((at) => at < this.index);
    if (next !== undefined) this.go(next);
  }

  // What is drawn beside masks: the picture and the boxes of a frame.
  async ground(query) {
    const [image, facts] = await Promise.all([picture(query), get("frame", query)]);
    return { image, facts };
  }
}
