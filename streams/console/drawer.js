// What the drawers of logos and of the gallery have in common: opening, closing, and asking the API with complaint and patience shown.

import { byId, el } from "./dom.js";
import { word } from "./words.js";

/** A drawer named like its dialog and its word; who extends it has `show()` and `reload()`. */
export class Drawer {
  constructor(name) {
    this.name = name;
    this.dialog = byId(name);
    this.trouble = null;
    this.complaint = null;
    this.busy = false;
    byId(`${name}-open`).addEventListener("click", () => this.open());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  async open() {
    this.show();
    if (!this.dialog.open) this.dialog.showModal();
    await this.reload();
  }

  dress() {
    if (this.dialog.open) this.show();
  }

  /** Make a call; whether it went well. */
  async ask(call) {
    this.complaint = null;
    this.busy = true;
    this.show();
    try {
      await call();
    } catch (error) {
      this.complaint = error.message;
    }
    this.busy = false;
    this.show();
    return this.complaint === null;
  }

  heading() {
    return el("header", {}, el("div", { class: "line" }, el("h2", { id: `${this.name}-title`, text: word(this.name) }), el("span", { class: "space" }),
      el("button", { type: "button", class: "ghost", text: "✕", "aria-label": word("close"), onclick: () => this.dialog.close() })));
  }
}
