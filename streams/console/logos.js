// The drawer of enrolled logos: what is looked for, and enrolment of a new one by dropping its pictures.

import * as api from "./api.js";
import { Drawer } from "./drawer.js";
import { dropZone, slug, unsent } from "./drop.js";
import { boxed, el, percent } from "./dom.js";
import { labelCodes, labelName, word } from "./words.js";

const LABEL = "competitor.logo";
const ZONES = ["top-left", "top-right", "bottom-left", "bottom-right", "top", "bottom"];

/** An enrolled logo's first picture, on a ground that shows what is see-through. */
export function enrolledPicture(name, look = "") {
  const image = el("img", { alt: name });
  api.logoPicture(name, 0).then((url) => (image.src = url), (error) => image.replaceWith(el("span", { class: "dim", text: word("lost", { why: error.message }) })));
  return el("span", { class: `mark-on ${look}` }, image);
}

/** Place of a zone drawn on a small frame. */
function zonesDrawn(zones) {
  const frame = el("span", { class: "miniature" });
  return boxed(frame, zones.map(([x, y, w, h]) => ({ x, y, w, h })), { names: false });
}

export class Logos extends Drawer {
  constructor() {
    super("logos");
    this.files = [];
    this.logos = null;
    this.examined = null;
    this.form = { name: "", title: "", words: "", label: LABEL, zone: "", min_area: "" };
  }

  async reload() {
    try {
      this.logos = (await api.logos()).logos;
      this.trouble = null;
    } catch (error) {
      this.trouble = error.message;
    }
    this.show();
  }

  /** Take pictures in and have them examined. */
  async take(files) {
    this.files = files;
    if (!this.files.length) return;
    if (!this.form.name) this.form.name = slug(this.files[0].name);
    await this.ask(async () => {
      this.examined = await api.examineLogo(this.form.name || "new", this.files);
    });
  }

  async enrol(force = false) {
    const { name: _, words, ...rest } = this.form;
    const said = words.split(/[,;，；、]/).map((one) => ["words", one.trim()]);
    const asked = [...Object.entries({ ...rest, force: force ? "true" : "" }), ...said].filter(([, value]) => value);
    const done = await this.ask(async () => {
      await api.enrolLogo(this.form.name, this.files, new URLSearchParams(asked));
    });
    if (!done) return;
    this.files = [];
    this.examined = null;
    this.form = { ...this.form, name: "", title: "", words: "" };
    await this.reload();
  }

  async remove(logo) {
    if (await this.ask(() => api.removeLogo(logo.name))) await this.reload();
  }

  show() {
    this.dialog.replaceChildren(
      this.heading(),
      this.enrolment(), this.list());
  }

  list() {
    if (this.trouble) return el("p", { class: "complaint", text: this.trouble });
    if (this.logos === null) return el("p", { class: "dim", text: "…" });
    if (!this.logos.length) return el("p", { class: "dim", text: word("noLogos") });
    return el("section", {}, el("h3", { text: word("lookedFor", { n: this.logos.length }) }), ...this.logos.map((logo) => this.row(logo)));
  }

  row(logo) {
    return el("div", { class: "enrolled" },
      enrolledPicture(logo.name),
      el("div", { class: "what" },
        el("div", { class: "line" }, el("b", { text: logo.title }), el("span", { class: "tag", text: `${logo.name}@${logo.version}` }),
          el("span", { text: labelName(logo.label) })),
        el("div", { class: "line dim small" }, logo.zones.length ? zonesDrawn(logo.zones) : el("span", { text: word("everywhere") }),
          logo.min_area ? el("span", { text: word("leastArea", { share: percent(logo.min_area) }) }) : null,
          logo.words.length ? el("span", { text: `“${logo.words.join("” “")}”` }) : null,
          logo.n_pictures > 1 ? el("span", { text: word("variants", { n: logo.n_pictures }) }) : null)),
      el("button", { type: "button", class: "ghost", text: word("remove"), onclick: () => this.remove(logo) }));
  }

  field(name, node) {
    node.value = this.form[name];
    node.addEventListener("input", () => (this.form[name] = node.value));
    return el("label", { class: "field" }, el("span", { class: "dim small", text: word(`logo_${name}`) }), node);
  }

  enrolment() {
    const drop = dropZone(word("dropLogo"), "image/png,image/webp,image/jpeg", (files) => this.take(files));
    const labels = [...new Set([LABEL, ...labelCodes()])].sort();
    const label = el("select", {}, ...labels.map((code) => el("option", { value: code, text: `${labelName(code)} · ${code}` })));
    const zone = el("select", {}, el("option", { value: "", text: word("everywhere") }), ...ZONES.map((name) => el("option", { value: name, text: word(`zone_${name.replace("-", "_")}`) })));
    const area = el("input", { type: "number", min: "0", max: "0.99", step: "0.001", placeholder: "0.001" });
    const fields = this.files.length
      ? el("div", { class: "row" }, this.field("name", el("input", { type: "text", maxlength: "40", spellcheck: "false" })),
        this.field("title", el("input", { type: "text", maxlength: "80" })), this.field("words", el("input", { type: "text", maxlength: "160" })),
        this.field("label", label), this.field("zone", zone), this.field("min_area", area))
      : null;
    return el("section", { class: "try" }, drop, this.preview(), fields, this.verdict());
  }

  preview() {
    if (!this.files.length) return null;
    return el("div", { class: "row" }, ...this.files.map((file) => el("span", { class: "mark-on" }, unsent(file))));
  }

  verdict() {
    if (this.busy) return el("p", { class: "dim", text: "…" });
    if (this.complaint) {
      return el("div", { class: "row" }, el("p", { class: "complaint", role: "alert", text: this.complaint }),
        this.examined ? el("button", { type: "button", class: "ghost", text: word("enrolAnyway"), onclick: () => this.enrol(true) }) : null);
    }
    if (!this.examined) return null;
    const notes = this.examined.notes.map((note) => el("li", { text: note }));
    return el("div", {}, notes.length ? el("ul", { class: "notes" }, ...notes) : el("p", { class: "ok", text: word("logoFit") }),
      el("button", { type: "button", class: "primary", text: word("enrol"), onclick: () => this.enrol() }));
  }
}
