// The feed of violations, newest first, with its filters.

import * as api from "./api.js";
import { KeyedList, boxed, byId, clock, el, percent } from "./dom.js";
import { labelCodes, labelName, language, side, word } from "./words.js";

const PAGE = 50;
const MAX_OLDER = 500;

export const decisionBadge = (decision) => el("span", { class: `decision ${decision}`, text: word(decision) });

export function stateNote(violation) {
  const name = { open: "stateOpen", closed: "stateClosed", retracted: "stateRetracted" }[violation.state] ?? "stateClosed";
  return el("span", { class: `life ${violation.state}`, text: word(name) });
}

export const modelLine = (violation) => {
  const detector = violation.detector ?? {};
  const policy = violation.policy ?? {};
  return `${detector.model ?? detector.name ?? ""} · ${policy.id ?? ""}@${policy.version ?? ""} ${policy.rule ?? ""}`;
};

function thumbnail(violation, sight) {
  const still = violation.evidence?.frames?.[0];
  if (!still) return el("div", { class: "thumb blank", text: violation.modality === "audio" ? "♪" : "文" });
  const image = el("img", { alt: "", width: "160", height: "90" });
  const holder = el("div", { class: "thumb" }, boxed(image, still.boxes, { names: false }));
  sight.when(holder, () => api.evidence(violation.violation_id, still.n ?? 0).then((url) => (image.src = url), () => holder.classList.add("lost")));
  return holder;
}

/** Calls once for each element that comes into view, so that only evidence somebody sees is fetched. */
class Sight {
  constructor() {
    this.calls = new WeakMap();
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        this.observer.unobserve(entry.target);
        this.calls.get(entry.target)?.();
      }
    }, { rootMargin: "300px" });
  }

  when(node, call) {
    this.calls.set(node, call);
    this.observer.observe(node);
  }
}

function card(violation, open, sight, fresh) {
  const choose = () => open(violation);
  return el("li", {
    class: `card sev${violation.severity} ${violation.state} ${fresh ? "fresh" : ""}`, tabindex: "0",
    onclick: choose, onkeydown: (event) => event.key === "Enter" && choose(),
  },
    thumbnail(violation, sight),
    el("div", { class: "what" },
      el("div", { class: "line" }, decisionBadge(violation.decision), el("b", { text: labelName(violation.label) }),
        violation.sublabel ? el("span", { class: "tag", text: violation.sublabel }) : null,
        el("span", { class: "figure", text: percent(violation.score) }), el("span", { class: "space" }), stateNote(violation)),
      el("p", { text: side(violation.reason) }),
      el("div", { class: "line dim small" },
        el("span", { text: clock(violation.opened_at ?? violation.temporal?.captured_at, language()) }),
        el("b", { class: "figure", text: violation.room_id }), el("code", { text: violation.label }),
        violation.review ? el("span", { class: "tag done", text: word("reviewedAs", { action: word(`action_${violation.review.action}`) }) }) : null,
        el("span", { class: "clip", text: modelLine(violation) }))));
}

/** The panel; `open(violation)` is called when one is chosen. */
export class Violations {
  constructor(open, changed) {
    this.open = open;
    this.changed = changed;
    this.list = new KeyedList(byId("feed"));
    this.sight = new Sight();
    this.seen = null;
    this.room = null;
    this.clear();
    for (const id of ["feed-label", "feed-decision", "feed-state"]) byId(id).addEventListener("change", () => this.refilter());
    byId("feed-room").addEventListener("click", () => this.ofRoom(null));
    byId("feed-more").addEventListener("click", () => this.more());
  }

  clear() {
    this.first = null;
    this.older = [];
    this.cursor = null;
    this.seen = null;
  }

  refilter() {
    this.clear();
    this.changed();
  }

  ofRoom(room_id) {
    this.room = this.room === room_id ? null : room_id;
    this.dressRoom();
    this.refilter();
  }

  dressRoom() {
    const chip = byId("feed-room");
    chip.hidden = this.room === null;
    chip.textContent = word("filterRoom", { room: this.room ?? "" });
  }

  dress() {
    const select = byId("feed-label");
    const chosen = select.value;
    const codes = new Set([...labelCodes(), ...[...(this.first ?? []), ...this.older].map((violation) => violation.label)]);
    select.replaceChildren(el("option", { value: "", text: word("anyLabel") }),
      ...[...codes].sort().map((code) => el("option", { value: code, text: labelName(code) === code ? code : `${labelName(code)} · ${code}` })));
    select.value = chosen;
    this.dressRoom();
    this.draw();
  }

  get query() {
    const wanted = { room_id: this.room, label: byId("feed-label").value, decision: byId("feed-decision").value, state: byId("feed-state").value };
    return Object.fromEntries([...Object.entries(wanted).filter(([, value]) => value), ["limit", String(PAGE)]]);
  }

  /** Fetch the newest page; what was asked before the filter changed is dropped. */
  async refresh() {
    const query = this.query;
    const page = await api.violations(query);
    if (JSON.stringify(query) !== JSON.stringify(this.query)) return;
    const newest = new Set(page.violations.map((violation) => violation.violation_id));
    // What the newest page pushed out goes to the top of the older ones, so that nothing between two pages is lost.
    if (this.older.length) this.older = [...(this.first ?? []), ...this.older].filter((violation) => !newest.has(violation.violation_id)).slice(0, MAX_OLDER);
    else this.cursor = page.next;
    this.first = page.violations;
    this.draw();
  }

  async more() {
    if (!this.cursor) return;
    const page = await api.violations({ ...this.query, cursor: this.cursor });
    this.older = [...this.older, ...page.violations];
    this.cursor = this.older.length < MAX_OLDER ? page.next : null;
    this.draw();
  }

  draw() {
    if (!this.first) return;
    const known = new Set();
    const all = [...this.first, ...this.older].filter(({ violation_id: id }) => !known.has(id) && known.add(id));
    const before = this.seen;
    this.list.show(all.map((violation) => ({
      key: violation.violation_id,
      stamp: `${language()}${labelName(violation.label)}${JSON.stringify(violation)}`,
      build: () => card(violation, this.open, this.sight, before !== null && !before.has(violation.violation_id)),
    })));
    this.seen = known;
    byId("feed-count").textContent = this.cursor ? `${all.length}+` : String(all.length);
    byId("feed-more").hidden = !this.cursor;
    const empty = byId("feed-empty");
    const filtered = Object.keys(this.query).length > 1;
    empty.hidden = all.length > 0;
    empty.textContent = word(filtered ? "noViolationFound" : "noViolations");
  }
}
