// The page: what is known, what is shown of it, and what people do with it.
import { api, listen } from "./api.js";
import { composer } from "./composer.js";
import { drafts, el, icon, toast } from "./dom.js";
import { dropping } from "./dropping.js";
import { plain } from "./markdown.js";
import { switching } from "./scheme.js";
import { cardView, dayView, postView, replyView } from "./views.js";

const $ = (id) => document.getElementById(id);
const PAGES = 20; // of older threads, among which a thread that was open is looked for
const NEAR_PX = 80; // from its end, within which a list goes on following what comes

const known = { posts: new Map(), replies: new Map(), more: false, limits: { text: 100_000, max_files: 10, max_file_bytes: 5e7 } };
const views = { channel: new Map(), thread: new Map() };
let cards = []; // answers to commands, each with its `root` (null in the channel) and the number it comes `after`
let open = null; // the root of the thread that is shown
let opener = null; // what had the focus before
let begun = false;
let invited = false; // to ask about a second picture
let due = false;
let reaching = null; // the root of a thread that is looked for among the older ones
const mine = new Set(); // edits of this tab, as id:revision

// What is known

function heard(name, fact) {
  if (name === "picture") {
    known.posts.clear();
    known.replies.clear();
    take(fact);
    known.more = fact.more;
    known.limits = { text: fact.max_text, max_files: fact.max_files, max_file_bytes: fact.max_file_bytes };
    introduce(fact);
    worry(fact.trouble);
    if (!begun) {
      begun = true;
      followAddress();
    } else if (open) reach(open);
  } else if (name === "post") {
    const before = known.posts.get(fact.id);
    known.posts.set(fact.id, fact);
    if (before && !fact.deleted && fact.revision > before.revision) edited(fact);
  } else if (name === "gone") forget(fact.id);
  else if (name === "reply") known.replies.set(fact.question, fact);
  else if (name === "words") grown(fact);
  else if (name === "unsaid") known.replies.delete(fact.question);
  else if (name === "trouble") worry(fact.text);
  else if (name === "card") return showCard(fact.root, fact);
  else if (name === "reset") {
    cards = [];
    toast(fact.text);
  }
  show();
}

function take(fact) {
  for (const post of fact.posts) known.posts.set(post.id, post);
  for (const reply of fact.replies) known.replies.set(reply.question, reply);
}

function forget(id) {
  known.posts.delete(id);
  threads.delete(id);
  drafts.write(`draft-${id}`, "");
}

function grown({ question, at, text }) {
  const reply = known.replies.get(question);
  if (reply) known.replies.set(question, { ...reply, text: reply.text.slice(0, at) + text });
}

/** Another tab's edit is told; our own is not, though it may be heard of before it is answered. */
function edited(post) {
  setTimeout(() => {
    if (!mine.has(`${post.id}:${post.revision}`)) toast("A message was edited in another tab.");
  }, 700);
}

function inOrder() {
  return [...known.posts.values()].sort((a, b) => a.number - b.number);
}

function threadOf(root, posts) {
  const own = posts.filter((post) => post.root === root);
  return { posts: own, replies: own.map((post) => known.replies.get(post.id)).filter(Boolean) };
}

// What is shown

/** Shows what is new, at most once a frame. */
function show() {
  if (due) return;
  due = true;
  const draw = () => {
    due = false;
    const posts = inOrder();
    follow($("channel-scroll"), () => showChannel(posts));
    if (open && !known.posts.has(open) && open !== reaching) {
      closeThread();
      toast("This thread was deleted.");
    }
    if (open && known.posts.has(open)) follow($("thread-scroll"), () => showThread(posts));
  };
  // A hidden tab gets no frames.
  if (document.hidden) setTimeout(draw, 100);
  else requestAnimationFrame(draw);
}

