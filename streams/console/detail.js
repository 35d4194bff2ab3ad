// The drawer with everything about one violation: media, what was read or heard, time taken, and the reviewer's answer.

import * as api from "./api.js";
import { boxed, byId, clock, el, marked, percent, seconds } from "./dom.js";
import { taughtPicture } from "./gallery.js";
import { enrolledPicture } from "./logos.js";
import { labelName, language, side, word } from "./words.js";
import { decisionBadge, stateNote } from "./violations.js";

/** Order in which time is spent, for the bars; the last one is the whole way. */
const WHOLE = "capture_to_publish";

function loaded(node, id, n, note) {
  api.evidence(id, n).then(
    (url) => (node.src = url),
    (error) => note.replaceChildren(word("lost", { why: error.message })),
  );
  return node;
}

function stills(violation) {
  return (violation.evidence?.frames ?? []).map((still, n) => {
    const note = el("span", { class: "dim" });
    const image = el("img", { alt: "", width: String(still.width), height: String(still.height) });
    return el("figure", {}, boxed(loaded(image, violation.violation_id, still.n ?? n, note), still.boxes),
      el("figcaption", {},
        el("span", { class: "figure", text: `${seconds(still.pts_s)} · ${clock(still.captured_at, language())} · ${still.width}×${still.height} ` }),
        still.text ? el("p", {}, el("span", { class: "tag", text: word("textRead") }), ` ${still.text}`) : null,
        still.qr ? el("p", {}, el("span", { class: "tag", text: word("qr") }), el("code", { text: ` ${still.qr}` })) : null, note));
  });
}

function sounds(violation, from) {
  return (violation.evidence?.audio ?? []).map((clip, i) => {
    const note = el("span", { class: "dim" });
    const player = loaded(el("audio", { controls: true, preload: "none" }), violation.violation_id, clip.n ?? from + i, note);
    return el("figure", {}, player, el("figcaption", {},
      el("span", { class: "figure", text: `${seconds(clip.start_s)} – ${seconds(clip.end_s)} ` }),
      clip.transcript ? el("p", {}, el("span", { class: "tag", text: word("transcript") }), " ", marked(clip.transcript, clip.spans)) : null, note));
  });
}

function strips(violation, from) {
  return (violation.evidence?.strips ?? []).map((strip, i) => {
    const note = el("span", { class: "dim" });
    const image = loaded(el("img", { alt: word("strip"), class: "strip" }), violation.violation_id, strip.n ?? from + i, note);
    return el("figure", {}, image, el("figcaption", {},
      el("span", { class: "tag", text: word("strip") }),
      el("span", { class: "figure", text: ` ${seconds(strip.start_s)} – ${seconds(strip.end_s)} ` }), note));
  });
}

/** An enrolled picture with its name under it. */
function enrolled(node, name) {
  return el("figure", {}, node, el("figcaption", {}, el("span", { class: "tag", text: word("enrolledAs") }), ` ${name}`));
}

/** The gallery names the picture that a box is like: name@version/file. */
function taughtOf(violation) {
  const boxes = (violation.evidence?.frames ?? []).flatMap((still) => still.boxes ?? []);
  for (const box of boxes.toSorted((one, other) => (other.score ?? 0) - (one.score ?? 0))) {
    const [, name, version, file] = /^([^@/]+)@(\d+)\/([^/]+)$/.exec(box.name ?? "") ?? [];
    if (name) return enrolled(taughtPicture(name, file, { version, look: "large" }), `${name}@${version}`);
  }
  return null;
}

/** What the picture was found to look like: the enrolled one; null where nothing enrolled was found. */
function likeness(violation) {
  if (violation.detector?.name === "gallery") return taughtOf(violation);
  if (violation.detector?.name !== "logo" || !violation.sublabel) return null;
  return enrolled(enrolledPicture(violation.sublabel, "large"), violation.sublabel);
}

/** The evidence; where something enrolled was found, the first still and the enrolled picture stand side by side. */
function shown(violation, pictures, others) {
  const alike = likeness(violation);
  if (!alike) return [...pictures, ...others];
  const [first, ...rest] = pictures;
  return [el("div", { class: "beside" }, first, alike), ...rest, ...others];
}

function timing(violation) {
  const spent = Object.entries(violation.timing_ms ?? {}).filter(([, ms]) => ms !== null);
  if (!spent.length) return null;
  const longest = Math.max(...spent.map(([, ms]) => ms), 1);
  spent.sort(([a], [b]) => (a === WHOLE) - (b === WHOLE));
  return el("section", {}, el("h3", { text: word("timing") }), el("div", { class: "bars" }, ...spent.flatMap(([stage, ms]) => {
    const bar = el("i", { class: stage === WHOLE ? "whole" : "" });
    bar.style.width = `${Math.max(1, (ms / longest) * 100)}%`;
    return [el("span", { text: stage }), el("span", { class: "track" }, bar), el("b", { class: "figure", text: `${ms.toFixed(ms < 10 ? 1 : 0)} ms` })];
  })));
}

