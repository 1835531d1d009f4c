// Markdown from strangers → elements. Only text nodes and a fixed set of elements are ever made, and no picture or
// page is loaded. Every scan is bounded, so that no text makes it slow.
import { el } from "./dom.js";

const MAX_DEPTH = 8;
const MAX_SPAN = 2000; // characters between an emphasis mark and its end, and of an address

/** Shows a text; blocks that are the same as before keep their elements, so that growing answers stay cheap. */
export function renderInto(container, text) {
  const next = blocks(text.split("\n"), 0);
  const before = container.blocks ?? [];
  let same = 0;
  while (same < before.length && same < next.length && before[same] === next[same].raw) same += 1;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const block of next.slice(same)) container.append(block.build());
  container.blocks = next.map((block) => block.raw);
}

/** The text without its marks, for one line. */
export function plain(text) {
  return text
    .replace(/^\s*(?:[-+>]|#{1,6}|\d+\.)\s/gm, "")
    .replace(/!?\[([^[\]\n]*)\]\([^()\s]*\)/g, "$1")
    .replace(/[`*_~|]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}>[ ]?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;
const DIVIDER = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

function blocks(lines, depth) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [end, build] = block(lines, at, depth);
    found.push({ raw: lines.slice(at, end).join("\n") + (end < lines.length ? "\n" : ""), build });
    at = end;
  }
  return found;
}

function block(lines, at, depth) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return fenced(lines, at, fence[1], fence[2].trim());
  const heading = HEADING.exec(line);
  if (heading) {
    const words = heading[2].replace(/[ \t]#+[ \t]*$/, "");
    // The page has its own first levels.
    return [at + 1, () => el(`h${Math.min(6, heading[1].length + 2)}`, {}, inline(words, 0))];
  }
  if (RULE.test(line)) return [at + 1, () => el("hr")];
  if (QUOTE.test(line) && depth < MAX_DEPTH) return quoted(lines, at, depth);
  if (ITEM.test(line) && depth < MAX_DEPTH) return list(lines, at, depth);
  if (isTable(lines, at)) return table(lines, at);
  return paragraph(lines, at);
}

function fenced(lines, at, mark, language) {
  let end = at + 1;
  while (end < lines.length && !closes(lines[end], mark)) end += 1;
  const code = lines.slice(at + 1, end).join("\n");
  const name = language.split(/\s/)[0].slice(0, 30);
  return [
    Math.min(end + 1, lines.length),
    () => el("pre", { tabIndex: 0, "aria-label": name ? `Code, ${name}` : "Code" }, el("code", {}, code)),
  ];
}

function closes(line, mark) {
  const trimmed = line.trim();
  return trimmed.length >= mark.length && trimmed === mark[0].repeat(trimmed.length);
}

function quoted(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [end, () => el("blockquote", {}, built(inner, depth + 1))];
}

function list(lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  const indent = first[1].length;
  const ordered = /\d/.test(first[2]);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const item = ITEM.exec(lines[end]);
    if (!item || Math.abs(item[1].length - indent) > 1 || /\d/.test(item[2]) !== ordered) break;
    const width = item[0].length;
    const inner = [lines[end].slice(width)];
    end += 1;
    while (end < lines.length && belongs(lines, end, indent)) {
      inner.push(dedented(lines[end], width));
      end += 1;
    }
    items.push(inner);
    if (end + 1 < lines.length && !lines[end].trim() && ITEM.test(lines[end + 1])) end += 1;
  }
  const start = ordered ? Math.min(parseInt(first[2], 10), 1e9) : undefined;
  const tag = ordered ? "ol" : "ul";
  return [end, () => el(tag, { start }, items.map((inner) => el("li", {}, tight(inner, depth + 1))))];
}

/** Whether a line goes on with the list's item: it is indented, or it goes on with the paragraph above. */
function belongs(lines, at, indent) {
  const line = lines[at];
  if (!line.trim()) {
    const next = lines[at + 1];
    return next !== undefined && Boolean(next.trim()) && lead(next) > indent + 1;
  }
  return lead(line) > indent + 1 || (Boolean(lines[at - 1].trim()) && !starts(line));
}

function lead(line) {
  return line.length - line.trimStart().length;
}

function dedented(line, width) {
  return line.slice(Math.min(width, lead(line)));
}

function built(lines, depth) {
  return blocks(lines, depth).map((each) => each.build());
}

/** A list item's blocks; a lone paragraph stands in it without a box of its own. */
function tight(lines, depth) {
  const nodes = built(lines, depth);
  if (nodes[0]?.tagName !== "P") return nodes;
  return [...nodes[0].childNodes, ...nodes.slice(1)];
}

function isTable(lines, at) {
  const next = lines[at + 1];
  return lines[at].includes("|") && next !== undefined && next.length < 1000 && next.includes("-") && next.includes("|") && DIVIDER.test(next);
}

function table(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) end += 1;
  const sides = cells(lines[at + 1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
  const row = (line, tag) =>
    el("tr", {}, cells(line).slice(0, Math.max(sides.length, 1)).map((cell, n) => el(tag, { class: sides[n] || undefined }, inline(cell, 0))));
  return [
    end,
    () =>
      el(
        "div",
        { class: "table", tabIndex: 0, role: "group", "aria-label": "Table" },
        el("table", {}, el("thead", {}, row(lines[at], "th")), el("tbody", {}, lines.slice(at + 2, end).map((line) => row(line, "td")))),
      ),
  ];
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  const found = [""];
  for (let at = 0; at < inner.length; at += 1) {
    if (inner[at] === "\\" && inner[at + 1] === "|") {
      found[found.length - 1] += "|";
      at += 1;
    } else if (inner[at] === "|") found.push("");
    else found[found.length - 1] += inner[at];
  }
  return found.map((cell) => cell.trim());
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !starts(lines[end]) && !isTable(lines, end)) end += 1;
  const words = lines.slice(at, end).map((line) => line.trim()).join("\n");
  return [end, () => el("p", {}, inline(words, 0))];
}

function starts(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
}

const ADDRESS = /https?:\/\/[^\s<>"`]{1,2000}/iy;
const PAIRS = [["***", "strong", "em"], ["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

/** Words within a line → nodes. */
export function inline(text, depth) {
  const nodes = [];
  let words = "";
  let at = 0;
  const flush = () => {
    if (words) nodes.push(document.createTextNode(words));
    words = "";
  };
  while (at < text.length) {
    const found = special(text, at, depth);
    if (found) {
      flush();
      nodes.push(...found.nodes);
      at = found.end;
    } else if (text[at] === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) {
      words += text[at + 1];
      at += 2;
    } else {
      words += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

function special(text, at, depth) {
  switch (text[at]) {
    case "\n":
      return { nodes: [el("br")], end: at + 1 };
    case "`":
      return code(text, at);
    case "*":
    case "_":
    case "~":
      return depth < MAX_DEPTH ? emphasis(text, at, depth) : null;
    case "!":
      return text[at + 1] === "[" ? link(text, at + 1, depth) : null;
    case "[":
      return link(text, at, depth);
    case "<":
      return bracketed(text, at);
    case "h":
    case "H":
      return bare(text, at);
    default:
      return null;
  }
}

function code(text, at) {
  let run = 1;
  while (text[at + run] === "`") run += 1;
  const mark = "`".repeat(run);
  const window = text.slice(at + run, at + run + MAX_SPAN);
  let end = window.indexOf(mark);
  while (end >= 0 && (window[end + run] === "`" || window[end - 1] === "`")) end = window.indexOf(mark, end + 1);
  if (end < 0) return { nodes: [document.createTextNode(mark)], end: at + run };
  let inner = window.slice(0, end).replaceAll("\n", " ");
  if (/^ .*[^ ].* $/.test(inner)) inner = inner.slice(1, -1);
  return { nodes: [el("code", {}, inner)], end: at + 2 * run + end };
}

function emphasis(text, at, depth) {
  for (const [mark, tag, inner] of PAIRS) {
    if (!text.startsWith(mark, at)) continue;
    const inside = at + mark.length;
    if (!/\S/.test(text[inside] ?? " ")) continue;
    // snake_case is one word.
    if (mark[0] === "_" && /[\p{L}\p{N}_]/u.test(text[at - 1] ?? "")) continue;
    const end = closing(text, inside, mark);
    if (end < 0) continue;
    const words = inline(text.slice(inside, end), depth + 1);
    return { nodes: [el(tag, {}, inner ? el(inner, {}, words) : words)], end: end + mark.length };
  }
  let run = 1;
  while (text[at + run] === text[at]) run += 1;
  return { nodes: [document.createTextNode(text.slice(at, at + run))], end: at + run };
}

function closing(text, from, mark) {
  const limit = Math.min(text.length, from + MAX_SPAN);
  for (let end = from + 1; end < limit; end += 1) {
    if (text[end] === "\\") {
      end += 1;
      continue;
    }
    if (text[end] !== mark[0] || !text.startsWith(mark, end) || /\s/.test(text[end - 1])) continue;
    if (mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark)) {
      end += 1;
      continue;
    }
    if (mark[0] === "_" && /[\p{L}\p{N}]/u.test(text[end + mark.length] ?? "")) continue;
    return end;
  }
  return -1;
}

/** `[words](address)`; also `![words](address)`, which is shown as a link and never loaded. */
function link(text, at, depth) {
  const middle = text.slice(at, at + MAX_SPAN).indexOf("](");
  if (middle < 1 || text.slice(at + 1, at + middle).includes("\n\n")) return null;
  let end = at + middle + 2;
  let open = 0;
  const limit = Math.min(text.length, end + MAX_SPAN);
  while (end < limit && !(text[end] === ")" && open === 0)) {
    if (text[end] === "\n") return null;
    if (text[end] === "(") open += 1;
    if (text[end] === ")") open -= 1;
    end += 1;
  }
  if (text[end] !== ")") return null;
  const target = text.slice(at + middle + 2, end).trim().split(/\s/)[0].replace(/^<|>$/g, "");
  const words = text.slice(at + 1, at + middle);
  const address = safe(target);
  const shown = depth < MAX_DEPTH ? inline(words.replace(/https?:/gi, (scheme) => scheme.slice(0, -1) + "\\:"), MAX_DEPTH) : [words];
  if (!address) return { nodes: [...shown, document.createTextNode(target ? ` (${target})` : "")], end: end + 1 };
  return { nodes: anchored(shown, address), end: end + 1 };
}

function bracketed(text, at) {
  const end = text.slice(at, at + MAX_SPAN).indexOf(">");
  const address = end > 0 ? safe(text.slice(at + 1, at + end)) : null;
  return address ? { nodes: [anchor([address.href], address)], end: at + end + 1 } : null;
}

function bare(text, at) {
  if (/[\p{L}\p{N}]/u.test(text[at - 1] ?? "")) return null;
  ADDRESS.lastIndex = at;
  const found = ADDRESS.exec(text)?.[0].replace(/[.,;:!?'*_~)\]}]+$/, "");
  const address = found ? safe(found) : null;
  return address ? { nodes: [anchor([found], address)], end: at + found.length } : null;
}

function safe(target) {
  try {
    const address = new URL(target);
    return address.protocol === "http:" || address.protocol === "https:" ? address : null;
  } catch {
    return null;
  }
}

/** The words and the address, so that nobody is led elsewhere than they read. */
function anchored(shown, address) {
  const brief = address.href.length > 80 ? `${address.href.slice(0, 79)}…` : address.href;
  return [anchor(shown, address), el("span", { class: "address" }, ` (${brief})`)];
}

function anchor(shown, address) {
  return el("a", { href: address.href, target: "_blank", rel: "noopener noreferrer nofollow" }, shown);
}
