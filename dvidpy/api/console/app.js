// Which page an address shows. Pages are functions of the parts of the address behind "#/".

import { el, show } from "./dom.js";
import { repoPage } from "./repo.js";
import { reposPage } from "./repos.js";
import { serverPage } from "./server.js";
import { slicesPage } from "./slices.js";

const PAGES = { "": reposPage, server: serverPage, repo: repoPage, slices: slicesPage };

let leave = null;
let turn = 0;
let shown = "";

/** Shows the page of the address; what the last one had going on ends. */
async function turnTo() {
  const mine = ++turn;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...parts] = path.split("/").map(decodeURIComponent);
  leave?.();
  leave = null;
  if (name !== shown) scrollTo(0, 0); // another version of the same repo leaves the page where it is
  shown = name;
  try {
    if (!PAGES[name]) throw new Error(`There is no page ${name}.`);
    const left = await PAGES[name](parts, new URLSearchParams(query));
    if (mine === turn) leave = left ?? null;
    else left?.();
  } catch (error) {
    show("Not shown", el("h1", {}, "This cannot be shown"), el("p", { role: "alert" }, error.message), el("p", {}, el("a", { href: "#/" }, "All repos")));
  }
}

function rememberUser() {
  const input = document.getElementById("user");
  input.value = localStorage.getItem("user") ?? "";
  input.addEventListener("change", () => localStorage.setItem("user", input.value));
}

rememberUser();
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the part behind # is the page's
  document.getElementById("main").focus();
});
addEventListener("hashchange", turnTo);
turnTo();
