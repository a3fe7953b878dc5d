// The photograph on the stage: zoom and pan, before and after, the points on it.
//
// It knows where things lie and what the fingers do, and nothing of the server: it tells by `on`.

import { fitted, moved, resized, sideFor, toPhoto, within, zoomed } from "./geometry.js";
import { word } from "./words.js";

const CLICK = 5; // pixels that a click may move
const WHEEL = 0.0015; // of a zoom, for each pixel that is scrolled

export class Stage {
  // `on` has place(place), move(index, place, gesture), select(index) and view().
  constructor(on) {
    this.on = on;
    this.photo = null;
    this.fingers = new Map();
    for (const id of ["stage", "sheet", "after", "before", "sure", "line", "marks"]) this[id] = document.getElementById(id);
    this.stage.addEventListener("pointerdown", (event) => this.down(event));
    this.stage.addEventListener("pointermove", (event) => this.dragged(event));
    for (const end of ["pointerup", "pointercancel"]) this.stage.addEventListener(end, (event) => this.up(event));
    this.stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * WHEEL), this.at(event));
    }, { passive: false });
    new ResizeObserver(() => this.resized()).observe(this.stage);
  }

  // Another photograph, or none, seen whole.
  show(photo) {
    this.photo = photo;
    this.view = null;
    for (const one of [this.after, this.before, this.sure]) this.put(one, "");
    if (photo && photo.width) this.fit();
  }

  // The size of a photograph that was not known before.
  measure(photo) {
    const first = !this.view;
    this.photo = photo;
    if (first) this.fit();
  }

  fit() {
    this.view = fitted(this.photo, this.room());
    this.lay();
  }

  zoom(factor, at) {
    if (!this.view) return;
    const room = this.room();
    this.view = zoomed(this.view, factor, at || { x: room.width / 2, y: room.height / 2 }, this.photo, room);
    this.lay();
  }

  resized() {
    if (!this.view || !this.stage.clientWidth) return;
    this.view = resized(this.view, this.photo, this.laid, this.room());
    this.lay();
  }

  // The longer side of the picture that is worth asking for, at most `most`.
  side(most) {
    return this.view ? sideFor(this.view, this.photo, window.devicePixelRatio || 1, most) : most;
  }

  // A picture, by its URL, on one of the three layers; the one before is let go.
  put(layer, url) {
    if (layer.src.startsWith("blob:")) URL.revokeObjectURL(layer.src);
    if (url) layer.src = url;
    else layer.removeAttribute("src");
  }

  // How much of the photograph as it was is seen, from 0 to 100.
  cut(percent) {
    this.sheet.style.setProperty("--cut", `${percent}%`);
    this.line.hidden = percent <= 0 || percent >= 100;
  }

  // The points, and the place that is asked for, if any; `selected` is the number of one.
  mark(points, place, selected) {
    const buttons = points.map(([x, y, color], index) => {
      const one = this.button({ x, y }, word("point", { number: index + 1, color }));
      one.style.background = color;
      one.dataset.index = index;
      one.setAttribute("aria-pressed", index === selected);
      one.addEventListener("click", () => this.on.select(index));
      return one;
    });
    if (place) {
      const one = this.button(place, word("asked"));
      one.className = "asked";
      one.tabIndex = -1;
      buttons.push(one);
    }
    const focused = document.activeElement && this.marks.contains(document.activeElement)
      ? document.activeElement.dataset.index : null;
    this.marks.replaceChildren(...buttons);
    if (focused !== null && buttons[focused]) buttons[focused].focus({ preventScroll: true });
  }

  button(place, name) {
    const one = document.createElement("button");
    one.setAttribute("aria-label", name);
    one.style.left = `${(place.x / this.photo.width) * 100}%`;
    one.style.top = `${(place.y / this.photo.height) * 100}%`;
    return one;
  }

  room() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  lay() {
    const { x, y, scale } = this.view;
    this.laid = this.room();
    this.sheet.style.width = `${this.photo.width * scale}px`;
    this.sheet.style.height = `${this.photo.height * scale}px`;
    this.sheet.style.transform = `translate(${x}px, ${y}px)`;
    this.on.view();
  }

  at(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  down(event) {
    if (!this.view || event.button > 0) return;
    const mark = event.target.closest("#marks button");
    const index = mark && mark.dataset.index !== undefined ? Number(mark.dataset.index) : null;
    const at = this.at(event);
    this.fingers.set(event.pointerId, { start: at, at, index, moved: false, gesture: `move-${performance.now()}` });
    this.stage.setPointerCapture(event.pointerId);
    if (this.fingers.size > 1) for (const one of this.fingers.values()) one.moved = true; // no click
  }

  dragged(event) {
    const finger = this.fingers.get(event.pointerId);
    if (!finger) return;
    const at = this.at(event), before = finger.at;
    if (Math.hypot(at.x - finger.start.x, at.y - finger.start.y) > CLICK) finger.moved = true;
    if (!finger.moved) return;
    finger.at = at;
    if (this.fingers.size === 2) this.pinched(event.pointerId, before, at);
    else if (finger.index !== null) this.on.move(finger.index, this.place(at), finger.gesture);
    else {
      this.view = moved(this.view, at.x - before.x, at.y - before.y, this.photo, this.room());
      this.lay();
    }
  }

  pinched(id, before, at) {
    const [other] = [...this.fingers].filter(([one]) => one !== id).map(([, finger]) => finger.at);
    const apart = (one) => Math.max(10, Math.hypot(one.x - other.x, one.y - other.y));
    this.zoom(apart(at) / apart(before), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
  }

  up(event) {
    const finger = this.fingers.get(event.pointerId);
    this.fingers.delete(event.pointerId);
    if (!finger || finger.moved || event.type === "pointercancel") return;
    if (finger.index !== null) return this.on.select(finger.index);
    const place = toPhoto(this.view, finger.at, this.photo);
    if (place) this.on.place(place);
  }

  place(at) {
    const { x, y, scale } = this.view;
    return within({ x: (at.x - x) / scale, y: (at.y - y) / scale }, this.photo);
  }
}
