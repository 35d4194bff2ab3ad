// The drawer of the gallery: titles and known pictures that are looked for, and teaching of new ones by dropping pictures or a clip.

import * as api from "./api.js";
import { pictures } from "./clip.js";
import { Drawer } from "./drawer.js";
import { dropZone, slug, unsent } from "./drop.js";
import { clock, el } from "./dom.js";
import { labelCodes, labelName, language, word } from "./words.js";

const LABEL = "banned_game.regulated";
const ACCEPT = "image/png,image/webp,image/jpeg,video/*";
const MAX_ROWS = 100;
const NOTHING = { name: "", title: "", alias: "", label: LABEL, exact: "", starts_at: "", ends_at: "" };

/** A picture of an entry; of the version it had when it was found, where that is told. */
export function taughtPicture(name, file, { version = null, look = "" } = {}) {
  const image = el("img", { alt: name, loading: "lazy" });
  api.titlePicture(name, file, version).then((url) => (image.src = url), (error) => image.replaceWith(el("span", { class: "dim", text: word("lost", { why: error.message }) })));
  return el("span", { class: `scene-on ${look}` }, image);
}

export class Gallery extends Drawer {
  constructor() {
    super("gallery");
    this.entries = null;
    this.clear();
  }

  clear() {
    this.shown = [];
    this.against = [];
    this.form = { ...NOTHING };
  }

  async open() {
    this.notes = null;
    await super.open();
  }

  async reload() {
    try {
      this.entries = (await api.titles()).gallery;
      this.trouble = null;
    } catch (error) {
      this.trouble = error.message;
    }
    this.show();
  }

  /** Take pictures and clips in, as pictures of the title or as what only looks like it. */
  async take(files, which) {
    if (!files.length) return;
    this.notes = null;
    if (!this.form.name) this.form.name = slug(files[0].name);
    await this.ask(async () => {
      try {
        this[which] = [...this[which], ...(await pictures(files))];
      } catch (error) {
        throw new Error(word("clipUnread", { why: error.message || "" }));
      }
    });
  }

  async teach() {
    const { name, alias, starts_at, ends_at, ...rest } = this.form;
    const moments = Object.entries({ starts_at, ends_at }).filter(([, at]) => at).map(([key, at]) => [key, new Date(at).toISOString()]);
    const aliases = alias.split(/[,，、]/).map((one) => one.trim()).filter(Boolean).map((one) => ["alias", one]);
    const asked = [...Object.entries(rest).filter(([, value]) => value), ...moments, ...aliases];
    const done = await this.ask(async () => {
      const taught = await api.teachTitle(name, this.shown, this.against, new URLSearchParams(asked));
      this.notes = { name: `${taught.name}@${taught.version}`, notes: taught.notes };
    });
    if (!done) return;
    this.clear();
    await this.reload();
  }

  async remove(entry) {
    if (await this.ask(() => api.removeTitle(entry.name))) await this.reload();
  }

  async rollBack(entry) {
    if (await this.ask(() => api.rollBackTitle(entry.name, entry.version - 1))) await this.reload();
  }

  show() {
    this.dialog.replaceChildren(
      this.heading(),
      this.teaching(), this.list());
  }

  list() {
    if (this.trouble) return el("p", { class: "complaint", text: this.trouble });
    if (this.entries === null) return el("p", { class: "dim", text: "…" });
    if (!this.entries.length) return el("p", { class: "dim", text: word("noTitles") });
    const more = this.entries.length - MAX_ROWS;
    return el("section", {}, el("h3", { text: word("lookedFor", { n: this.entries.length }) }), ...this.entries.slice(0, MAX_ROWS).map((entry) => this.row(entry)),
      more > 0 ? el("p", { class: "dim", text: word("moreTitles", { n: more }) }) : null);
  }

  row(entry) {
    const facts = [word(entry.exact ? "veryPictures" : "nPictures", { n: entry.n_pictures }), entry.n_against ? word("nAgainst", { n: entry.n_against }) : null,
      entry.aliases.length ? entry.aliases.join("、") : null, entry.starts_at ? word("startsAt", { at: clock(entry.starts_at, language()) }) : null,
      entry.ends_at ? word("endsAt", { at: clock(entry.ends_at, language()) }) : null];
    return el("div", { class: "enrolled" },
      taughtPicture(entry.name, entry.pictures[0].split("/").pop()),
      el("div", { class: "what" },
        el("div", { class: "line" }, el("b", { text: entry.title }), el("span", { class: "tag", text: `${entry.name}@${entry.version}` }),
          el("span", { text: labelName(entry.label) })),
        el("div", { class: "row dim small" }, ...facts.filter(Boolean).map((text) => el("span", { text })))),
      entry.version > 1 ? el("button", { type: "button", class: "ghost", text: word("backTo", { n: entry.version - 1 }), onclick: () => this.rollBack(entry) }) : null,
      el("button", { type: "button", class: "ghost", text: word("remove"), onclick: () => this.remove(entry) }));
  }

  field(name, node) {
    node.value = this.form[name];
    node.addEventListener("input", () => (this.form[name] = node.value));
    return el("label", { class: "field" }, el("span", { class: "dim small", text: word(`title_${name}`) }), node);
  }

  teaching() {
    return el("section", { class: "try" }, dropZone(word("dropTitle"), ACCEPT, (files) => this.take(files, "shown")), this.preview("shown"),
      this.shown.length ? dropZone(word("dropAgainst"), ACCEPT, (files) => this.take(files, "against"), "slim") : null, this.preview("against"),
      this.shown.length ? this.fields() : null, this.verdict());
  }

  fields() {
    const labels = [...new Set([LABEL, ...labelCodes()])].sort();
    const label = el("select", {}, ...labels.map((code) => el("option", { value: code, text: `${labelName(code)} · ${code}` })));
    const kind = el("select", {}, el("option", { value: "", text: word("whatLooksLike") }), el("option", { value: "true", text: word("onlyThese") }));
    return el("div", { class: "row" }, this.field("name", el("input", { type: "text", maxlength: "40", spellcheck: "false" })),
      this.field("title", el("input", { type: "text", maxlength: "80" })), this.field("alias", el("input", { type: "text", maxlength: "400" })),
      this.field("label", label), this.field("exact", kind),
      this.field("starts_at", el("input", { type: "datetime-local" })), this.field("ends_at", el("input", { type: "datetime-local" })));
  }

  preview(which) {
    const files = this[which];
    if (!files.length) return null;
    return el("div", { class: "row" }, ...files.map((file, n) => el("button", {
      type: "button", class: "scene-on small-scene", title: word("leaveOut"), "aria-label": `${word("leaveOut")}: ${file.name}`,
      onclick: () => ((this[which] = files.filter((_, other) => other !== n)), this.show()),
    }, unsent(file))));
  }

  verdict() {
    if (this.busy) return el("p", { class: "dim", text: "…" });
    if (this.complaint) return el("p", { class: "complaint", role: "alert", text: this.complaint });
    const notes = (this.notes?.notes ?? []).map((note) => el("li", { text: note }));
    return el("div", {}, this.notes ? el("p", { class: "ok", text: word("taught", { name: this.notes.name }) }) : null,
      notes.length ? el("ul", { class: "notes" }, ...notes) : null,
      this.shown.length ? el("button", { type: "button", class: "primary", text: word("teach"), onclick: () => this.teach() }) : null);
  }
}
