// Where people write: words, pictures by chooser, paste and drop, and completion of mentions and commands.
import { api, upload } from "./api.js";
import { bytes, drafts, el, icon, iconButton } from "./dom.js";
import { grow } from "./views.js";

const COMMANDS = [
  { insert: "/estimate ", label: "/estimate", text: "what a question would cost, with the attached pictures or a size" },
  { insert: "/vision usage", label: "/vision usage", text: "what was spent, today and this month" },
  { insert: "/vision settings", label: "/vision settings", text: "model, detail, budgets and more: what holds here, and changing it" },
  { insert: "/vision help", label: "/vision help", text: "what can be asked, and what a model is weak at" },
];
const PEOPLE = [{ insert: "@threadsight ", label: "@threadsight", text: "answers questions about pictures" }];
const WHOLE = /^\/(?:estimate|vision)\s*$/i; // says enough without being completed
const MENTION = /(?<![\w@.])@threadsight\b/i;
const UPLOADS_AT_ONCE = 3;
const MAX_DRAFT = 100_000; // characters, as many as a message holds; written at each key, which stays fast

/** `draft` names what was typed and not sent, so that a reload keeps it. */
export function composer({ place, draft, label, placeholder, limits, submit }) {
  const field = el("textarea", {
    rows: 1,
    placeholder,
    "aria-label": label,
    "aria-autocomplete": "list",
    "aria-haspopup": "listbox",
    "aria-controls": `${place}-choices`,
    value: drafts.read(draft),
  });
  const chooser = el("input", { type: "file", multiple: true, accept: "image/*,.heic,.heif,.avif,.tif,.tiff,.pdf", hidden: true, "aria-label": "Choose pictures", tabIndex: -1 });
  const tray = el("div", { class: "tray", hidden: true, "aria-label": "Attached pictures", role: "group" });
  const complaint = el("p", { class: "error", role: "alert", hidden: true });
  const nudge = el("p", { class: "nudge", hidden: true });
  const choices = el("ul", { class: "choices", role: "listbox", id: `${place}-choices`, hidden: true, "aria-label": "Suggestions" });
  const sending = iconButton("send", "Send", () => send(), "send");
  const form = el(
    "form",
    { class: "composer", "aria-label": label },
    choices,
    nudge,
    complaint,
    el(
      "div",
      { class: "box" },
      tray,
      field,
      el(
        "div",
        { class: "row tools-row" },
        iconButton("picture", "Attach pictures", () => chooser.click()),
        iconButton("at", "Mention Threadsight", () => mention()),
        iconButton("coin", "Estimate the cost", () => command("/estimate ")),
        el("span", { class: "hint" }, "Enter sends, Shift+Enter starts a new line"),
        sending,
      ),
      chooser,
    ),
  );
  let files = [];
  let offered = [];
  let marked = 0;
  let key = null; // the same for each try of the same message, so that it is posted once
  let busy = false;

  const complain = (text) => {
    complaint.textContent = text;
    complaint.hidden = !text;
  };

  async function send() {
    const text = field.value;
    if (busy || (!text.trim() && !files.length)) return;
    if (text.length > limits().text) {
      return complain(`A message holds up to ${limits().text.toLocaleString("en")} characters; this one has ${text.length.toLocaleString("en")}.`);
    }
    sendingNow(true);
    complain("");
    try {
      const there = await Promise.all(files.map((file) => file.done));
      key ??= Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
      const isCommand = /^\/[a-z]+(\s|$)/i.test(text);
      await submit({ text, isCommand, key, files: there.map((file) => file.id) });
      field.value = "";
      // Pictures stay for the question that most often follows an estimate.
      if (!isCommand) clear();
      key = null;
      changed();
    } catch (error) {
      complain(error.message);
    } finally {
      sendingNow(false);
      // A question in the channel has opened its thread, and whoever asked goes on there.
      if (document.activeElement?.tagName !== "TEXTAREA") field.focus();
    }
  }

  /** What is being sent stays as it is: words typed meanwhile would go with it. */
  function sendingNow(yes) {
    busy = yes;
    field.readOnly = yes;
    form.classList.toggle("busy", yes);
  }

  function clear() {
    for (const file of files) URL.revokeObjectURL(file.preview);
    files = [];
    trayed();
  }

  function attach(given) {
    if (busy) return complain("The message before this is still being sent; attach it after that.");
    complain("");
    for (const file of given) {
      const { max_files: most, max_file_bytes: largest } = limits();
      if (files.length >= most) return complain(`A message takes up to ${most} files; the rest was left out.`);
      if (!file.size) complain(`“${file.name}” is empty or a folder; choose the pictures themselves.`);
      else if (file.size > largest) complain(`“${file.name}” is larger than ${Math.floor(largest / 1e6)} MB; make it smaller and attach it again.`);
      else add(file);
    }
    field.focus();
  }

  function add(file) {
    key = null;
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` });
    const entry = { name: file.name, preview: URL.createObjectURL(file), id: null };
    const picture = el("img", { src: entry.preview, alt: "" });
    picture.addEventListener("error", () => picture.replaceWith(icon("file")));
    entry.el = el("div", { class: "attached", title: `${file.name}, ${bytes(file.size)}` }, picture, el("span", { class: "name" }, file.name), bar, iconButton("close", `Remove ${file.name}`, () => take(entry)));
    let turn = Promise.resolve();
    const before = files.at(-UPLOADS_AT_ONCE);
    if (before) turn = before.done.catch(() => {});
    entry.done = turn.then(() => {
      if (!files.includes(entry)) throw new Error("");
      const sent = upload(file, (part) => (bar.value = part));
      entry.abort = sent.abort;
      return sent.done;
    });
    entry.done.then(
      (there) => {
        entry.id = there.id;
        bar.remove();
        entry.el.classList.add("there");
      },
      (error) => {
        take(entry);
        if (error.message) complain(error.message);
      },
    );
    files.push(entry);
    trayed();
  }

  function take(entry) {
    if (!files.includes(entry)) return;
    key = null;
    files = files.filter((each) => each !== entry);
    entry.abort?.();
    URL.revokeObjectURL(entry.preview);
    if (entry.id) api.drop(entry.id).catch(() => {});
    trayed();
    field.focus();
  }

  function trayed() {
    tray.replaceChildren(...files.map((entry) => entry.el));
    tray.hidden = !files.length;
    changed();
  }

  function mention() {
    if (busy) return;
    if (!MENTION.test(field.value)) insert(0, 0, "@threadsight ");
    field.focus();
  }

  function command(text) {
    if (busy) return;
    field.value = text + field.value.replace(/^\/\w+\s*/, "");
    field.focus();
    changed();
  }

  function insert(from, to, text) {
    field.setRangeText(text, from, to, "end");
    field.focus();
    changed();
  }

  /** After any change: size, what is offered, what is missing. */
  function changed() {
    grow(field);
    drafts.write(draft, field.value.slice(0, MAX_DRAFT));
    sending.classList.toggle("ready", Boolean(field.value.trim() || files.length));
    offer();
    const asks = files.length > 0 || field.value.includes("?");
    const unasked = place === "channel" && asks && !MENTION.test(field.value) && !field.value.startsWith("/");
    nudge.hidden = !unasked;
    if (unasked && !nudge.firstChild) {
      nudge.append("Nobody is asked yet. ", el("button", { type: "button", class: "link", onclick: mention }, "Mention @threadsight"), " to get an answer.");
    }
  }

  function offer() {
    const before = field.value.slice(0, field.selectionStart);
    const slash = /^\/\S*(?: \S*)?$/.exec(before);
    const at = /(?:^|\s)(@\w*)$/.exec(before);
    const typed = (slash?.[0] ?? at?.[1] ?? "").toLowerCase();
    const pool = slash ? COMMANDS : at ? PEOPLE : [];
    offered = pool.filter((each) => each.label.startsWith(typed) && each.label !== typed);
    marked = 0;
    offered.from = before.length - typed.length;
    listed();
  }

  function listed() {
    choices.hidden = !offered.length;
    choices.replaceChildren(
      ...offered.map((each, n) =>
        el(
          "li",
          {
            role: "option",
            id: `${place}-choice-${n}`,
            "aria-selected": String(n === marked),
            onmousedown: (event) => {
              event.preventDefault();
              choose(n);
            },
          },
          el("b", {}, each.label),
          el("span", {}, each.text),
        ),
      ),
    );
    if (offered.length) field.setAttribute("aria-activedescendant", `${place}-choice-${marked}`);
    else field.removeAttribute("aria-activedescendant");
  }

  function choose(n) {
    const { insert: text } = offered[n];
    insert(offered.from, field.selectionStart, text);
  }

  field.addEventListener("input", () => {
    key = null;
    changed();
  });
  field.addEventListener("blur", () => {
    offered = [];
    listed();
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (offered.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      marked = (marked + (event.key === "ArrowDown" ? 1 : offered.length - 1)) % offered.length;
      listed();
    } else if (offered.length && !event.shiftKey && (event.key === "Tab" || (event.key === "Enter" && !WHOLE.test(field.value)))) {
      event.preventDefault();
      choose(marked);
    } else if (offered.length && event.key === "Escape") {
      event.stopPropagation();
      offered = [];
      listed();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  });
  field.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (!pasted.length) return;
    event.preventDefault();
    attach(pasted.map(named));
  });
  chooser.addEventListener("change", () => {
    attach([...chooser.files]);
    chooser.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  requestAnimationFrame(changed);

  return {
    el: form,
    attach,
    empty: clear,
    complain,
    choose: () => chooser.click(),
    mention,
    say: (text) => {
      field.value = text;
      field.focus();
      changed();
    },
    focus: () => field.focus(),
    /** Whatever is hidden has no height to be measured. */
    shown: () => grow(field),
  };
}

/** Pasted pictures are all called image.png; the time tells them apart. */
function named(file) {
  if (file.name && file.name !== "image.png") return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
  return new File([file], `pasted-${time}.${(file.type.split("/")[1] ?? "png").replace("jpeg", "jpg")}`, { type: file.type });
}