function showChannel(posts) {
  const wanted = [];
  const aside = asides(null, wanted);
  let last = "";
  for (const post of posts) {
    if (post.id !== post.root) continue;
    aside(post.number);
    const date = new Date(post.sent_at * 1000).toDateString();
    if (date !== last) wanted.push([`day:${date}`, () => dayView(post), [post]]);
    last = date;
    wanted.push([post.id, () => postView("channel", actions), [post, threadOf(post.id, posts)]]);
  }
  aside();
  reconcile($("posts"), views.channel, wanted);
  $("older").hidden = !known.more;
  $("empty").hidden = last !== "" || !begun;
  for (const [id, view] of views.channel) view.el.classList.toggle("open", id === open);
}

function showThread(posts) {
  const thread = threadOf(open, posts);
  const wanted = [];
  const aside = asides(open, wanted);
  for (const post of thread.posts) {
    aside(post.number);
    wanted.push([post.id, () => postView("thread", actions), [post]]);
    const reply = known.replies.get(post.id);
    if (reply) wanted.push([reply.id, () => replyView({ card: (card) => showCard(post.root, card), asked: posted }), [reply]]);
  }
  aside();
  reconcile($("thread-posts"), views.thread, wanted);
  const cost = thread.replies.flatMap((reply) => reply.footer).filter((line) => /\bthread /.test(line)).at(-1);
  // “thread $0.01”, as the answer's own small print has it.
  const sum = cost?.slice(cost.indexOf("thread ") + "thread ".length).split(" · ")[0];
  $("thread-cost").textContent = sum ? `Cost so far: ${sum}` : "";
}

/** Adds the cards of a place where they were asked for: before what was said later. */
function asides(root, wanted) {
  const waiting = cards.filter((card) => card.root === root);
  return (number = Infinity) => {
    while (waiting.length && waiting[0].after < number) {
      const { key, view } = waiting.shift();
      wanted.push([key, () => view, []]);
    }
  };
}

/** Makes a list hold these views in this order; those that stay keep their elements and with them the focus. */
function reconcile(list, held, wanted) {
  const keep = new Set(wanted.map(([key]) => key));
  for (const [key, view] of held) {
    if (keep.has(key)) continue;
    view.el.remove();
    held.delete(key);
  }
  wanted.forEach(([key, make, facts], n) => {
    if (!held.has(key)) held.set(key, make());
    const view = held.get(key);
    view.update(...facts);
    if (list.children[n] !== view.el) list.insertBefore(view.el, list.children[n] ?? null);
  });
}

/** Whoever reads the end goes on reading the end. */
function follow(scroller, change) {
  const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
  change();
  if (near) scroller.scrollTop = scroller.scrollHeight;
}

function introduce(fact) {
  $("about").replaceChildren(el("span", { class: "dot", "aria-hidden": "true" }), el("span", {}, fact.about));
  $("about").hidden = !fact.about;
  invited = fact.invitation && ![...known.posts.values()].some((post) => post.files.some((file) => file.name === fact.invitation.name));
  $("tips").replaceChildren(...tips(), invited ? invitation(fact.invitation) : "");
  // Where there is no room for the side, the invitation stands under the posts.
  $("invite").replaceChildren(invited ? invitation(fact.invitation) : "");
}

function tips() {
  const tip = (shape, title, text) => el("div", { class: "tip" }, icon(shape), el("p", {}, el("b", {}, title), text));
  return [
    tip("picture", "Post a picture", "by choosing, pasting or dropping it, and mention @threadsight."),
    tip("reply", "Ask on in the thread", "without posting the picture again: the bot sends it along."),
    tip("coin", "Know the price", "under each answer, and before asking with /estimate."),
    tip("bin", "Delete a message", "and its answer and pictures are gone for good."),
  ];
}

