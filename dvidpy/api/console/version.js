// The chosen version: what is known of it, and what can be done with it.

import { json, node, post, user } from "./api.js";
import { branchOf, tagOf } from "./dag.js";
import { el, field, form, say, when } from "./dom.js";

export function versionPanel(repo, version, again) {
  const tag = tagOf(version);
  return el(
    "div",
    { class: "card" },
    el("h2", { id: "version" }, "Version ", el("span", { class: "id" }, version.UUID.slice(0, 10))),
    el(
      "dl",
      {},
      fact("State", version.Locked ? el("span", { class: "locked" }, "committed, never changes") : el("span", { class: "open" }, "open for edits")),
      fact("Branch", branchOf(version)),
      tag && fact("Tag", tag),
      fact("Note", version.Note || "none"),
      fact("Made", when(version.Created)),
      fact("Changed", when(version.Updated)),
      fact("Parents", parents(repo, version)),
      fact("Uuid", el("code", {}, version.UUID)),
    ),
    version.Log.length > 0 && el("details", { open: version.Log.length < 6 }, el("summary", {}, "Log"), el("ul", {}, version.Log.map((line) => el("li", {}, line)))),
    editors(repo, version),
    version.Locked ? growth(version, again) : changes(version, again),
  );
}

const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];

function parents(repo, version) {
  const byId = new Map(Object.values(repo.DAG.Nodes).map((one) => [one.VersionID, one]));
  const links = version.Parents.filter((id) => byId.has(id)).map((id) => {
    const { UUID } = byId.get(id);
    return [el("a", { href: `#/repo/${repo.Root}/${UUID}`, class: "id" }, UUID.slice(0, 10)), " "];
  });
  return links.length ? links.flat() : "none, the first one";
}

// ---------------------------------------------------------------- who
/** Who changed what, of the records of mutations; asked for when somebody wants to know. */
function editors(repo, version) {
  const place = el("div", { class: "wide" }, el("p", {}, "Asking…"));
  const asked = el("details", {}, el("summary", {}, "Who edited it"), place);
  asked.addEventListener("toggle", async () => place.replaceChildren(await told(repo, version)), { once: true });
  return asked;
}

async function told(repo, version) {
  const names = Object.keys(repo.DataInstances);
  const records = await Promise.all(names.map((name) => json(`${node(version.UUID, name)}/mutations`).catch(() => [])));
  const seen = new Map();
  names.forEach((name, at) => {
    for (const { User, Timestamp } of records[at] ?? []) {
      const key = `${User || "no name given"}\n${name}`;
      const one = seen.get(key) ?? { count: 0, last: "" };
      seen.set(key, { count: one.count + 1, last: Timestamp > one.last ? Timestamp : one.last });
    }
  });
  if (!seen.size) return el("p", {}, "No edits are recorded.");
  const rows = [...seen].map(([key, { count, last }]) => {
    const [who, name] = key.split("\n");
    return el("tr", {}, el("td", {}, who), el("td", {}, name), el("td", { class: "number" }, String(count)), el("td", {}, when(last.replace(" ", "T"))));
  });
  const heads = ["Who", "Instance", "Edits", "Last"].map((head) => el("th", { scope: "col" }, head));
  return el("table", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows));
}

// ---------------------------------------------------------------- what can be done
/** The name of who works here goes into the log of the version: the server keeps no other record of it. */
const signed = (text) => (user() ? [`${user()}: ${text}`] : []);

function changes(version, again) {
  const path = node(version.UUID);
  return [
    form("Save the note", [field("Note of this version", "note", { value: version.Note }, "textarea")], "Save note", async ({ note }) => {
      await post(`${path}/note`, { note });
      say("The note is saved.");
      again(version.UUID);
    }),
    form("Log", [field("Line for the log", "line", { required: true })], "Add to log", async ({ line }) => {
      await post(`${path}/log`, { log: user() ? signed(line) : [line] });
      say("The line is added.");
      again(version.UUID);
    }),
    el(
      "fieldset",
      {},
      el("legend", {}, "Commit"),
      el("p", {}, "A committed version never changes again; work goes on in its children."),
      form("Commit this version", [field("Note of the commit", "note", { value: version.Note, required: true })], "Commit", async ({ note }) => {
        await post(`${path}/commit`, { note, log: signed("committed") });
        say("The version is committed.");
        again(version.UUID);
      }),
    ),
  ];
}

function growth(version, again) {
  const path = node(version.UUID);
  const grow = (action, done) => async (given) => {
    const { child } = await post(`${path}/${action}`, given);
    if (action !== "tag" && user()) await post(`${node(child)}/log`, { log: signed(done) });
    say(`The version ${child.slice(0, 10)} is made.`);
    again(child);
  };
  return [
    form("Make a version", [field("Note of the new version", "note")], "New version", grow("newversion", "made this version")),
    form(
      "Make a branch",
      [field("Name of the branch", "branch", { required: true }), field("Note of the branch", "note")],
      "New branch",
      grow("branch", "made this branch"),
    ),
    form("Make a tag", [field("Name of the tag", "tag", { required: true })], "Tag this version", grow("tag", "")),
  ];
}
