// The table of rooms: what is watched, how often, and above all what is not.

import { KeyedList, byId, el, seconds } from "./dom.js";
import { coded, language, word } from "./words.js";

const MAX_SHOWN = 300;
const AMBER_S = 5;
const RED_S = 15;

/** How worrying a blind time is: "ok", "warn" or "bad". */
export const blindness = (blind_s) => (blind_s <= AMBER_S ? "ok" : blind_s <= RED_S ? "warn" : "bad");

const worst = (room) => Math.max(0, ...Object.values(room.blind_s ?? {}).filter((value) => value !== null));
const over = (room) => room.state === "ended";
const unwatched = (room) => !room.watching && !over(room);
const attention = (room) => [over(room) ? 0 : 1, room.open_violations > 0 ? 1 : 0, unwatched(room) ? 1 : 0, room.open_violations];

function byAttention(a, b) {
  const [left, right] = [attention(a), attention(b)];
  const at = left.findIndex((value, i) => value !== right[i]);
  return at < 0 ? a.room_id.localeCompare(b.room_id, undefined, { numeric: true }) : right[at] - left[at];
}

const byRoomId = (a, b) => a.room_id.localeCompare(b.room_id, undefined, { numeric: true });

function blindCell(value) {
  return el("td", { class: `number blind ${value === null || value === undefined ? "none" : blindness(value)}`, text: seconds(value) });
}

function detectorChip(name, look) {
  const ago = look.last_scored_s_ago;
  const late = ago === null || ago === undefined ? "none" : ago <= look.floor_s ? "ok" : ago <= 3 * look.floor_s ? "warn" : "bad";
  const title = word("looked", {
    name, n: look.n_scored, skipped: look.n_skipped, superseded: look.n_superseded,
    rate: (look.rate_hz ?? 0).toFixed(2), floor: seconds(look.floor_s),
  });
  return el("span", { class: `look ${late}`, title }, el("b", { text: name }), ` ${ago === null || ago === undefined ? word("neverLooked") : seconds(ago)}`);
}

function stateCell(room) {
  const reason = room.reason ?? room.blind_reason;
  const note = [reason && reason !== room.state ? coded("reason", reason) : "", ...(room.degraded ?? [])].filter(Boolean).join(" · ");
  return el("td", {},
    el("span", { class: `state ${room.watching ? "ok" : over(room) ? "none" : "bad"}`, text: coded("state", room.state) }),
    note ? el("small", { text: note }) : null);
}

function samplingCell(room) {
  const sampling = room.sampling ?? {};
  const picture = room.picture?.width ? `${room.picture.width}×${room.picture.height} ${room.picture.codec ?? ""}` : "";
  const rate = sampling.effective_fps === null || sampling.effective_fps === undefined ? "" : `${sampling.effective_fps.toFixed(2)}/s`;
  const plan = [`${sampling.mode ?? ""} ${sampling.interval_s ? `≤${seconds(sampling.interval_s)}` : ""}`, sampling.gop_s ? `GOP ${seconds(sampling.gop_s)}` : ""];
  return el("td", { class: "plan", title: picture },
    el("span", { class: "tag", text: word(room.mode === "push" ? "push" : "pull") }), el("b", { class: "figure", text: rate }),
    el("small", { text: plan.filter((part) => part.trim()).join(" · ") }));
}

function row(room, pick, picked) {
  const choose = () => pick(room.room_id);
  return el("tr", {
    class: `${unwatched(room) ? "unwatched" : ""} ${picked ? "picked" : ""}`, tabindex: "0", title: word("onlyThisRoom"),
    onclick: choose, onkeydown: (event) => event.key === "Enter" && choose(),
  },
    el("td", { class: "who" }, el("b", { text: room.room_id }), el("small", { text: room.title ?? "", title: room.source ?? "" })),
    stateCell(room), samplingCell(room), blindCell(room.blind_s?.image), blindCell(room.blind_s?.audio),
    el("td", { class: "looks" }, ...Object.entries(room.detectors ?? {}).map(([name, look]) => detectorChip(name, look))),
    el("td", { class: "number" }, room.open_violations ? el("span", { class: "bubble", text: String(room.open_violations) }) : el("span", { class: "dim", text: "0" })));
}

/** The panel; `pick(room_id)` is called when a room is chosen. */
export class Rooms {
  constructor(pick) {
    this.pick = pick;
    this.picked = null;
    this.list = new KeyedList(byId("rooms"));
    this.latest = null;
    byId("rooms-find").addEventListener("input", () => this.draw());
    byId("rooms-sort").addEventListener("change", () => this.draw());
  }

  show(rooms) {
    this.latest = rooms;
    this.draw();
  }

  draw() {
    if (!this.latest) return;
    const wanted = byId("rooms-find").value.trim().toLowerCase();
    const matches = this.latest.filter((room) => !wanted || `${room.room_id} ${room.title ?? ""} ${room.biz ?? ""} ${room.state}`.toLowerCase().includes(wanted));
    matches.sort(byId("rooms-sort").value === "id" ? byRoomId : byAttention);
    const shown = matches.slice(0, MAX_SHOWN);
    this.list.show(shown.map((room) => ({
      key: room.room_id,
      stamp: `${language()}${room.room_id === this.picked}${JSON.stringify(room)}`,
      build: () => row(room, this.pick, room.room_id === this.picked),
    })));
    byId("rooms-count").textContent = matches.length === this.latest.length ? String(matches.length) : `${matches.length}/${this.latest.length}`;
    const rest = matches.length - shown.length;
    const empty = byId("rooms-empty");
    empty.hidden = matches.length > 0 && rest === 0;
    empty.textContent = rest ? word("moreRooms", { n: rest }) : word(this.latest.length ? "noRoomFound" : "noRooms");
  }

  /** The longest blind time of all rooms that should be watched, seconds. */
  get worstBlind() {
    return Math.max(0, ...(this.latest ?? []).filter((room) => !over(room)).map(worst));
  }
}