function facts(violation) {
  const { temporal = {}, detector = {}, policy = {} } = violation;
  const rows = [
    [word("room"), violation.room_id], [word("session"), violation.session_id], [word("anchor"), violation.anchor_uid],
    [word("business"), violation.biz], [word("severity"), String(violation.severity)], [word("hint"), violation.action_hint],
    [word("firstSeen"), temporal.first_seen_s === undefined ? null : seconds(temporal.first_seen_s)],
    [word("lastSeen"), temporal.last_seen_s === undefined ? null : seconds(temporal.last_seen_s)],
    [word("agreed"), temporal.window ? word("ofN", temporal) : null], [word("detector"), detector.name],
    [word("model"), detector.model], [word("provider"), detector.provider],
    [word("policy"), policy.id ? `${policy.id}@${policy.version}` : null], [word("rule"), policy.rule],
    [word("passedThrough"), Object.keys(violation.pass_through ?? {}).length ? JSON.stringify(violation.pass_through) : null],
  ].filter(([, value]) => value);
  return el("section", {}, el("h3", { text: word("facts") }),
    el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: String(value) })])));
}

/** The drawer; `changed()` is called after a review was accepted. */
export class Detail {
  constructor(changed) {
    this.changed = changed;
    this.dialog = byId("detail");
    this.violation = null;
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => (this.violation = null));
  }

  async open(violation) {
    this.show(violation);
    if (!this.dialog.open) this.dialog.showModal();
    await this.reload();
  }

  /** Fetch the whole violation; the feed may hold less of it. */
  async reload() {
    const id = this.violation?.violation_id;
    const whole = await api.violation(id).catch(() => null);
    if (whole && this.violation?.violation_id === id && JSON.stringify(whole) !== JSON.stringify(this.violation)) this.show(whole);
  }

  dress() {
    if (this.violation) this.show(this.violation);
  }

  show(violation) {
    this.violation = violation;
    const pictures = stills(violation);
    const clips = sounds(violation, pictures.length);
    const media = shown(violation, pictures, [...clips, ...strips(violation, pictures.length + clips.length)]);
    this.dialog.replaceChildren(
      el("header", {},
        el("div", { class: "line" }, decisionBadge(violation.decision), el("h2", { id: "detail-title", text: labelName(violation.label) }),
          violation.sublabel ? el("span", { class: "tag", text: violation.sublabel }) : null,
          el("span", { class: "figure", text: percent(violation.score) }), el("span", { class: "space" }), stateNote(violation),
          el("button", { type: "button", class: "ghost", text: "✕", "aria-label": word("close"), onclick: () => this.dialog.close() })),
        el("p", { class: "because", text: side(violation.reason) }),
        el("div", { class: "dim small" }, el("code", { text: violation.label }), ` · ${violation.violation_id}`)),
      this.reviewBar(violation),
      el("section", {}, el("h3", { text: word("evidence") }), ...(media.length ? media : [el("p", { class: "dim", text: word("noEvidence") })]),
        ...(violation.evidence?.notes ?? []).map((note) => el("p", { class: "dim", text: note }))),
      ...[timing(violation), facts(violation)].filter(Boolean),
      el("details", {}, el("summary", { text: word("json") }), el("pre", { text: JSON.stringify(violation, null, 2) })));
  }

  reviewBar(violation) {
    const note = el("input", { type: "text", placeholder: word("note"), maxlength: "500", "aria-label": word("note") });
    const complaint = el("span", { class: "complaint", role: "alert" });
    const send = async (action) => {
      try {
        await api.review(violation.violation_id, note.value ? { action, note: note.value } : { action });
        await this.reload();
        this.changed();
      } catch (error) {
        complaint.textContent = error.message;
      }
    };
    const button = (action, look) => el("button", { type: "button", class: look, text: word(action), onclick: () => send(action) });
    const done = violation.review
      ? [el("span", { class: "tag done", text: word("reviewedAs", { action: word(`action_${violation.review.action}`) }) }),
        violation.review.note ? el("span", { text: violation.review.note }) : null, button("undo", "ghost")]
      : [button("confirm", "primary"), button("overturn", "ghost"), note];
    return el("div", { class: "row answer-bar" }, ...done, complaint);
  }
}
