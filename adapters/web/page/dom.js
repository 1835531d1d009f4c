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
  picture: ["M5 4.500h14a1.500 1.500 0 0 1 1.500 1.500v12a1.500 1.500 0 0 1-1.500 1.500H5A1.500 1.500 0 0 1 3.500 18V6A1.500 1.500 0 0 1 5 4.500Z", "m4 17 5-5 3.500 3.500 2.500-2.500 5 5", "M15.500 9h.01"],
  send: ["M4.500 12h13", "m12 6 6 6-6 6"],
  close: ["m6 6 12 12", "M18 6 6 18"],
  back: ["m14 6-6 6 6 6"],
  reply: ["M4 6.500A1.500 1.500 0 0 1 5.500 5h13A1.500 1.500 0 0 1 20 6.500v8a1.500 1.500 0 0 1-1.500 1.500H11l-4.500 3.500V16h-1A1.500 1.500 0 0 1 4 14.500Z"],
  edit: ["m5 19 .8-3.700L16 5.100a1.700 1.700 0 0 1 2.400 0l.500.500a1.700 1.700 0 0 1 0 2.400L8.700 18.200Z"],
  bin: ["M5 7h14", "M9.500 7V5h5v2", "m6.800 7 .9 12h8.600l.9-12"],
  stop: ["M8 8h8v8H8Z", "M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17Z"],
  again: ["M19 12a7 7 0 1 1-2.200-5.100", "M19 4v4h-4"],
  sun: ["M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z", "M12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1.100 1.100M17.300 17.300l1.100 1.100M5.600 18.400l1.100-1.100M17.300 6.700l1.100-1.100"],
  moon: ["M19.500 14A8 8 0 0 1 10 4.500a8 8 0 1 0 9.500 9.500Z"],
  file: ["M7 3.500h7l4 4V19a1.500 1.500 0 0 1-1.500 1.500h-9A1.500 1.500 0 0 1 6 19V5a1.500 1.500 0 0 1 1-1.500Z", "M13.500 3.500V8H18"],
  warn: ["M12 4 3.500 19h17Z", "M12 10v4", "M12 16.500h.01"],
  lock: ["M7 11h10v8H7Z", "M9 11V8.500a3 3 0 0 1 6 0V11"],
  coin: ["M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z", "M14.500 9.500c-.4-1-1.300-1.500-2.500-1.500-1.400 0-2.500.7-2.500 1.900 0 2.700 5.200 1.300 5.200 4.100 0 1.300-1.200 2-2.700 2-1.400 0-2.400-.6-2.800-1.700", "M12 6.500V8M12 16v1.500"],
  at: ["M15.500 12a3.500 3.500 0 1 1-7 0 3.500 3.500 0 0 1 7 0Zm0 0v1.200a2.300 2.300 0 0 0 4.500 0V12a8 8 0 1 0-3.200 6.400"],
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
