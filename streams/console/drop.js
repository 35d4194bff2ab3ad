// Taking pictures in: the place to drop them on, and the name that a file suggests.

import { el } from "./dom.js";

/** A name for the API from a file's name. */
export const slug = (name) => name.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);

/** A place to drop files on, or to click and choose; `take(files)` gets them. */
export function dropZone(text, accept, take, look = "") {
  const input = el("input", { type: "file", accept, multiple: true });
  const drop = el("label", { class: `drop ${look}` }, input, el("span", { text }));
  input.addEventListener("change", () => take([...input.files]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") take([...event.dataTransfer.files]);
    });
  }
  return drop;
}

/** A file's picture while it is only here. */
export function unsent(file) {
  const url = URL.createObjectURL(file);
  return el("img", { alt: file.name, src: url, onload: () => URL.revokeObjectURL(url) });
}
