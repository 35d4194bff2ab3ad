// Two boxes to try the checks by hand: one for a text, one for a picture or a clip of sound.

import * as api from "./api.js";
import { boxed, byId, el, marked, percent } from "./dom.js";
import { decisionBadge } from "./violations.js";
import { labelName, side, word } from "./words.js";

function said(error) {
  return el("p", { class: "complaint", text: error.name === "TimeoutError" ? word("tooSlow") : error.message });
}

function headline(answer) {
  return el("div", { class: "line" }, decisionBadge(answer.decision),
    answer.label ? el("b", { text: labelName(answer.label) }) : null,
    answer.score ? el("span", { class: "figure", text: percent(answer.score) }) : null,
    el("span", { class: "space" }),
    answer.elapsed_ms === undefined ? null : el("span", { class: "figure dim", text: `${answer.elapsed_ms.toFixed(2)} ms` }));
}

function findingLine(finding) {
  const seen = finding.matched ?? finding.text ?? finding.qr ?? "";
  const from = [finding.list ?? finding.detector ?? finding.source, ...(finding.transforms ?? [])].filter(Boolean).join(" · ");
  return el("li", {}, el("span", { class: `dot ${finding.decision}` }), el("b", { text: labelName(finding.label) }),
    finding.term && finding.term !== seen ? el("span", { text: `${seen} → ${finding.term}` }) : el("span", { text: seen }),
    el("span", { class: "figure", text: percent(finding.score) }), el("span", { class: "dim", text: from }));
}

const named = (name, value) => (value ? el("p", {}, el("span", { class: "tag", text: word(name) }), " ", value) : null);

function findings(answer) {
  const found = answer.findings ?? [];
  return found.length ? el("ul", { class: "findings" }, ...found.map(findingLine)) : el("p", { class: "dim", text: word("nothingFound") });
}

function textAnswer(text, answer) {
  const spans = (answer.findings ?? []).flatMap((finding) => finding.spans ?? []);
  const contacts = (answer.contacts ?? []).map((contact) => `${contact.type} ${contact.value}`).join(", ");
  return [headline(answer), el("p", { class: "sent" }, marked(text, spans)),
    named("masked", answer.masked_text && answer.masked_text !== text ? answer.masked_text : ""),
    named("contacts", contacts), side(answer.reason) ? el("p", { text: side(answer.reason) }) : null,
    findings(answer), named("degraded", (answer.degraded ?? []).join(", "))].filter(Boolean);
}

function mediaAnswer(file, url, answer) {
  const boxes = (answer.findings ?? []).flatMap((finding) => (finding.boxes ?? []).map((box) => ({ ...box, name: labelName(finding.label) })));
  const shown = file.type.startsWith("audio/") ? el("audio", { controls: true, src: url }) : boxed(el("img", { alt: "", src: url }), boxes);
  return [headline(answer), shown, side(answer.reason) ? el("p", { text: side(answer.reason) }) : null,
    named("transcript", answer.transcript), findings(answer), named("degraded", (answer.degraded ?? []).join(", "))].filter(Boolean);
}

/** Wires both boxes; `redraw()` shows the last answers again, in another language. */
export class Tryout {
  constructor() {
    this.last = {};
    this.file = 0;
    const input = byId("text-input");
    byId("text-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.value) this.text(input.value);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("text-form").requestSubmit();
    });
    const drop = byId("drop");
    byId("media-input").addEventListener("change", (event) => event.target.files[0] && this.media(event.target.files[0]));
    for (const name of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", name === "dragover");
        if (name === "drop" && event.dataTransfer.files[0]) this.media(event.dataTransfer.files[0]);
      });
    }
  }

  async text(text) {
    await this.ask("text-answer", () => api.checkText(text, byId("text-scene").value), (answer) => textAnswer(text, answer));
  }

  async media(file) {
    const url = URL.createObjectURL(file);
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = url;
    const check = file.type.startsWith("audio/") ? api.checkAudio : api.checkImage;
    await this.ask("media-answer", () => check(file), (answer) => mediaAnswer(file, url, answer));
  }

  async ask(id, call, draw) {
    const number = (this.file += 1);
    this.last[id] = { number, draw: () => [el("p", { class: "dim", text: "…" })] };
    this.redraw();
    let drawn;
    try {
      const answer = await call();
      drawn = () => draw(answer);
    } catch (error) {
      drawn = () => [said(error)];
    }
    if (this.last[id].number !== number) return; // a later one was asked in the meantime
    this.last[id] = { number, draw: drawn };
    this.redraw();
  }

  redraw() {
    for (const [id, { draw }] of Object.entries(this.last)) byId(id).replaceChildren(...draw());
  }
}
