// What stands beside the photograph: what is asked for, as controls.

import { told, word } from "./words.js";

const percent = (share) => `${Math.round(share * 100)} %`;
const get = (id) => document.getElementById(id);

// All that the document of a photograph says; `on` has select(index), remove(index), unpick(color).
export function show(photo, models, selected, on) {
  get("vividness").value = photo.vividness;
  get("strength").value = photo.strength;
  showWords(photo);
  get("amount").textContent = percent(photo.vividness);
  get("much").textContent = percent(photo.strength);
  get("places").hidden = photo.matching == null;
  get("matching").value = photo.matching ?? 1;
  get("alikeness").textContent = percent(photo.matching ?? 1);
  get("undo").disabled = !photo.undo;
  get("redo").disabled = !photo.redo;
  showModels(photo.model, models);
  showPoints(photo.points, selected, on);
  showPalette(photo.palette, on);
  for (const [id, what] of [["download", "download"], ["save", "touchup"]]) {
    get(id).href = `/api/photographs/${photo.id}/${what}`;
  }
  get("notes").replaceChildren(...photo.notes.map((note) => element("li", told(note))));
}

// The likely colors of a place; `chosen` is the one that it has.
export function showSwatches(colors, chosen, choose) {
  get("ask").hidden = true;
  get("any").hidden = false;
  get("swatches").replaceChildren(...colors.map(({ color, share }) => {
    const name = word("swatch", { color, share: Math.round(share * 100) });
    const one = colorButton(color, name, () => choose(color));
    one.append(element("span", percent(share)));
    one.setAttribute("aria-pressed", color === chosen);
    return one;
  }));
  if (chosen) get("color").value = chosen;
}

export function noPlace() {
  get("ask").hidden = false;
  get("any").hidden = true;
  get("swatches").replaceChildren();
}

// The photographs that are open, each with its picture.
export function showTabs(photographs, current, thumbnails, choose) {
  get("many").hidden = photographs.length < 2;
  get("tabs").replaceChildren(...photographs.map((photo) => {
    const one = element("button", thumbnails[photo.id] ? "" : photo.name);
    one.title = photo.name;
    one.setAttribute("aria-label", photo.name);
    one.setAttribute("aria-current", photo.id === current);
    if (thumbnails[photo.id]) {
      const image = document.createElement("img");
      image.alt = "";
      image.src = thumbnails[photo.id];
      one.append(image);
    }
    one.addEventListener("click", () => choose(photo.id));
    return one;
  }));
  if (get("tabs").dataset.current !== current) reveal(get("tabs"), get("tabs").querySelector("[aria-current=true]"));
  get("tabs").dataset.current = current;
}

// Scrolls a strip alone, and not the page, until one of its elements is in its middle.
function reveal(strip, one) {
  if (!one) return;
  const middle = (box) => box.left + box.width / 2;
  strip.scrollLeft += middle(one.getBoundingClientRect()) - middle(strip.getBoundingClientRect());
}

function showModels(model, models) {
  const names = models.map((one) => one.name);
  const named = model === "default" ? names[0] : model;
  const all = names.includes(named) ? names : [...names, named];
  get("model").replaceChildren(...all.map((name) => {
    const one = element("option", name);
    one.value = name;
    one.selected = name === named;
    return one;
  }));
}

// What was asked for; what is typed and was not understood stays to be mended.
function showWords({ id, words }) {
  const said = get("said"), now = `${id} ${words}`;
  if (said.dataset.now !== now) said.value = words;
  said.dataset.now = now;
}

function showPoints(points, selected, on) {
  get("points").replaceChildren(...points.map(([, , color], index) => {
    const line = document.createElement("li");
    const point = element("button", "");
    const dot = document.createElement("i");
    dot.style.background = color;
    point.append(dot, word("point", { number: index + 1, color }));
    point.setAttribute("aria-pressed", index === selected);
    point.addEventListener("click", () => on.select(index));
    const remove = element("button", "×");
    remove.setAttribute("aria-label", word("removePoint", { number: index + 1 }));
    remove.addEventListener("click", () => on.remove(index));
    line.append(point, remove);
    return line;
  }));
}

function showPalette(palette, on) {
  const colors = (palette && palette.colors) || [];
  const known = { reference: "fromReference", file: "fromFile", answer: "fromAnswer" };
  const from = palette && Object.keys(known).find((key) => key in palette);
  get("from").textContent = from ? word(known[from], { name: palette[from] }) : word("noneAsked");
  get("from").hidden = colors.length > 0;
  get("clear").hidden = get("counts").hidden = !palette;
  get("palette").replaceChildren(...colors.map((color) =>
    colorButton(color, word("removeColor", { color }), () => on.unpick(color))));
}

function colorButton(color, name, act) {
  const one = element("button", "");
  one.style.background = color;
  one.title = name;
  one.setAttribute("aria-label", name);
  one.addEventListener("click", act);
  return one;
}

function element(name, text) {
  const one = document.createElement(name);
  one.textContent = text;
  return one;
}
