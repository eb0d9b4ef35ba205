// From the server's pictures to the canvas of a slice.

import { node, picture } from "./api.js";
import { LABELS } from "./instances.js";
import { PLANES } from "./slices.js";

const MOST = 2048; // pixels along a side that are asked for at once

/** Draws the slice that is looked at; AbortError where another one is wanted meanwhile. */
export async function drawSlice(slices, signal) {
  const { canvas, repo } = slices;
  const isLabels = (name) => LABELS.has(repo.DataInstances[name].Base.TypeName);
  const names = [slices.name, slices.other].filter(Boolean).sort((a, b) => isLabels(a) - isLabels(b));
  const parts = await Promise.all(names.map((name) => part(slices, name, isLabels(name), signal)));
  signal.throwIfAborted(); // pictures that came just before another slice was wanted
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.scale(ratio, ratio);
  parts.filter(Boolean).forEach(({ image, box, nobody }) => {
    context.globalAlpha = nobody !== null && names.length > 1 ? slices.shade : 1;
    context.drawImage(nobody === null ? image : without(nobody, image), ...box);
  });
}

/** One instance's picture and where it goes, in pixels; null where it has nothing there. */
async function part(slices, name, labels, signal) {
  const [right, down, into] = PLANES[slices.plane];
  const level = Math.min(coarsest(slices.repo, name, labels), Math.max(0, Math.floor(-Math.log2(slices.zoom))));
  const step = 2 ** level;
  const start = [...slices.at];
  const size = {};
  for (const axis of [right, down]) {
    const half = (axis === right ? slices.canvas.clientWidth : slices.canvas.clientHeight) / 2 / slices.pixels(axis);
    const first = Math.max(slices.low[axis], Math.floor(slices.at[axis] - half));
    const last = Math.min(slices.high[axis], Math.ceil(slices.at[axis] + half));
    start[axis] = Math.floor(first / step);
    size[axis] = Math.min(MOST, Math.floor(last / step) - start[axis] + 1);
    if (size[axis] < 1) return null;
  }
  start[into] = Math.floor(start[into] / step);
  // Where it goes is settled before the picture comes: meanwhile the slices may have moved on.
  const left = (axis, middle) => middle + (start[axis] * step - slices.at[axis]) * slices.pixels(axis);
  const box = [
    left(right, slices.canvas.clientWidth / 2),
    left(down, slices.canvas.clientHeight / 2),
    size[right] * step * slices.pixels(right),
    size[down] * step * slices.pixels(down),
  ];
  const image = await picture(path(slices, name, labels, level, [size[right], size[down]], start), signal);
  const nobody = labels ? await colourOfNobody(slices, name) : null;
  return { image, box, nobody };
}

function path(slices, name, labels, level, size, start) {
  const where = `${slices.plane}/${size.join("_")}/${start.join("_")}`;
  if (labels) return `${node(slices.uuid, name)}/pseudocolor/${where}?scale=${level}`;
  return `${node(slices.uuid, level ? `${name}_${level}` : name)}/raw/${where}/png`;
}

/** The coarsest scale there is: of labels their own, of images the instances NAME_1, NAME_2… */
function coarsest(repo, name, labels) {
  if (labels) return repo.DataInstances[name].Extended.MaxDownresLevel ?? 0;
  let level = 0;
  while (repo.DataInstances[`${name}_${level + 1}`]?.Extended?.MinPoint) level += 1;
  return level;
}

/** The colour of label 0, which is everywhere outside: it shall hide nothing. */
async function colourOfNobody(slices, name) {
  slices.nobody ??= {};
  slices.nobody[name] ??= picture(`${node(slices.uuid, name)}/pseudocolor/xy/1_1/${slices.high.map((at) => at + 1e6).join("_")}`).then(pixelsOf).then((seen) => seen.words[0]);
  return slices.nobody[name];
}

function pixelsOf(image) {
  const cut = new OffscreenCanvas(image.width, image.height);
  const context = cut.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height);
  return { cut, context, pixels, words: new Uint32Array(pixels.data.buffer) };
}

function without(colour, image) {
  const { cut, context, pixels, words } = pixelsOf(image);
  for (let at = 0; at < words.length; at += 1) if (words[at] === colour) words[at] = 0;
  context.putImageData(pixels, 0, 0);
  return cut;
}
