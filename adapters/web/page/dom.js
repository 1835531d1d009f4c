// Elements without markup: text is only ever text.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.startsWith("aria") && name !== "role") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  picture: ["M5 4.5h14a1.5 1.5 0 0 1 1.5 1.5v12a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 18V6A1.5 1.5 0 0 1 5 4.5Z", "m4 17 5-5 3.5 3.5 2.5-2.5 5 5", "M15.5 9h.01"],
  send: ["M4.5 12h13", "m12 6 6 6-6 6"],
  close: ["m6 6 12 12", "M18 6 6 18"],
  back: ["m14 6-6 6 6 6"],
  reply: ["M4 6.5A1.5 1.5 0 0 1 5.5 5h13A1.5 1.5 0 0 1 20 6.5v8a1.5 1.5 0 0 1-1.5 1.5H11l-4.5 3.5V16h-1A1.5 1.5 0 0 1 4 14.5Z"],
  edit: ["m5 19 .8-3.7L16 5.1a1.7 1.7 0 0 1 2.4 0l.5.5a1.7 1.7 0 0 1 0 2.4L8.7 18.2Z"],
  bin: ["M5 7h14", "M9.5 7V5h5v2", "m6.8 7 .9 12h8.6l.9-12"],
  stop: ["M8.5 7h7A1.5 1.5 0 0 1 17 8.5v7a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 7 15.5v-7A1.5 1.5 0 0 1 8.5 7Z"],
  again: ["M19 12a7 7 0 1 1-2.2-5.1", "M19 4v4h-4"],
  sun: ["M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z", "M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1"],
  moon: ["M19.5 14A8 8 0 0 1 10 4.5a8 8 0 1 0 9.5 9.5Z"],
  file: ["M7 3.5h7l4 4V19a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 6 19V5a1.5 1.5 0 0 1 1-1.5Z", "M13.5 3.5V8H18"],
  warn: ["M12 4 3.5 19h17Z", "M12 10v4", "M12 16.5h.01"],
  lock: ["M7 11h10v8H7Z", "M9 11V8.5a3 3 0 0 1 6 0V11"],
  coin: ["M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z", "M14.5 9.5c-.4-1-1.3-1.5-2.5-1.5-1.4 0-2.5.7-2.5 1.9 0 2.7 5.2 1.3 5.2 4.1 0 1.3-1.2 2-2.7 2-1.4 0-2.4-.6-2.8-1.7", "M12 6.5V8M12 16v1.5"],
  at: ["M15.5 12a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0Zm0 0v1.2a2.3 2.3 0 0 0 4.5 0V12a8 8 0 1 0-3.2 6.4"],
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const shape of SHAPES[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}

export function iconButton(name, label, onclick, extra = "") {
  return el("button", { type: "button", class: `icon-button ${extra}`, "aria-label": label, title: label, onclick }, icon(name));
}

export function bytes(count) {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  return count >= 1e3 ? `${Math.round(count / 1e3)} kB` : `${count} bytes`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function clock(seconds) {
  const moment = new Date(seconds * 1000);
  return el("time", { dateTime: moment.toISOString(), title: WHOLE.format(moment) }, CLOCK.format(moment));
}

export function day(seconds) {
  const moment = new Date(seconds * 1000);
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (moment.toDateString() === today.toDateString()) return "Today";
  if (moment.toDateString() === yesterday.toDateString()) return "Yesterday";
  return DAY.format(moment);
}

export function toast(text) {
  const note = el("p", { class: "toast" }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 7000);
}

/** What was typed and not sent, kept for this tab under a name; nothing where storage is switched off. */
export const drafts = {
  read: (name) => stored((all) => all.getItem(name)) ?? "",
  write: (name, text) => stored((all) => (text ? all.setItem(name, text) : all.removeItem(name))),
};

function stored(work) {
  try {
    return work(sessionStorage);
  } catch {
    return null;
  }
}
