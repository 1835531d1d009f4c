// How posts, replies and cards look. A view has an element and an `update` that changes only what is new.
import { api, source } from "./api.js";
import { confirm, enlarge } from "./dialogs.js";
import { bytes, clock, day, el, icon, iconButton, toast } from "./dom.js";
import { plain, renderInto } from "./markdown.js";

const MENTION = /(?<![\w@.])@threadsight\b/gi;

export function dayView(post) {
  const words = el("span", {}, day(post.sent_at));
  const node = el("li", { class: "day" }, words);
  return { el: node, update: (now) => (words.textContent = day(now.sent_at)) };
}

/** A person's post. `place` is "channel" or "thread"; `actions` are what people can do from here. */
export function postView(place, actions) {
  const meta = el("div", { class: "meta" });
  const text = el("div", { class: "text" });
  const pictures = el("div", { class: "pictures" });
  const chip = el("button", { type: "button", class: "chip", hidden: true });
  const tools = el("div", { class: "tools", role: "group", "aria-label": "Message actions" });
  const body = el("div", { class: "body" }, meta, text, pictures, chip);
  const node = el("li", { class: "post" }, el("div", { class: "avatar you", "aria-hidden": "true" }, "Y"), body, tools);
  let shown = null;
  let editor = null;

  chip.addEventListener("click", () => actions.open(shown.id, chip));

  const edit = () => {
    if (editor) return editor.focus();
    editor = editorView(shown, async (words) => {
      await actions.edit(shown, words);
      stop();
    }, () => stop());
    text.hidden = true;
    text.after(editor.el);
    editor.focus();
  };
  const stop = () => {
    editor?.el.remove();
    editor = null;
    text.hidden = false;
    node.querySelector(".tool-edit")?.focus();
  };
  const remove = async () => {
    const byKeyboard = tools.querySelector(":focus-visible") !== null;
    const also = shown.files.length ? "its pictures and the answer to it" : "the answer to it";
    const sure = await confirm("Delete this message?", `It goes for good, with ${also}.`, "Delete");
    if (!sure) return;
    const near = byKeyboard ? neighbour(node) : null;
    try {
      await api.remove(shown.id);
      // Whoever has no mouse would begin anew at the top of the page.
      near?.querySelector(".tools button")?.focus();
    } catch (error) {
      toast(error.message);
    }
  };

  const update = (post, thread) => {
    node.dataset.id = post.id;
    if (shown !== post) {
      if (editor && shown && post.revision !== shown.revision) editor.warn(post.deleted);
      if (editor && post.deleted) stop();
      const files = JSON.stringify(post.files);
      meta.replaceChildren(el("b", {}, "You"), clock(post.sent_at), post.edited_at && !post.deleted ? el("span", { class: "edited" }, "edited") : "");
      words(text, post);
      if (!shown || JSON.stringify(shown.files) !== files) pictures.replaceChildren(...post.files.map((file) => fileView(file, place)));
      if (!shown || shown.deleted !== post.deleted) {
        tools.replaceChildren(
          ...[
            place === "channel" && iconButton("reply", "Reply in thread", () => actions.open(post.id, tools.firstChild), "tool"),
            !post.deleted && iconButton("edit", "Edit message", edit, "tool tool-edit"),
            !post.deleted && iconButton("bin", "Delete message", remove, "tool"),
          ].filter(Boolean),
        );
      }
      node.classList.toggle("deleted", post.deleted);
      shown = post;
    }
    if (place === "channel") chipped(chip, thread);
  };
  return { el: node, update, editing: () => editor !== null };
}

/** The post that stands nearest to this one, where somebody goes on after deleting it. */
function neighbour(node) {
  const others = [...node.parentElement.querySelectorAll(":scope > .post:has(.tools button)")];
  const at = others.indexOf(node);
  return others[at + 1] ?? others[at - 1];
}

function words(container, post) {
  if (post.deleted) return container.replaceChildren("This message was deleted.");
  const nodes = [];
  let at = 0;
  for (const found of post.text.matchAll(MENTION)) {
    nodes.push(post.text.slice(at, found.index), el("span", { class: "mention" }, found[0]));
    at = found.index + found[0].length;
  }
  container.replaceChildren(...nodes, post.text.slice(at));
}

/** What became of a thread, under its first post in the channel. */
function chipped(chip, thread) {
  const { posts, replies } = thread;
  const count = posts.length - 1 + replies.length;
  chip.hidden = count === 0;
  if (!count) return;
  const last = replies.at(-1);
  const busy = replies.some((reply) => reply.state !== "done");
  const said = last && plain(last.text.slice(0, 400));
  const key = JSON.stringify([count, busy, said]);
  if (chip.dataset.key === key) return;
  chip.dataset.key = key;
  chip.replaceChildren(
    last ? botFace("tiny") : icon("reply"),
    el("span", { class: "count" }, `${count} ${count === 1 ? "reply" : "replies"}`),
    el("span", { class: "snippet" }, busy ? "answering …" : (said ?? "")),
    el("span", { class: "go", "aria-hidden": "true" }, "Open thread"),
  );
  chip.setAttribute("aria-label", `Open thread: ${count} ${count === 1 ? "reply" : "replies"}`);
}

function botFace(size = "") {
  return el("img", { class: `avatar bot ${size}`, src: "icon.svg", alt: "" });
}

const LARGEST = { channel: [340, 230], thread: [300, 170] }; // pixels of a thumbnail

