// The console page: asks the API every second and a half, shows what it says, and says so when it says nothing.

import * as api from "./api.js";
import { Detail } from "./detail.js";
import { byId, el, seconds } from "./dom.js";
import { Gallery } from "./gallery.js";
import { Logos } from "./logos.js";
import { Rooms, blindness } from "./rooms.js";
import { Tryout } from "./tryout.js";
import { Violations } from "./violations.js";
import { coded, dress, setLabels, switchLanguage, word } from "./words.js";

const EVERY_MS = 1500;
const HIDDEN_EVERY_MS = 15000;
const THEME = "livewarden-theme";

const page = {
  rooms: new Rooms((room_id) => pickRoom(room_id)),
  violations: new Violations((violation) => page.detail.open(violation), () => poll()),
  detail: new Detail(() => poll()),
  tryout: new Tryout(),
  logos: new Logos(),
  gallery: new Gallery(),
  status: null,
  heardAt: null,
  trouble: null,
};

function pickRoom(room_id) {
  page.violations.ofRoom(room_id);
  page.rooms.picked = page.violations.room;
  page.rooms.draw();
}

function total(name, value, look = "", title = "") {
  return el("div", { class: `total ${look}`, title }, el("b", { text: value }), el("span", { text: word(name) }));
}

function showTotals() {
  const status = page.status;
  if (!status) return;
  const { totals, kafka } = status;
  const pending = kafka.pending ?? 0;
  const waiting = kafka.oldest_unpublished_s;
  const brokerLook = { up: "ok", down: "bad", connecting: "warn" }[kafka.state] ?? "";
  const worst = page.rooms.worstBlind;
  byId("totals").replaceChildren(
    total("totalWatched", `${totals.watched}/${totals.rooms}`, totals.watched === totals.rooms ? "ok" : "warn"),
    total("totalBlind", totals.blind ? `${totals.blind} · ${seconds(worst)}` : "0", totals.blind ? (blindness(worst) === "bad" ? "bad" : "warn") : "ok"),
    total("totalOpen", String(totals.open_violations), totals.open_violations ? "bad" : ""),
    total("totalRate", totals.samples_per_s.toFixed(1)),
    total("totalOutbox", String(pending), kafka.state !== "off" && waiting > 10 ? "warn" : "", waiting ? word("oldest", { s: seconds(waiting) }) : ""),
    total("totalKafka", coded("kafka", kafka.state), brokerLook));
  byId("about").textContent = `${status.version} · ${status.device} · ${word("upFor", { s: seconds(status.uptime_s) })}`;
  const missing = Object.entries(status.missing ?? {});
  byId("missing").hidden = missing.length === 0;
  byId("missing").textContent = missing.length ? word("modelsMissing") + missing.map(([name, why]) => `${name} (${why})`).join("; ") : "";
}

function showTrouble() {
  const alarm = byId("alarm");
  alarm.hidden = page.trouble === null;
  document.body.classList.toggle("stale", page.trouble !== null);
  if (page.trouble !== null) alarm.textContent = word("unreachable", { why: page.trouble, time: page.heardAt?.toLocaleTimeString() ?? "–" });
}

function heard(error) {
  if (error?.status === 401) {
    if (!byId("login").open) byId("login").showModal();
    return;
  }
  if (error) {
    page.trouble = error.name === "TimeoutError" ? word("tooSlow") : error.message;
  } else {
    page.trouble = null;
    page.heardAt = new Date();
  }
  showTrouble();
}

let next = null;
let asking = false;
let again = false;

/** Ask everything once, then again after a pause; a call while it is asking makes it ask once more right after. */
async function poll() {
  again = asking;
  if (asking) return;
  asking = true;
  clearTimeout(next);
  try {
    const [status, rooms] = await Promise.all([api.status(), api.rooms(), page.violations.refresh()]);
    page.status = status;
    page.rooms.show(rooms.rooms);
    showTotals();
    heard(null);
  } catch (error) {
    heard(error);
  }
  asking = false;
  if (again) poll();
  else next = setTimeout(poll, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
}

function theme() {
  const kept = localStorage.getItem(THEME);
  return kept ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
}

function dressPage() {
  document.documentElement.dataset.theme = theme();
  dress(document);
  byId("language").textContent = word("language");
  byId("theme").textContent = word(theme() === "dark" ? "themeLight" : "themeDark");
  page.rooms.draw();
  page.violations.dress();
  page.detail.dress();
  page.tryout.redraw();
  page.logos.dress();
  page.gallery.dress();
  showTotals();
  showTrouble();
}

byId("language").addEventListener("click", () => {
  switchLanguage();
  dressPage();
});
byId("theme").addEventListener("click", () => {
  localStorage.setItem(THEME, theme() === "dark" ? "light" : "dark");
  dressPage();
});
byId("login-form").addEventListener("submit", () => {
  api.useKey(byId("login-key").value);
  byId("login-key").value = "";
  poll();
});
byId("feed-room").addEventListener("click", () => {
  page.rooms.picked = null;
  page.rooms.draw();
});
document.addEventListener("visibilitychange", () => !document.hidden && poll());

dressPage();
api.labels().then((names) => {
  setLabels(names);
  dressPage();
}, () => {}); // without the names the codes are shown
poll();
