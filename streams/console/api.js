// Talks to the HTTP API beside which this page is served. Owns the API key, which lives in the tab's session storage and nowhere else.

const KEY = "livewarden-key";
const TIMEOUT_MS = 8000;

/** An answer that is not 2xx, with what the API said about it (RFC 9457). */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
  }
}

export function useKey(key) {
  sessionStorage.setItem(KEY, key);
}

async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  const key = sessionStorage.getItem(KEY);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  const answer = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(options.timeout_ms ?? TIMEOUT_MS) });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, problem);
  }
  return answer;
}

const json = async (path, options) => (await send(path, options)).json();
const post = (path, body, options = {}) =>
  json(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, ...options });

export const status = () => json("v1/status");
export const rooms = () => json("v1/rooms");
export const violations = (query) => json(`v1/violations?${new URLSearchParams(query)}`);
export const violation = (id) => json(`v1/violations/${encodeURIComponent(id)}`);
export const review = (id, body) => post(`v1/violations/${encodeURIComponent(id)}/review`, body);
export const checkText = (text, scene) => post("v1/text/check", { text, scene });
export const checkImage = (file) =>
  json("v1/images/check", { method: "POST", body: file, headers: { "Content-Type": file.type || "image/jpeg" }, timeout_ms: 30000 });
export const checkAudio = (file) =>
  json("v1/audio/check", { method: "POST", body: file, headers: { "Content-Type": file.type || "audio/wav" }, timeout_ms: 30000 });

export const logos = () => json("v1/logos");
export const examineLogo = (name, files) => json(`v1/logos/${encodeURIComponent(name)}/examine`, { method: "POST", body: form(files), timeout_ms: 60000 });
export const enrolLogo = (name, files, query) =>
  json(`v1/logos/${encodeURIComponent(name)}?${query}`, { method: "PUT", body: form(files), timeout_ms: 60000 });
export const removeLogo = (name) => send(`v1/logos/${encodeURIComponent(name)}`, { method: "DELETE" });

export const logoPicture = (name, n) => picture(`v1/logos/${encodeURIComponent(name)}/pictures/${n}`);

export const titles = () => json("v1/gallery");
export const teachTitle = (name, shown, against, query) =>
  json(`v1/gallery/${encodeURIComponent(name)}?${query}`, { method: "POST", body: form(shown, against), timeout_ms: 120000 });
export const removeTitle = (name) => send(`v1/gallery/${encodeURIComponent(name)}`, { method: "DELETE" });
export const rollBackTitle = (name, version) => post(`v1/gallery/${encodeURIComponent(name)}/rollback?version=${version}`, {});

/** One of an entry's pictures, in memory; of a version that may not be in force any more, where one is named. */
export const titlePicture = (name, file, version = null) =>
  picture(`v1/gallery/${encodeURIComponent(name)}/pictures/${encodeURIComponent(file)}?${version === null ? "" : `version=${version}`}`);

function form(files, against = []) {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name);
  for (const file of against) body.append("not", file, file.name);
  return body;
}

/** Names of the labels in both languages: {code: {zh, en}}; served beside this page, needs no key. */
export const labels = () => json("console/labels.json");

// Evidence needs the key as well, and an <img> cannot send one: so it is fetched and shown from memory. The oldest go first.
const MAX_MEDIA = 120;
const media = new Map();

/** Address in memory of the n-th evidence file of a violation (frames first, then sound, then strips). */
export const evidence = (id, n) => picture(`v1/violations/${encodeURIComponent(id)}/evidence/${n}`);

/** Address in memory of a file behind the key. */
export function picture(path) {
  let held = media.get(path);
  if (!held) {
    held = send(path).then((answer) => answer.blob()).then((blob) => URL.createObjectURL(blob));
    held.catch(() => media.delete(path));
    media.set(path, held);
    if (media.size > MAX_MEDIA) {
      const [oldest, url] = media.entries().next().value;
      media.delete(oldest);
      url.then(URL.revokeObjectURL, () => {});
    }
  }
  return held;
}
