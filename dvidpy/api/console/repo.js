// One repo: its versions, what can be done with the chosen one, and the instances as it sees them.

import { json } from "./api.js";
import { newInstance } from "./create.js";
import { dag } from "./dag.js";
import { el, show } from "./dom.js";
import { instanceTable } from "./instances.js";
import { versionPanel } from "./version.js";

export async function repoPage([root, wanted], query) {
  const repo = await json(`/api/repo/${encodeURIComponent(root)}/info`);
  const state = await json(`/dvidpy/state.json?repo=${repo.Root}`);
  const chosen = wanted ? repo.DAG.Nodes[wanted] : head(repo);
  if (!chosen) throw new Error(`The repo has no version ${wanted}.`);
  const again = (uuid) => {
    const there = `#/repo/${repo.Root}/${uuid}`;
    if (location.hash === there) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = there;
  };
  show(
    repo.Alias || repo.Root.slice(0, 12),
    el("h1", {}, repo.Alias || repo.Root.slice(0, 12)),
    repo.Description && el("p", {}, repo.Description),
    el(
      "div",
      { class: "halves" },
      el("section", { "aria-labelledby": "versions" }, el("h2", { id: "versions" }, "Versions"), dag(repo, chosen.UUID, query.has("all"))),
      el("section", { "aria-labelledby": "version" }, versionPanel(repo, chosen, again)),
    ),
    el("section", { "aria-labelledby": "instances" }, el("h2", { id: "instances" }, "Instances"), instanceTable(repo, chosen, state), newInstance(repo, chosen, again)),
    repo.Log.length > 0 && log(repo.Log),
  );
}

/** The newest version of master, else the newest of all. */
function head(repo) {
  const nodes = Object.values(repo.DAG.Nodes).sort((a, b) => b.VersionID - a.VersionID);
  return nodes.find((version) => version.Branch === "") ?? nodes[0];
}

function log(lines) {
  return el("details", {}, el("summary", {}, `Log of the repo (${lines.length})`), el("ul", {}, lines.map((line) => el("li", {}, line))));
}
