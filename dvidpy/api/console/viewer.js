// Addresses of ready Neuroglancer views: the state of the viewer stands behind "#!".

import { first, node } from "./api.js";

const PICTURES = new Set(["uint8blk", "uint16blk", "uint32blk", "rgba8blk", "float32blk"]);
const SEGMENTATIONS = new Set(["labelmap", "labelarray"]);
const BODIES = 6; // that a view begins with
const TO_METERS = { nanometers: 1e-9, micrometers: 1e-6, microns: 1e-6, millimeters: 1e-3 };

/** The view of an instance with what belongs to it; null for what Neuroglancer does not draw. */
export function viewOf(repo, version, name) {
  const instances = repo.DataInstances;
  const type = instances[name].Base.TypeName;
  const followed = (instances[name].Base.Syncs ?? []).find((other) => SEGMENTATIONS.has(instances[other]?.Base.TypeName));
  const segmentation = SEGMENTATIONS.has(type) ? name : type === "annotation" ? followed : null;
  if (!segmentation && !PICTURES.has(type) && type !== "annotation") return null;
  const image = PICTURES.has(type) ? name : imageOf(instances);
  const points = type === "annotation" ? [name] : segmentation ? annotationsOf(instances, segmentation) : [];
  const layers = [
    image && { type: "image", name: image, source: source(version, image) },
    segmentation && { type: "segmentation", name: segmentation, source: source(version, segmentation), segments: [] },
    ...points.map((one) => pointLayer(version, one, segmentation)),
  ].filter(Boolean);
  const grid = instances[segmentation ?? image]?.Extended;
  return {
    address: (bodies = []) => address(layers, grid, name, segmentation, bodies),
    withBodies: async () => address(layers, grid, name, segmentation, await someBodies(instances, version, segmentation)),
  };
}

const source = (version, name) => `precomputed://${location.origin}${node(version.UUID, name)}/precomputed`;

/** The first image that is no smaller copy of another one. */
function imageOf(instances) {
  const fits = ([, { Base, Extended }]) => PICTURES.has(Base.TypeName) && !Extended.PyramidLevel;
  return Object.entries(instances).sort().find(fits)?.[0];
}

function annotationsOf(instances, segmentation) {
  const fits = ([, { Base }]) => Base.TypeName === "annotation" && Base.Syncs?.includes(segmentation);
  return Object.entries(instances).filter(fits).map(([name]) => name);
}

function pointLayer(version, name, segmentation) {
  const linked = segmentation && { linkedSegmentationLayer: { body: segmentation } };
  return { type: "annotation", name, source: source(version, name), ...linked };
}

function address(layers, grid, name, segmentation, bodies) {
  const state = {
    ...(grid && placed(grid)),
    layers: layers.map((layer) => (layer.name === segmentation ? { ...layer, segments: bodies } : layer)),
    layout: "4panel",
    selectedLayer: { layer: name, visible: false },
  };
  return `/neuroglancer/#!${encodeURIComponent(JSON.stringify(state))}`;
}

/** Voxels as units, the middle of the volume, and a scale that shows it whole. */
function placed({ VoxelSize, VoxelUnits = [], MinPoint, MaxPoint }) {
  const meters = VoxelSize.map((size, at) => size * (TO_METERS[VoxelUnits[at]] ?? 1e-9));
  const dimensions = Object.fromEntries(["x", "y", "z"].map((axis, at) => [axis, [meters[at], "m"]]));
  if (!MinPoint) return { dimensions };
  const sides = MaxPoint.map((high, at) => high - MinPoint[at] + 1);
  const longest = Math.max(...sides.map((side, at) => (side * meters[at]) / Math.min(...meters)));
  return {
    dimensions,
    position: sides.map((side, at) => MinPoint[at] + side / 2),
    crossSectionScale: Math.max(0.1, longest / 400),
    projectionScale: longest * 1.5,
  };
}

/** Bodies that have a name, so that there is something to see in 3D. */
async function someBodies(instances, version, segmentation) {
  const table = segmentation && `${segmentation}_annotations`;
  if (!table || instances[table]?.Base.TypeName !== "neuronjson") return [];
  return first(`${node(version.UUID, table)}/keys`, BODIES).catch(() => []);
}
