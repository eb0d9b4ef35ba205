// What the server does right now: load, queues, latencies; asked again every two seconds while the page is seen.

import { json } from "./api.js";
import { draw, el, show } from "./dom.js";
import { inBytes } from "./instances.js";

const EVERY_MS = 2000;
const KEPT = 90;

export async function serverPage() {
  const info = await json("/api/server/info");
  const meters = el("ul", { class: "meters" });
  const stores = el("tbody");
  const routes = el("tbody");
  const past = new Map();
  show(
    "Server",
    el("h1", {}, "Server"),
    meters,
    table("Stores", ["Store", "Bytes", "Tasks waiting", "Tasks given up", "Edits waiting", "Log"], stores),
    table("Requests since the start", ["Route", "Count", "Mean ms", "Half within ms", "95 % within ms", "Failed"], routes),
    el("h2", {}, "Properties"),
    el("dl", {}, Object.entries(info).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value || "–")])),
    el("p", {}, el("a", { href: "/metrics" }, "Metrics for Prometheus"), ", ", el("a", { href: "/docs" }, "the API, to try out")),
  );
  const look = async () => {
    if (document.hidden) return;
    try {
      const [load, state] = await Promise.all([json("/api/load"), json("/dvidpy/state.json")]);
      fill(meters, stores, routes, load, state, past);
    } catch (error) {
      meters.replaceChildren(el("li", { class: "error" }, error.message));
    }
  };
  await look();
  const timer = setInterval(look, EVERY_MS);
  return () => clearInterval(timer);
}

function table(title, names, body) {
  const heads = names.map((name, at) => el("th", { scope: "col", class: at ? "number" : null }, name));
  const scrolls = { class: "wide", tabindex: "0", role: "region", "aria-label": title }; // by keyboard too, where it is wider than the page
  return [el("h2", {}, title), el("div", scrolls, el("table", {}, el("thead", {}, el("tr", {}, heads)), body))];
}

function fill(meters, stores, routes, load, state, past) {
  const values = [
    ["Reads a second", load["GET requests"]],
    ["Writes a second", load["PUT requests"]],
    ["Sent a second", load["value bytes read"], inBytes],
    ["Received a second", load["value bytes written"], inBytes],
    ["Workers busy", state.workers_busy, (busy) => `${busy} of ${state.workers}`],
    ["Tasks waiting", Object.values(state.stores).reduce((sum, store) => sum + store.tasks, 0)],
  ];
  meters.replaceChildren(...values.map(([name, value, shown = String]) => meter(name, value, shown, past)));
  stores.replaceChildren(
    ...Object.entries(state.stores).map(([name, store]) =>
      line(name, store.bytes === null ? "–" : inBytes(store.bytes), store.tasks, store.given_up, store.edits_waiting, store.log_behind ? "cannot be written" : "fine"),
    ),
  );
  routes.replaceChildren(...state.routes.map((one) => line(`${one.method} ${one.route}`, one.count, one.mean_ms, one.half_ms, one.most_ms, one.failed)));
}

function meter(name, value, shown, past) {
  const seen = [...(past.get(name) ?? []), value].slice(-KEPT);
  past.set(name, seen);
  const top = Math.max(1, ...seen);
  const points = seen.map((one, at) => `${(at * 100) / (KEPT - 1)},${28 - (26 * one) / top}`).join(" ");
  const curve = draw("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, draw("polyline", { points }));
  return el("li", { class: "card" }, el("span", { class: "quiet" }, name), el("b", {}, shown(value)), curve);
}

function line(name, ...values) {
  return el("tr", {}, el("th", { scope: "row" }, name), values.map((value) => el("td", { class: "number" }, String(value))));
}
