// Slices of images and labels, plane by plane: dragged, zoomed, and asked for the body under the pointer.

import { json, node } from "./api.js";
import { el, show } from "./dom.js";
import { IMAGES, LABELS } from "./instances.js";
import { drawSlice } from "./pixels.js";
import { viewOf } from "./viewer.js";

export const PLANES = { xy: [0, 1, 2], xz: [0, 2, 1], yz: [1, 2, 0] }; // axes to the right, down, and into the picture
const ZOOMS = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16]; // pixels of the smallest side of a voxel
const PAN = 40; // pixels, by an arrow key

export async function slicesPage([uuid, name], query) {
  const repo = await json(`/api/repo/${encodeURIComponent(uuid)}/info`);
  const instance = repo.DataInstances[name];
  if (!instance) throw new Error(`There is no instance ${name} in this repo.`);
  const volume = await json(`${node(uuid, name)}/info`);
  if (!volume.Extents?.MinPoint) throw new Error(`${name} has no voxels in this version yet.`);
  const slices = new Slices(repo, uuid, name, volume, query);
  slices.show();
  return () => slices.end();
}

class Slices {
  constructor(repo, uuid, name, volume, query) {
    Object.assign(this, { repo, uuid, name });
    const { MinPoint, MaxPoint } = volume.Extents;
    this.low = MinPoint;
    this.high = MaxPoint;
    const size = volume.Extended.VoxelSize;
    this.aspect = size.map((side) => side / Math.min(...size));
    this.plane = PLANES[query.get("plane")] ? query.get("plane") : "xy";
    const given = (query.get("at") ?? "").split(",").map(Number);
    this.at = this.inside(given.length === 3 && given.every(Number.isFinite) ? given : MinPoint.map((low, at) => (low + MaxPoint[at]) / 2));
    this.other = query.get("with") ?? this.companions()[0] ?? "";
    this.zoom = ZOOMS.includes(Number(query.get("zoom"))) ? Number(query.get("zoom")) : null;
    this.shade = 0.45;
    this.stop = new AbortController();
    this.resized = new ResizeObserver(() => this.draw());
  }

  end() {
    this.stop.abort();
    this.resized.disconnect();
  }

  /** Instances of the other kind: labels for an image, images for labels. */
  companions() {
    const wanted = LABELS.has(this.repo.DataInstances[this.name].Base.TypeName) ? IMAGES : LABELS;
    const fits = ([, { Base, Extended }]) => wanted.has(Base.TypeName) && !Extended.PyramidLevel && Extended.MinPoint;
    return Object.entries(this.repo.DataInstances).sort().filter(fits).map(([name]) => name);
  }

  inside(point) {
    return point.map((at, axis) => Math.round(Math.min(this.high[axis], Math.max(this.low[axis], at))));
  }

  // -------------------------------------------------------------- the page
  show() {
    this.canvas = el("canvas", { class: "view", tabindex: "0", role: "img", "aria-describedby": "keys" });
    this.told = el("p", { role: "status", "aria-live": "polite" }, "Click a point, or press Enter for the one in the middle.");
    this.failed = el("p", { role: "alert" });
    const version = this.repo.DAG.Nodes[this.uuid];
    const view = version && viewOf(this.repo, version, this.name);
    show(
      this.name,
      el("p", {}, el("a", { href: `#/repo/${this.repo.Root}/${this.uuid}` }, this.repo.Alias || "The repo"), ` · version ${this.uuid.slice(0, 10)}`),
      el("h1", {}, this.name),
      this.controls(),
      this.canvas,
      this.failed,
      this.told,
      el("p", { id: "keys", class: "quiet" }, "Drag or arrow keys: move. Wheel, Page Up and Page Down: slices. + and −: zoom. Enter: the point in the middle."),
      view && el("p", {}, el("a", { href: view.address() }, "Open in Neuroglancer")),
    );
    this.listen();
    this.resized.observe(this.canvas);
  }

