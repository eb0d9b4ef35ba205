// Elements are made, never written as text into the page: what users store cannot become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: el("p", {class: "quiet"}, "text", child…). Properties that begin with "on" are listeners. */
export function el(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

/** The same of a drawing. */
export function draw(name, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

function filled(made, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Shows elements as the page; its title follows. */
export function show(title, ...children) {
  document.title = title === "dvidpy" ? title : `${title} · dvidpy`;
  document.getElementById("main").replaceChildren(...children.flat().filter(Boolean));
}

let fading = 0;

/** Tells what was done, for a while, to eyes and to screen readers. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (place.textContent = ""), 6000);
}

/** A form that sends what it holds, says what was refused, and is not sent twice. */
export function form(title, fields, button, send) {
  const alert = el("p", { role: "alert" });
  const submit = el("button", {}, button);
  const made = el("form", { "aria-label": title }, fields, el("div", {}, submit), alert);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    alert.textContent = "";
    try {
      await send(Object.fromEntries(new FormData(made)));
    } catch (error) {
      alert.textContent = error.message;
    }
    submit.disabled = false;
  });
  return made;
}

/** A text field with its label. */
export function field(label, name, properties = {}, kind = "input") {
  const { value, ...others } = properties;
  const input = el(kind, { name, ...others });
  if (value !== undefined) input.value = value;
  return el("label", {}, label, input);
}

/** A time of the server, as this browser's user writes it. */
export function when(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? el("span", {}, text || "") : el("time", { datetime: text, title: text }, time.toLocaleString());
}
