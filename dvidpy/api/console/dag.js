// The versions of a repo as a picture: newest above, a lane for each branch, lines to the parents.

import { draw, el, when } from "./dom.js";

const ROW = 4.25 * parseFloat(getComputedStyle(document.documentElement).fontSize); // pixels of --row
const LANE = 22;
const MANY = 400; // versions that are drawn at once

/** Versions, newest first, and the lane of each branch. Branches share a lane where they lie apart. */
export function layout(nodes) {
  const order = [...nodes].sort((a, b) => b.VersionID - a.VersionID);
  const row = new Map(order.map((version, at) => [version.VersionID, at]));
  const spans = new Map();
  for (const version of order) {
    const rows = [version.VersionID, ...version.Parents].map((id) => row.get(id) ?? order.length);
    const span = spans.get(version.Branch) ?? [Infinity, -Infinity];
    spans.set(version.Branch, [Math.min(span[0], ...rows), Math.max(span[1], ...rows)]);
  }
  spans.set("", [-Infinity, Infinity]); // master keeps the first lane
  const lanes = new Map();
  const taken = [];
  for (const [branch, [top, bottom]] of [...spans].sort((a, b) => b[1][1] - a[1][1])) {
    const free = taken.findIndex((others) => others.every(([start, end]) => end <= top || bottom <= start));
    const lane = free < 0 ? taken.push([]) - 1 : free;
    taken[lane].push([top, bottom]);
    lanes.set(branch, lane);
  }
  return { order, row, lanes, width: taken.length };
}

/** The picture and the list beside it; each version a link. */
export function dag(repo, chosen, all) {
  const nodes = Object.values(repo.DAG.Nodes);
  const found = layout(nodes);
  const shown = all ? found.order : found.order.slice(0, MANY);
  const wide = Math.min(found.width, 12) * LANE + 6;
  const list = el("ol", {}, shown.map((version) => entry(repo, version, found, chosen)));
  for (const item of list.children) item.style.paddingLeft = `${wide}px`;
  const more = shown.length < nodes.length && el("p", {}, el("a", { href: `#/repo/${repo.Root}/${chosen}?all=1` }, `Show all ${nodes.length} versions`));
  return [el("div", { class: "dag" }, lines(found, shown, wide), list), more];
}

function place(version, { row, lanes }) {
  return [lanes.get(version.Branch) * LANE + 12, row.get(version.VersionID) * ROW + 26];
}

/** The text of the list says the same, so screen readers pass the picture over. */
function lines(found, shown, wide) {
  const byId = new Map(found.order.map((version) => [version.VersionID, version]));
  const colour = (version) => `lane${found.lanes.get(version.Branch) % 5}`;
  const edges = shown.flatMap((version) =>
    version.Parents.filter((id) => byId.has(id)).map((id, at) => {
      const parent = byId.get(id);
      const whose = at === 0 ? version : parent;
      return draw("path", { class: `edge ${colour(whose)}`, d: path(place(version, found), place(parent, found), at === 0) });
    }),
  );
  const dots = shown.map((version) => {
    const [x, y] = place(version, found);
    return draw("circle", { class: `dot ${colour(version)} ${version.Locked ? "done" : ""}`, cx: x, cy: y, r: 6.5 });
  });
  return draw("svg", { width: wide, height: shown.length * ROW, "aria-hidden": "true" }, edges, dots);
}

/** Down from a child to its parent; the bend is at the parent, or, for further parents of a merge, at the child. */
function path([x, y], [toX, toY], bendsLate) {
  if (x === toX) return `M${x} ${y}V${toY}`;
  const bend = Math.min(ROW * 0.8, toY - y);
  return bendsLate
    ? `M${x} ${y}V${toY - bend}C${x} ${toY - bend / 3} ${toX} ${toY - bend / 1.5} ${toX} ${toY}`
    : `M${x} ${y}C${x} ${y + bend / 1.5} ${toX} ${y + bend / 3} ${toX} ${y + bend}V${toY}`;
}

export function branchOf(version) {
  return version.Branch || "master";
}

export function tagOf(version) {
  return version.Locked && version.Branch === `tag-${version.UUID}` ? version.UUID : "";
}

function entry(repo, version, found, chosen) {
  const tag = tagOf(version);
  const names = tag ? el("span", { class: "chip" }, `tag ${tag}`) : el("span", { class: "chip" }, branchOf(version));
  const state = version.Locked ? el("span", { class: "locked" }, "committed") : el("span", { class: "open" }, "open");
  return el(
    "li",
    {},
    el(
      "a",
      { href: `#/repo/${repo.Root}/${version.UUID}`, "aria-current": version.UUID === chosen ? "true" : null },
      el("p", {}, names, el("span", { class: "id" }, version.UUID.slice(0, 10)), " ", state),
      el("p", { class: "note" }, version.Note || el("span", { class: "quiet" }, "no note"), " ", el("span", { class: "quiet" }, when(version.Created))),
    ),
  );
}
