// The instances of a repo, as a version sees them.

import { json, node } from "./api.js";
import { el } from "./dom.js";
import { viewOf } from "./viewer.js";

export const LABELS = new Set(["labelmap", "labelarray", "labelblk"]);
export const IMAGES = new Set(["uint8blk", "uint16blk", "uint32blk", "rgba8blk"]);
const COLUMNS = ["Name", "Type", "Extents", "Stored", "Follows", "Open"];

export function instanceTable(repo, version, state) {
  const all = Object.entries(repo.DataInstances).sort();
  if (!all.length) return el("p", {}, "There are none yet.");
  const rows = all.map(([name, instance]) => row(repo, version, name, instance, state));
  const heads = COLUMNS.map((name) => el("th", { scope: "col", class: name === "Stored" ? "number" : null }, name));
  return el(
    "div",
    { class: "wide" },
    el("table", { class: "stacks" }, el("caption", {}, `As version ${version.UUID.slice(0, 10)} sees them; bytes are those of all versions`), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)),
  );
}

function row(repo, version, name, { Base, Extended }, state) {
  const extents = el("td", { "data-label": "Extents" });
  if (Extended?.VoxelSize) fillExtents(extents, version, name, Extended);
  const bytes = state.instances[Base.DataUUID];
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, name, !Base.Versioned && [" ", el("span", { class: "chip" }, "unversioned")], pyramid(Extended)),
    el("td", { "data-label": "Type" }, el("a", { href: `/docs/${Base.TypeName}` }, Base.TypeName)),
    extents,
    el("td", { "data-label": "Stored", class: "number" }, bytes ? inBytes(bytes) : "–"),
    el("td", { "data-label": "Follows" }, (Base.Syncs ?? []).join(", ")),
    el("td", { class: "links" }, links(repo, version, name, Base.TypeName)),
  );
}

const pyramid = (extended) => extended?.PyramidLevel && [" ", el("span", { class: "chip" }, `1/${2 ** extended.PyramidLevel}`)];

/** What the repo's info shows is of master's newest version; the extents are those of the chosen one. */
async function fillExtents(place, version, name, extended) {
  const { Extents } = await json(`${node(version.UUID, name)}/info`).catch(() => ({}));
  const { VoxelSize, VoxelUnits = [] } = extended;
  const voxel = `${VoxelSize.join(" × ")} ${VoxelUnits[0]?.replace("nanometers", "nm").replace("micrometers", "µm") ?? ""}`;
  if (!Extents?.MinPoint) {
    place.append("no voxels yet", el("br"), el("span", { class: "quiet" }, `voxels of ${voxel}`));
    return;
  }
  const sides = Extents.MaxPoint.map((high, at) => high - Extents.MinPoint[at] + 1);
  const begins = Extents.MinPoint.some((at) => at !== 0) ? ` from ${Extents.MinPoint.join(", ")}` : "";
  place.append(`${sides.join(" × ")}${begins}`, el("br"), el("span", { class: "quiet" }, `voxels of ${voxel}`));
}

export function inBytes(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power && bytes / 1024 ** power < 100 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function links(repo, version, name, typename) {
  const path = node(version.UUID, name);
  const link = (href, text, label) => el("a", { href, "aria-label": `${text} of ${name}${label ?? ""}` }, text);
  const view = viewOf(repo, version, name);
  return [
    LABELS.has(typename) || IMAGES.has(typename) ? link(`#/slices/${version.UUID}/${encodeURIComponent(name)}`, "Slices") : null,
    view && neuroglancer(view, name),
    link(`${path}/info`, "Info"),
    link(`${path}/help`, "Help"),
  ];
}

/** Bodies to begin with are looked up when the view is opened, not for every row. */
function neuroglancer(view, name) {
  const made = el("a", { href: view.address(), "aria-label": `Neuroglancer of ${name}` }, "Neuroglancer");
  made.addEventListener("pointerenter", async () => (made.href = await view.withBodies()), { once: true });
  made.addEventListener("focus", async () => (made.href = await view.withBodies()), { once: true });
  return made;
}
