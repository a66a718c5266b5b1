// The settings as controls, made from what the server says of them; and undo.
import { element } from "./view.js";

const form = document.getElementById("form");

function slider(control, values, change) {
  const indexed = control.kind === "values";
  const range = element("input", {
    type: "range",
    min: indexed ? 0 : control.low,
    max: indexed ? control.options.length - 1 : control.high,
    step: indexed ? 1 : control.step,
    id: `slide-${control.name}`,
    "aria-label": `${control.name}, slider`,
  });
  const exact = element("input", { type: "number", step: "any", id: `set-${control.name}` });
  if (control.kind !== "fraction") exact.step = 1;
  const nearest = (value) => {
    const far = control.options.map((option) => Math.abs(option - value));
    return far.indexOf(Math.min(...far));
  };
  range.addEventListener("input", () => {
    const value = Number(range.value);
    change(indexed ? control.options[value] : value);
  });
  exact.addEventListener("change", () => {
    if (exact.value !== "") change(Number(exact.value));
  });
  const show = (value) => {
    for (const one of [range, exact]) one.disabled = value === null;
    exact.value = value === null ? "" : value;
    range.value = value === null ? range.min : indexed ? nearest(value) : value;
    range.setAttribute("aria-valuetext", String(value));
  };
  return [[range, exact], show];
}

function part(control, change) {
  if (control.kind === "switch") {
    const box = element("input", { type: "checkbox", id: `set-${control.name}` });
    box.addEventListener("change", () => change(box.checked));
    return [[box], (value) => (box.checked = value)];
  }
  if (control.kind === "choice") {
    const select = element("select", { id: `set-${control.name}` });
    select.append(...control.options.map((option) => element("option", {}, option)));
    select.addEventListener("change", () => change(select.value));
    return [[select], (value) => (select.value = value)];
  }
  return slider(control, null, change);
}

// Which classes count: none ticked means all.
function names(control, change) {
  const list = element("span", { className: "names" });
  let known = [];
  const show = (value) => {
    const all = [...new Set([...known, ...(value ?? [])])];
    list.replaceChildren(
      ...all.map((name) => {
        const box = element("input", { type: "checkbox", checked: value?.includes(name) ?? false });
        box.addEventListener("change", () => {
          const ticked = [...list.querySelectorAll("input")].flatMap((one, at) => (one.checked ? [all[at]] : []));
          change(ticked.length ? ticked : null);
        });
        return element("label", {}, box, ` ${name}`);
      }),
    );
    if (!all.length) list.replaceChildren("all");
  };
  return { list, show, know: (classes) => (known = classes) };
}

export class Form extends EventTarget {
  #shows = new Map();
  #undo = [];
  #redo = [];
  #last = { name: "", at: 0 };

  constructor(controls, settings) {
    super();
    this.settings = { ...settings };
    for (const control of controls) form.append(this.#row(control));
    form.addEventListener("submit", (event) => event.preventDefault());
    this.show();
  }

  #row(control) {
    const { name } = control;
    const change = (value) => this.set({ [name]: value }, name);
    const help = element("p", { className: "hint", hidden: true, id: `help-${name}` }, control.help);
    const ask = element("button", { type: "button", className: "ask", "aria-expanded": "false" }, "?");
    ask.setAttribute("aria-label", `about ${name}`);
    ask.setAttribute("aria-controls", help.id);
    ask.addEventListener("click", () => {
      help.hidden = !help.hidden;
      ask.setAttribute("aria-expanded", String(!help.hidden));
    });
    const label = element("span", { className: "name" }, element("label", { htmlFor: `set-${name}` }, name), ask);
    let inputs;
    let show;
    if (control.kind === "names") {
      const made = names(control, change);
      this.classes = made;
      [inputs, show] = [[made.list], made.show];
      made.list.setAttribute("role", "group");
      made.list.setAttribute("aria-label", `${name}, none for all`);
      made.list.id = `set-${name}`;
    } else [inputs, show] = part(control, change);
    if (control.nullable && control.kind !== "names") {
      const own = element("input", { type: "checkbox" });
      const first = control.low ?? 0;
      own.addEventListener("change", () => change(own.checked ? null : first));
      const before = show;
      show = (value) => {
        own.checked = value === null;
        before(value);
      };
      inputs = [element("label", { className: "own" }, own, " by itself"), ...inputs];
    }
    this.#shows.set(name, show);
    return element("div", { className: `row ${control.kind}`, id: `row-${name}` }, label, ...inputs, help);
  }

  // A drag of one slider is one step back.
  set(values, name = "") {
    const now = performance.now();
    if (name === "" || name !== this.#last.name || now - this.#last.at > 700) {
      this.#undo.push(this.settings);
      if (this.#undo.length > 500) this.#undo.shift();
    }
    this.#last = { name, at: now };
    this.#redo = [];
    this.#take({ ...this.settings, ...values });
  }

  back() {
    if (this.#undo.length) this.#go(this.#undo, this.#redo);
  }

  forth() {
    if (this.#redo.length) this.#go(this.#redo, this.#undo);
  }

  #go(from, to) {
    to.push(this.settings);
    this.#last = { name: "", at: 0 };
    this.#take(from.pop());
  }

  get steps() {
    return [this.#undo.length, this.#redo.length];
  }

  #take(settings) {
    this.settings = settings;
    this.show();
    this.dispatchEvent(new Event("change"));
  }

  show() {
    for (const [name, show] of this.#shows) show(this.settings[name]);
  }

  // Marks what differs from the recipe.
  mark(recipe) {
    for (const name of this.#shows.keys()) {
      const same = JSON.stringify(recipe[name]) === JSON.stringify(this.settings[name]);
      document.getElementById(`row-${name}`).classList.toggle("changed", !same);
    }
  }
}