function fileView(file, place) {
  if (!file.type) return plainFile(file);
  const [width, height] = LARGEST[place];
  const scale = file.width ? Math.min(1, width / file.width, height / file.height) : 1;
  const picture = el("img", { src: source(file), alt: file.name, decoding: "async" });
  if (file.width) {
    picture.width = Math.max(1, Math.round(file.width * scale));
    picture.height = Math.max(1, Math.round(file.height * scale));
  }
  const button = el("button", { type: "button", class: "picture", title: file.name, "aria-label": `Enlarge ${file.name}`, onclick: () => enlarge(source(file), file, button) }, picture);
  picture.addEventListener("error", () => button.replaceWith(plainFile(file)));
  return button;
}

function plainFile(file) {
  return el("div", { class: "file", title: file.name }, icon("file"), el("span", { class: "name" }, file.name), el("span", { class: "size" }, bytes(file.size)));
}

function editorView(post, save, cancel) {
  const field = el("textarea", { rows: 2, value: post.text, "aria-label": "Edit message" });
  const note = el("p", { class: "error", role: "alert", hidden: true });
  const saving = async () => {
    try {
      await save(field.value);
    } catch (error) {
      tell(error.message);
    }
  };
  const tell = (text) => {
    note.textContent = text;
    note.hidden = false;
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      cancel();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      saving();
    }
  });
  field.addEventListener("input", () => grow(field));
  const node = el(
    "div",
    { class: "editor" },
    field,
    note,
    el("div", { class: "row" }, el("button", { type: "button", class: "button primary", onclick: saving }, "Save"), el("button", { type: "button", class: "button", onclick: cancel }, "Cancel"), el("span", { class: "hint" }, "Enter saves, Escape cancels")),
  );
  return {
    el: node,
    warn: () => tell("This message was edited in another tab meanwhile; saving replaces that."),
    focus: () => {
      grow(field);
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    },
  };
}

export function grow(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight + 2, window.innerHeight * 0.4)}px`;
}

/** The bot's reply to a post. */
export function replyView(actions) {
  const meta = el("div", { class: "meta" });
  const sign = el("div", { class: "sign" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), el("span", {}, "Looking at the pictures …"));
  const text = el("div", { class: "markdown", "aria-live": "polite" });
  const receipts = el("ul", { class: "receipts", "aria-label": "What became of the pictures" });
  const footer = el("div", { class: "cost", "aria-label": "What this answer cost" });
  const buttons = el("div", { class: "row" });
  const node = el("li", { class: "post reply" }, botFace(), el("div", { class: "body" }, meta, text, sign, receipts, footer, buttons));
  let shown = null;

  const update = (reply) => {
    if (shown === reply) return;
    const writing = reply.state === "writing";
    text.setAttribute("aria-busy", String(writing));
    if (!shown || shown.began_at !== reply.began_at || shown.failed !== reply.failed) {
      meta.replaceChildren(el("b", {}, "Threadsight"), el("span", { class: "badge" }, "bot"), clock(reply.began_at));
    }
    if (!shown || shown.text !== reply.text) renderInto(text, reply.text);
    sign.hidden = reply.state === "done" || (writing && reply.text !== "");
    sign.lastChild.textContent = writing ? "Looking at the pictures …" : "Paused; it goes on by itself …";
    node.dataset.state = reply.state;
    node.dataset.question = reply.question;
    node.classList.toggle("failed", reply.failed);
    receipts.hidden = !reply.receipts.length;
    receipts.replaceChildren(...reply.receipts.map((line) => el("li", {}, icon(line.includes("not seen") ? "warn" : "picture"), el("span", {}, line))));
    footer.hidden = !reply.footer.length;
    footer.replaceChildren(...reply.footer.map((line) => el("div", {}, line)));
    const pressable = reply.state === "done" ? reply.buttons : reply.stop ? [{ label: "Stop", token: reply.stop, style: "" }] : [];
    const key = JSON.stringify(pressable);
    if (buttons.dataset.key !== key) {
      buttons.dataset.key = key;
      buttons.replaceChildren(...pressable.map((each) => pressView(each, actions)));
    }
    shown = reply;
  };
  return { el: node, update };
}

/** A picture that the bot drew; it stays as long as its card. */
function drawingView({ name, alt, data }) {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  const picture = el("img", { src: address, alt, decoding: "async" });
  const button = el("button", { type: "button", class: "drawing", "aria-label": `Enlarge: ${alt}`, onclick: () => enlarge(address, { name }, button) }, picture);
  return button;
}

const ICONS = { Stop: "stop", "Try again": "again" };

function pressView(button, actions) {
  const node = el("button", { type: "button", class: `button ${button.style}` }, ICONS[button.label] ? icon(ICONS[button.label]) : null, el("span", {}, button.label));
  node.addEventListener("click", async () => {
    node.disabled = true;
    try {
      const came = await api.press(button.token);
      if (came.post) return actions.asked(came.post);
      if (came.text || came.title) actions.card(came, node);
      // What it stood for is on its way; the button may be needed again if nothing comes of it.
      setTimeout(() => (node.disabled = false), 3000);
    } catch (error) {
      node.disabled = false;
      toast(error.message);
    }
  });
  return node;
}

/** The private answer to a command; `actions` are what its buttons bring and what dismisses it. */
export function cardView(card, actions) {
  const text = el("div", { class: "markdown" });
  renderInto(text, card.text);
  const node = el(
    "section",
    { class: "card", tabIndex: -1, "aria-label": card.title || "Answer" },
    el("header", {}, el("span", { class: "private" }, icon("lock"), "Only you can see this"), iconButton("close", "Dismiss", () => actions.dismiss())),
    card.title ? el("h3", {}, card.title) : null,
    text,
    card.buttons?.length ? el("div", { class: "row" }, card.buttons.map((each) => pressView(each, actions))) : null,
    card.drawing ? drawingView(card.drawing) : null,
  );
  return { el: el("li", { class: "aside" }, node), update: () => {} };
}
