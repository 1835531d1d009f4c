// Pictures that are dropped anywhere on the page.

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
const WORDS = { thread: "Drop to ask about it in this thread", channel: "Drop to attach to a message in #general" };
const FOLDER = "A folder cannot be attached; open it and drop the pictures in it.";

/** Shows `veil` with its `words` while files are over the page; `aim` says the place they would go to and its composer. */
export function dropping(veil, words, aim) {
  let depth = 0; // of elements entered and not left

  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    veil.hidden = false;
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const [place] = aim(event);
    veil.dataset.place = place;
    words.textContent = WORDS[place];
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (!depth) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    const [, composer] = aim(event);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    const given = [...event.dataTransfer.files];
    const files = given.filter((_, n) => !entries[n]?.isDirectory);
    if (files.length) composer.attach(files);
    if (files.length < given.length) composer.complain(FOLDER);
  });
}