function invitation({ name, text }) {
  const button = el("button", { type: "button", class: "button primary", onclick: accept }, "Ask about it");
  const box = el("div", { class: "invitation" }, el("p", {}, el("b", {}, "What next?"), "There is a second picture to try: what changed on the menu?"), button);
  async function accept() {
    button.disabled = true;
    try {
      const bytes = await (await fetch("/api/invitation")).blob();
      const root = open ?? inOrder().find((post) => post.id === post.root)?.id;
      if (root) openThread(root);
      const place = root ? threadWriting(root) : writing;
      place.attach([new File([bytes], name, { type: bytes.type })]);
      place.say(root ? text : `@threadsight ${text}`);
      document.querySelectorAll(".invitation").forEach((each) => each.remove());
    } catch {
      button.disabled = false;
      toast("The picture could not be loaded.");
    }
  }
  return box;
}

function worry(text) {
  $("trouble").textContent = text ? `What you post is kept, but not answered yet: ${text}` : "";
  $("trouble").hidden = !text;
}

let lost = 0;
function connected(yes) {
  clearTimeout(lost);
  const say = (text) => ($("link").textContent = text);
  // A blink of the connection is nobody's business.
  if (yes) say("");
  else lost = setTimeout(() => say("Reconnecting …"), 500);
}

// What people do

const actions = {
  open: (root, from) => openThread(root, from),
  edit: async (post, text) => {
    const now = await api.edit(post.id, text);
    mine.add(`${now.id}:${now.revision}`);
    heard("post", { ...now });
  },
};

function openThread(root, from = null) {
  opener = from ?? opener;
  if (open !== root) {
    views.thread.forEach((view) => view.el.remove());
    views.thread.clear();
  }
  const place = threadWriting(root);
  $("thread-composer").replaceChildren(place.el);
  open = root;
  $("thread").hidden = false;
  $("app").classList.add("with-thread");
  history.replaceState(null, "", `#thread=${root}`);
  showThread(inOrder());
  $("thread-scroll").scrollTop = $("thread-scroll").scrollHeight;
  show();
  place.shown();
  invite(place);
}

/** Lets people type at once, but where that would bring up a keyboard over half of the screen. */
function invite(place) {
  if (!matchMedia("(hover: none)").matches) place.focus();
}

function closeThread() {
  if (!open) return;
  const root = open;
  open = null;
  $("thread").hidden = true;
  $("app").classList.remove("with-thread");
  history.replaceState(null, "", location.pathname);
  show();
  if (opener?.isConnected) opener.focus();
  else (views.channel.get(root)?.el.querySelector(".chip") ?? $("channel-composer").querySelector("textarea")).focus();
  opener = null;
}

/** The only thread of a channel that was just begun: whoever comes first sees its answer being written. */
function welcomed() {
  const posts = [...known.posts.values()];
  return invited && innerWidth > 860 && posts.every((post) => post.root === posts[0].root) ? posts[0] : null;
}

/** Loads older threads until this one is there: after a break or a reload only the newest are known. */
async function reach(root) {
  reaching = root;
  try {
    for (let n = 0; n < PAGES && !known.posts.has(root) && known.more; n += 1) await showOlder();
  } catch (error) {
    toast(error.message);
    // It may still be there: it just cannot be shown.
    if (open === root) closeThread();
  }
  if (reaching !== root) return;
  reaching = null;
  show();
}

async function showOlder() {
  const scroller = $("channel-scroll");
  const height = scroller.scrollHeight;
  const roots = inOrder().filter((post) => post.id === post.root);
  const fact = await api.older(roots[0]?.number ?? 0);
  take(fact);
  known.more = fact.more;
  showChannel(inOrder());
  scroller.scrollTop += scroller.scrollHeight - height;
}

async function followAddress() {
  const root = /^#thread=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (root) await reach(root);
  if (root && known.posts.has(root)) openThread(root);
  else if (welcomed()) openThread(welcomed().id);
  else {
    $("channel-scroll").scrollTop = $("channel-scroll").scrollHeight;
    invite(writing);
  }
  requestAnimationFrame(() => ($("channel-scroll").scrollTop = $("channel-scroll").scrollHeight));
}

