// What lies over the page for a moment: a picture in full, and a question before something is gone.
import { el, iconButton } from "./dom.js";

export function enlarge(address, file, opener) {
  const box = document.getElementById("lightbox");
  const size = file.width ? ` · ${file.width}×${file.height}` : "";
  box.replaceChildren(
    el("header", {}, el("span", {}, `${file.name}${size}`), iconButton("close", "Close", () => box.close())),
    el("img", { src: address, alt: file.name }),
  );
  box.onclick = (event) => event.target === box && box.close();
  box.onclose = () => {
    box.replaceChildren();
    opener?.focus();
  };
  box.showModal();
}

/** Asks; resolves to whether the answer was yes. */
export function confirm(title, text, yes) {
  const box = document.getElementById("confirm");
  return new Promise((resolve) => {
    let sure = false;
    const answer = (value) => () => {
      sure = value;
      box.close();
    };
    box.replaceChildren(
      el("h2", { id: "confirm-title" }, title),
      el("p", {}, text),
      el("div", { class: "row end" }, el("button", { type: "button", class: "button", onclick: answer(false) }, "Cancel"), el("button", { type: "button", class: "button danger", onclick: answer(true) }, yes)),
    );
    box.onclose = () => resolve(sure);
    box.showModal();
  });
}
