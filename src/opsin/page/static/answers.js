// Several answers: the photograph in other colors that are likely, small, to take one of.

import * as server from "./server.js";
import { word } from "./words.js";

const SMALL = 240; // pixels of the longer side

export class Answers {
  // `place` is an element; `choose` is told the number of the answer that is taken.
  constructor(place, choose) {
    this.place = place;
    this.choose = choose;
    this.forget();
  }

  forget() {
    for (const { url } of this.shown || []) if (url) URL.revokeObjectURL(url);
    this.photo = null;
    this.shown = [];
    this.place.replaceChildren();
  }

  // Asks for the answers of a photograph, and for a picture of each; they are seen as they come.
  async ask(photo) {
    this.forget();
    this.photo = photo;
    const path = `/api/photographs/${photo.id}/answers`;
    const { answers } = await server.json(path);
    if (this.photo !== photo) return;
    this.shown = answers;
    this.draw(photo);
    for (const one of answers) {
      const url = await server.image(`${path}/${one.number}?side=${SMALL}`);
      if (this.photo !== photo) return URL.revokeObjectURL(url);
      one.url = url;
      this.draw(photo);
    }
  }

  // Those that are known, and which of them the photograph has; of another model there are others.
  draw(photo) {
    if (!this.photo) return;
    if (this.photo.id !== photo.id || this.photo.model !== photo.model) return this.forget();
    const taken = photo.palette ? photo.palette.answer : 1;
    const at = [...this.place.children].indexOf(document.activeElement);
    this.place.replaceChildren(...this.shown.map(({ number, share, url }) => {
      const one = document.createElement("button"), image = document.createElement("img");
      const name = word("answer", { number, share: Math.round(share * 100) });
      one.title = name;
      one.setAttribute("aria-label", name);
      one.setAttribute("aria-pressed", number === taken);
      image.alt = "";
      if (url) image.src = url;
      one.append(image);
      one.addEventListener("click", () => this.choose(number));
      return one;
    }));
    if (at >= 0 && this.place.children[at]) this.place.children[at].focus({ preventScroll: true });
  }
}