function showCard(root, card) {
  const posts = inOrder();
  const dismiss = () => {
    cards = cards.filter((each) => each !== shown);
    show();
    if (!root || root === open) invite(root ? threadWriting(root) : writing);
  };
  const asked = (post) => {
    // Its pictures are in the question now.
    (root ? threadWriting(root) : writing).empty();
    dismiss();
    posted(post);
  };
  const view = cardView(card, { card: (next) => showCard(root, next), asked, dismiss });
  const shown = { key: `card:${Date.now()}:${cards.length}`, root, view, after: posts.at(-1)?.number ?? 0 };
  cards.push(shown);
  if (root && root !== open) return;
  if (root) showThread(posts);
  else showChannel(posts);
  view.el.scrollIntoView({ block: "nearest" });
  $("said").textContent = `${card.title}: ${plain(card.text)}`;
}

/** Shows a question that a button posted. */
function posted(post) {
  if (!known.posts.has(post.id)) known.posts.set(post.id, post);
  show();
  if (open !== post.root) openThread(post.root);
  requestAnimationFrame(() => requestAnimationFrame(() => ($("thread-scroll").scrollTop = $("thread-scroll").scrollHeight)));
}

/** Posts where it was written, whatever is open by then; `root` is null for the channel. */
async function submit(root, { text, isCommand, key, files }) {
  if (isCommand) return showCard(root, await api.command(text, root, files));
  const post = await api.post(key, text, root, files);
  // The stream tells of it too, and may come first.
  if (!known.posts.has(post.id)) known.posts.set(post.id, post);
  show();
  if (root && root !== open) return;
  const scroller = $(root ? "thread-scroll" : "channel-scroll");
  requestAnimationFrame(() => requestAnimationFrame(() => (scroller.scrollTop = scroller.scrollHeight)));
  if (!root && /(?<![\w@.])@threadsight\b/i.test(text)) openThread(post.id);
}

const limits = () => known.limits;
const writing = composer({ place: "channel", draft: "draft", label: "Message general", placeholder: "Message #general", limits, submit: (what) => submit(null, what) });
const threads = new Map(); // what is being written in each thread, by its root
$("channel-composer").append(writing.el);

/** Where people write in a thread; it keeps words and pictures while another thread is open. */
function threadWriting(root) {
  if (!threads.has(root)) {
    threads.set(root, composer({ place: "thread", draft: `draft-${root}`, label: "Reply in thread", placeholder: "Ask on; earlier pictures are sent along", limits, submit: (what) => submit(root, what) }));
  }
  return threads.get(root);
}

$("empty").append(
  el("div", { class: "empty-mark" }, icon("picture")),
  el("h2", {}, "Ask about a picture"),
  el("p", {}, "Drop one anywhere on this page, paste it, or choose a file. Then mention ", el("span", { class: "mention" }, "@threadsight"), " and ask: the answer comes in a thread, with what it cost."),
  el(
    "div",
    { class: "row" },
    el(
      "button",
      {
        type: "button",
        class: "button primary",
        onclick: () => {
          writing.mention();
          writing.choose();
        },
      },
      icon("picture"),
      el("span", {}, "Choose a picture"),
    ),
  ),
);

$("close").append(icon("close"));
$("back").append(icon("back"));
$("close").addEventListener("click", closeThread);
$("back").addEventListener("click", closeThread);
$("room").addEventListener("click", (event) => {
  event.preventDefault();
  closeThread();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) closeThread();
});

$("older").addEventListener("click", () => showOlder().catch((error) => toast(error.message)));

dropping($("drop"), $("drop-words"), (event) => {
  const inThread = open && ($("thread").contains(event.target) || innerWidth < 900);
  return inThread ? ["thread", threadWriting(open)] : ["channel", writing];
});
switching($("theme"));
listen(heard, connected);
