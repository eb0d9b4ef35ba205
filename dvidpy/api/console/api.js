// The server's answers. Labels have 64 bits, more than a number of JavaScript holds exactly: they arrive as text.

const LONG = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

/** JSON, in which whole numbers of 16 digits and more become texts. */
export function exact(text) {
  return JSON.parse(text.replace(LONG, (found) => (found[0] === '"' ? found : `"${found}"`)));
}

/** Who works here, for the logs of the server. */
export function user() {
  return document.getElementById("user").value.trim();
}

let token = ""; // the admin token, forgotten when the page is closed or loaded anew

/** From now on requests carry the admin token. */
export function bear(given) {
  token = given;
}

function address(path) {
  const who = user();
  const query = new URLSearchParams({ app: "dvidpy-console", ...(who && { u: who }), ...(token && { admintoken: token }) });
  return `${path}${path.includes("?") ? "&" : "?"}${query}`;
}

async function answer(path, options) {
  let reply;
  try {
    reply = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  }
  if (!reply.ok) throw new Error((await reply.text()).trim() || `The server answered ${reply.status}.`);
  return reply;
}

export async function json(path, options) {
  return exact(await (await answer(path, options)).text());
}

export async function picture(path, signal) {
  return createImageBitmap(await (await answer(path, { signal })).blob());
}

export async function post(path, body) {
  const text = await (await answer(path, { method: "POST", body: JSON.stringify(body) })).text();
  return text.startsWith("{") ? exact(text) : text;
}

/** The first texts in quotes of an answer that may be long: the rest is never sent. */
export async function first(path, count) {
  const stop = new AbortController();
  const reader = (await answer(path, { signal: stop.signal })).body.getReader();
  const decoder = new TextDecoder();
  let found = [];
  for (let text = ""; found.length <= count; ) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    found = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]);
  }
  stop.abort();
  return found.slice(0, count);
}

/** Name of a version in paths. */
export const node = (uuid, name = "") => `/api/node/${encodeURIComponent(uuid)}${name && `/${encodeURIComponent(name)}`}`;
