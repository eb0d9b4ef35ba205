// The form for a new instance of a repo.

import { json, node, post } from "./api.js";
import { el, field, form, say } from "./dom.js";
import { IMAGES, LABELS } from "./instances.js";

/** Types are asked for when the form is opened. */
export function newInstance(repo, version, again) {
  const place = el("div", {}, el("p", {}, "Asking…"));
  const opened = el("details", {}, el("summary", {}, "New instance"), place);
  const fill = async () => place.replaceChildren(fields(repo, version, again, Object.keys(await json("/api/server/compiled-types")).sort()));
  opened.addEventListener("toggle", () => fill().catch((error) => place.replaceChildren(el("p", { role: "alert" }, error.message))), { once: true });
  return opened;
}

function fields(repo, version, again, types) {
  const type = el("select", { name: "typename" }, types.map((name) => el("option", { selected: name === "labelmap" }, name)));
  const volume = el(
    "fieldset",
    {},
    el("legend", {}, "Of images and labels"),
    field("Size of a voxel in nanometers: x,y,z", "VoxelSize", { value: "8,8,8", required: true, pattern: "[0-9.]+,[0-9.]+,[0-9.]+" }),
    field("Lower resolutions, each half of the last", "levels", { type: "number", min: 0, max: 12, value: 3 }),
  );
  const turn = () => (volume.hidden = volume.disabled = !isVolume(type.value));
  type.addEventListener("change", turn);
  turn();
  return form(
    "New instance",
    [
      field("Name of the instance", "dataname", { required: true }),
      el("label", {}, "Type", type),
      volume,
      field("Follows these instances, with commas between", "syncs"),
    ],
    "Create instance",
    async (given) => {
      await make(repo, version, given);
      again(version.UUID);
    },
  );
}

const isVolume = (type) => LABELS.has(type) || IMAGES.has(type);

async function make(repo, version, { typename, dataname, VoxelSize, levels, syncs }) {
  const settings = { typename, dataname };
  if (isVolume(typename)) settings.VoxelSize = VoxelSize;
  if (Number(levels) > 0 && IMAGES.has(typename)) settings.Pyramid = levels;
  if (levels && ["labelmap", "labelarray"].includes(typename)) settings.MaxDownresLevel = levels;
  await post(`/api/repo/${encodeURIComponent(repo.Root)}/instance`, settings);
  say(`The instance ${dataname} is made.`);
  if (syncs.trim()) await post(`${node(version.UUID, dataname)}/sync`, { sync: syncs.replace(/\s/g, "") });
}
