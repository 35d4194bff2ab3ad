// Building blocks of the page. Text only ever enters as text: nothing here parses HTML, so a room's title cannot become markup.

/** Make an element: properties (class, text, title, on*, attributes) and children; null children are left out. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Show rows for a keyed list: rows are kept, moved and dropped, and built again only when their content changed. */
export class KeyedList {
  constructor(parent) {
    this.parent = parent;
    this.rows = new Map();
  }

  /** `entries`: [{key, stamp, build(): Element}] in the order in which they are to stand. */
  show(entries) {
    const keep = new Set(entries.map((entry) => entry.key));
    for (const [key, row] of this.rows) {
      if (keep.has(key)) continue;
      row.node.remove();
      this.rows.delete(key);
    }
    let place = this.parent.firstElementChild;
    for (const entry of entries) {
      let row = this.rows.get(entry.key);
      if (!row) {
        row = { node: entry.build(), stamp: entry.stamp };
        this.rows.set(entry.key, row);
      } else if (row.stamp !== entry.stamp) {
        const node = entry.build();
        const focused = row.node === document.activeElement;
        if (row.node === place) place = node;
        row.node.replaceWith(node);
        if (focused) node.focus();
        row.node = node;
        row.stamp = entry.stamp;
      }
      if (row.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.node, place);
    }
  }

  /** Build every row again at the next show, e.g. in another language. */
  forget() {
    for (const row of this.rows.values()) row.stamp = null;
  }
}

/** A picture with boxes drawn over it; boxes are fractions of the picture: {x, y, w, h, score, name}. */
export function boxed(image, boxes, { names = true } = {}) {
  const frame = el("span", { class: "boxed" }, image);
  for (const box of boxes ?? []) {
    const caption = names ? [box.name, box.score === undefined ? "" : percent(box.score)].filter(Boolean).join(" ") : "";
    const upright = box.y >= 0.08 ? "" : box.y + box.h > 0.95 ? "within" : "below";
    const mark = el("span", { class: "box" }, caption ? el("i", { text: caption, class: `${upright} ${box.x > 0.6 ? "end" : ""}` }) : null);
    mark.style.left = `${box.x * 100}%`;
    mark.style.top = `${box.y * 100}%`;
    mark.style.width = `${box.w * 100}%`;
    mark.style.height = `${box.h * 100}%`;
    frame.append(mark);
  }
  return frame;
}

/** A text with half-open code-point ranges marked; ranges may come unsorted and overlap. */
export function marked(text, spans) {
  const points = Array.from(text);
  const hit = new Uint8Array(points.length);
  for (const [start, end] of spans ?? []) hit.fill(1, start, end);
  const out = el("span", { class: "marked" });
  for (let i = 0; i < points.length; ) {
    let j = i;
    while (j < points.length && hit[j] === hit[i]) j += 1;
    const piece = points.slice(i, j).join("");
    out.append(hit[i] ? el("mark", { text: piece }) : piece);
    i = j;
  }
  return out;
}

export const percent = (score) => `${(score * 100).toFixed(score >= 0.9995 || score < 0.1 ? 0 : 1)}%`;

/** Seconds as a person reads them: 0.8s, 12s, 3m05s, 2h10m. */
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 10) return `${value.toFixed(1)}s`;
  if (value < 100) return `${Math.round(value)}s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}

/** Time of day of an RFC 3339 moment, with the date where it is not today's. */
export function clock(moment, language) {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return "–";
  const time = at.toLocaleTimeString(language, { hour12: false });
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString(language)} ${time}`;
}
