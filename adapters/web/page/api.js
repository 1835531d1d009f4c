// The page's server: requests, uploads with progress, and the stream of what happens.

const AWAY = "The page's server does not answer. Is it still running? Nothing you wrote is lost.";

async function send(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
  } catch {
    throw new Error(AWAY);
  }
  const fact = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(fact.error ?? AWAY);
  return fact;
}

export const api = {
  post: (key, text, root, files) => send("POST", "/api/posts", { key, text, root, files }),
  edit: (id, text) => send("PUT", `/api/posts/${encodeURIComponent(id)}`, { text }),
  remove: (id) => send("DELETE", `/api/posts/${encodeURIComponent(id)}`),
  command: (text, root, files) => send("POST", "/api/commands", { text, root, files }),
  press: (token) => send("POST", "/api/press", { token }),
  older: (before) => send("GET", `/api/threads?before=${before}`),
  drop: (id) => send("DELETE", `/api/files/${encodeURIComponent(id)}`),
};

export const source = (file) => `/api/files/${encodeURIComponent(file.id)}`;

/** Sends a file; `progress` hears the part that is there, from 0 to 1. Returns a promise and a way to give up. */
export function upload(file, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", `/api/files?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => (request.status === 201 ? resolve(request.response) : reject(new Error(request.response?.error ?? AWAY)));
    request.onerror = () => reject(new Error(`“${file.name}” could not be sent. Is it a folder, or is the server gone?`));
    request.onabort = () => reject(new Error(""));
  });
  request.send(file);
  return { done, abort: () => request.abort() };
}

const EVENTS = ["picture", "post", "gone", "reply", "words", "unsaid", "trouble", "reset", "card"];
const HIDDEN_MS = 10_000; // browsers allow few connections to one host, so hidden tabs give theirs back
const PATIENCE_MS = [300, 1000, 2000, 4000];

/** Hears what happens, and again after every break; each time it begins with the whole picture. */
export function listen(heard, connected) {
  let stream = null;
  let tries = 0;
  let timer = 0;

  const close = () => {
    clearTimeout(timer);
    stream?.close();
    stream = null;
  };
  const open = () => {
    close();
    stream = new EventSource("/api/events");
    for (const name of EVENTS) {
      stream.addEventListener(name, (event) => {
        if (name === "picture") {
          tries = 0;
          connected(true);
        }
        heard(name, JSON.parse(event.data));
        if (name === "reset") open();
      });
    }
    stream.onerror = () => {
      connected(false);
      close();
      timer = setTimeout(open, PATIENCE_MS[Math.min(tries, PATIENCE_MS.length - 1)]);
      tries += 1;
    };
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(close, HIDDEN_MS);
    else if (!stream || stream.readyState === EventSource.CLOSED) open();
  });
  open();
}
