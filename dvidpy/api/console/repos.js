// All repos of the server, and the form for a new one.

import { bear, json, post } from "./api.js";
import { el, field, form, show, when } from "./dom.js";

export async function reposPage() {
  const [repos, state] = await Promise.all([json("/api/repos/info"), json("/dvidpy/state.json")]);
  const newest = Object.values(repos).sort((a, b) => (a.Updated < b.Updated ? 1 : -1));
  show(
    "dvidpy",
    el("h1", {}, newest.length ? "Repos" : "This server has no repos yet"),
    el("ul", { class: "cards" }, newest.map(card)),
    state.may_create ? newRepo() : admin(),
  );
}

function card(repo) {
  const versions = Object.values(repo.DAG.Nodes);
  const open = versions.filter((version) => !version.Locked).length;
  const names = Object.keys(repo.DataInstances);
  return el(
    "li",
    { class: "card" },
    el("h2", {}, el("a", { href: `#/repo/${repo.Root}` }, repo.Alias || repo.Root.slice(0, 12))),
    repo.Description && el("p", {}, repo.Description),
    el("p", {}, `${counted(versions.length, "version")}, ${open} open; ${counted(names.length, "instance")}`),
    el("p", { class: "quiet" }, el("span", { class: "id" }, repo.Root.slice(0, 12)), " · changed ", when(repo.Updated)),
  );
}

const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** Whoever has the token may make repos, and sees what is stored where. */
function admin() {
  const input = { type: "password", required: true, autocomplete: "off" };
  return el(
    "details",
    {},
    el("summary", {}, "New repos need the admin token"),
    form("Admin token", [field("Admin token, kept until the page is closed", "token", input)], "Use it", async ({ token }) => {
      bear(token);
      if ((await json("/dvidpy/state.json")).may_create) return reposPage();
      bear("");
      throw new Error("That is not the admin token of this server.");
    }),
  );
}

function newRepo() {
  return el(
    "details",
    {},
    el("summary", {}, "New repo"),
    form("New repo", [field("Name", "alias", { required: true }), field("Description", "description")], "Create", async (given) => {
      const { root } = await post("/api/repos", given);
      location.hash = `#/repo/${root}`;
    }),
  );
}