  controls() {
    const plane = el("select", {}, Object.keys(PLANES).map((name) => el("option", { selected: name === this.plane }, name)));
    plane.addEventListener("change", () => this.turn(plane.value));
    this.slider = el("input", { type: "range", "aria-label": "Slice" });
    this.number = el("input", { type: "number", "aria-label": "Number of the slice" });
    for (const input of [this.slider, this.number]) input.addEventListener("input", () => this.go(input.value));
    const others = ["", ...this.companions()].map((name) => el("option", { value: name, selected: name === this.other }, name || "nothing"));
    const other = el("select", {}, others);
    other.addEventListener("change", () => this.change({ other: other.value }));
    const shade = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: this.shade });
    shade.addEventListener("input", () => this.change({ shade: Number(shade.value) }));
    this.axis = el("span", {});
    this.bounds();
    return el(
      "div",
      { class: "bar" },
      el("label", {}, "Plane", plane),
      el("label", { class: "grow" }, this.axis, this.slider),
      this.number,
      el("label", {}, "Together with", other),
      el("label", {}, "Strength of colours", shade),
      el("button", { "aria-label": "Zoom in", onclick: () => this.scale(1) }, "+"),
      el("button", { "aria-label": "Zoom out", onclick: () => this.scale(-1) }, "−"),
    );
  }

  listen() {
    const keys = {
      ArrowLeft: () => this.pan(-PAN, 0), ArrowRight: () => this.pan(PAN, 0), ArrowUp: () => this.pan(0, -PAN), ArrowDown: () => this.pan(0, PAN),
      PageUp: () => this.step(1), PageDown: () => this.step(-1), "+": () => this.scale(1), "-": () => this.scale(-1),
      Enter: () => this.tell(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2),
    };
    this.canvas.addEventListener("keydown", (event) => keys[event.key] && (event.preventDefault(), keys[event.key]()));
    this.canvas.addEventListener("wheel", (event) => (event.preventDefault(), this.step(event.deltaY > 0 ? 1 : -1)), { passive: false });
    let from = null;
    let moved = 0;
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      [from, moved] = [[event.offsetX, event.offsetY], 0];
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y] = [from[0] - event.offsetX, from[1] - event.offsetY];
      moved += Math.abs(x) + Math.abs(y);
      if (moved > 4) this.pan(x, y);
      from = moved > 4 ? [event.offsetX, event.offsetY] : from;
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (from && moved <= 4) this.tell(event.offsetX, event.offsetY);
      from = null;
    });
    this.canvas.addEventListener("pointercancel", () => (from = null));
  }

  // -------------------------------------------------------------- moving
  change(what) {
    Object.assign(this, what);
    this.draw();
  }

  turn(plane) {
    this.plane = plane;
    this.bounds();
    this.draw();
  }

  bounds() {
    const axis = PLANES[this.plane][2];
    this.axis.textContent = `Slice along ${"xyz"[axis]}`;
    for (const input of [this.slider, this.number]) Object.assign(input, { min: this.low[axis], max: this.high[axis], value: this.at[axis] });
  }

  go(value) {
    const axis = PLANES[this.plane][2];
    if (value === "" || !Number.isFinite(Number(value))) return;
    this.at = this.inside(this.at.map((at, other) => (other === axis ? Number(value) : at)));
    for (const input of [this.slider, this.number]) if (Number(input.value) !== this.at[axis]) input.value = this.at[axis];
    this.draw();
  }

  step(by) {
    this.go(this.at[PLANES[this.plane][2]] + by);
  }

  pan(x, y) {
    const [right, down] = PLANES[this.plane];
    const place = [...(this.fine ?? this.at)]; // fractions of a voxel count: a slow drag moves too
    place[right] += x / this.pixels(right);
    place[down] += y / this.pixels(down);
    this.fine = place.map((at, axis) => Math.min(this.high[axis], Math.max(this.low[axis], at)));
    this.at = this.inside(this.fine);
    this.draw();
  }

  scale(by) {
    this.zoom = ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, ZOOMS.indexOf(this.zoom) + by))];
    this.draw();
  }

  /** Pixels of a voxel along an axis. */
  pixels(axis) {
    return this.zoom * this.aspect[axis];
  }

  /** The largest zoom at which the whole slice is seen. */
  whole() {
    const [right, down] = PLANES[this.plane];
    const side = (axis) => (this.high[axis] - this.low[axis] + 1) * this.aspect[axis];
    const most = Math.min(this.canvas.clientWidth / side(right), this.canvas.clientHeight / side(down));
    return ZOOMS.findLast((zoom) => zoom <= most) ?? ZOOMS[0];
  }

  // -------------------------------------------------------------- drawing
  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.drawNow());
  }

  async drawNow() {
    if (!this.canvas.isConnected || !this.canvas.clientWidth) return;
    this.zoom ??= this.whole();
    this.stop.abort();
    this.stop = new AbortController();
    this.remember();
    const what = `${this.plane} ${this.at.join(",")}`; // not what is wanted by the time it is drawn
    this.canvas.setAttribute("aria-label", `Slice ${this.plane} of ${this.name} at ${this.at.join(", ")}`);
    try {
      await drawSlice(this, this.stop.signal);
      this.failed.textContent = "";
      this.canvas.dataset.drawn = what; // tests and impatient people may look now
    } catch (error) {
      if (error.name !== "AbortError") this.failed.textContent = error.message;
    }
  }

  /** The address leads back here. */
  remember() {
    const query = new URLSearchParams({ plane: this.plane, at: this.at.join(","), zoom: this.zoom, with: this.other });
    history.replaceState(null, "", `#/slices/${this.uuid}/${encodeURIComponent(this.name)}?${query}`);
  }

  // -------------------------------------------------------------- what is there
  async tell(x, y) {
    const [right, down] = PLANES[this.plane];
    const point = [...this.at];
    point[right] += Math.round((x - this.canvas.clientWidth / 2) / this.pixels(right) - 0.5);
    point[down] += Math.round((y - this.canvas.clientHeight / 2) / this.pixels(down) - 0.5);
    const labels = [this.name, this.other].find((name) => name && LABELS.has(this.repo.DataInstances[name].Base.TypeName));
    const place = `at ${point.join(", ")}`;
    if (!labels) {
      this.told.textContent = `Voxel ${place}`;
      return;
    }
    try {
      const { Label } = await json(`${node(this.uuid, labels)}/label/${point.join("_")}`);
      this.told.replaceChildren(String(Label) === "0" ? "No body " : "Body ", el("code", { class: "body" }, String(Label)), ` of ${labels} ${place}`);
    } catch (error) {
      this.told.textContent = error.message;
    }
  }
}
