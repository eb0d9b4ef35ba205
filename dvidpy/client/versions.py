"""Versions of a repo: instances in them, commits, branches."""

from __future__ import annotations

from typing import Any

from dvidpy.client.instances import Instance
from dvidpy.client.labels import LabelMap
from dvidpy.client.line import Line, path_of
from dvidpy.client.records import Annotations, KeyValue, NeuronJson
from dvidpy.client.volumes import Image


class Version:
    """A version as it was asked for: a uuid, its beginning, uuid:branch. Nothing is asked before it is needed."""

    def __init__(self, line: Line, uuid: str, progress: bool | None = None) -> None:
        self.line = line
        self.uuid = uuid
        self.progress = progress

    def __repr__(self) -> str:
        return f"Version({self.uuid!r})"

    # ------------------------------------------------------------------ instances
    def image(self, name: str) -> Image:
        """An instance of the imageblk family."""
        return Image(self.line, self.uuid, name, self.progress)

    def labelmap(self, name: str) -> LabelMap:
        """A segmentation."""
        return LabelMap(self.line, self.uuid, name, self.progress)

    def keyvalue(self, name: str) -> KeyValue:
        """Values by key."""
        return KeyValue(self.line, self.uuid, name, self.progress)

    def neuronjson(self, name: str) -> NeuronJson:
        """Annotations of bodies."""
        return NeuronJson(self.line, self.uuid, name, self.progress)

    def annotation(self, name: str) -> Annotations:
        """Elements at points."""
        return Annotations(self.line, self.uuid, name, self.progress)

    def instance(self, name: str) -> Instance:
        """Any instance."""
        return Instance(self.line, self.uuid, name, self.progress)

    def instances(self) -> dict[str, str]:
        """Name -> datatype of all instances of the repo."""
        return {name: one["Base"]["TypeName"] for name, one in self.repo_info()["DataInstances"].items()}

    def new_instance(self, typename: str, name: str, **settings: Any) -> Instance:
        """Make an instance; settings as the server takes them, lists as their numbers with commas between."""
        given = {key: ",".join(map(str, v)) if isinstance(v, list | tuple) else str(v) for key, v in settings.items()}
        self.line.ask("POST", path_of("repo", self.uuid, "instance"), {"typename": typename, "dataname": name, **given})
        return self.instance(name)

    # ------------------------------------------------------------------ versions
    def repo_info(self) -> dict[str, Any]:
        """What the server tells of the whole repo."""
        found: dict[str, Any] = self.line.json("GET", path_of("repo", self.uuid, "info"))
        return found

    def is_locked(self) -> bool:
        """It is committed."""
        return bool(self.line.json("GET", path_of("node", self.uuid, "commit"))["Locked"])

    def commit(self, note: str = "", log: list[str] | None = None) -> None:
        """Lock it for ever."""
        self.line.ask("POST", path_of("node", self.uuid, "commit"), {"note": note, "log": log or []})

    def new_version(self, note: str = "") -> Version:
        """An open child on the same branch."""
        return self._child("newversion", {"note": note})

    def new_branch(self, branch: str, note: str = "") -> Version:
        """An open child on a new branch."""
        return self._child("branch", {"branch": branch, "note": note})

    def branch(self, name: str = "master") -> list[Version]:
        """Versions of a branch back to the root, newest first; none where there is no such branch."""
        found = self.line.json("GET", path_of("repo", self.uuid, "branch-versions", name))
        return [Version(self.line, uuid, self.progress) for uuid in found]

    def branches(self) -> list[str]:
        """Names of all branches; that of the root is master."""
        nodes = self.repo_info()["DAG"]["Nodes"].values()
        return sorted({node.get("Branch") or "master" for node in nodes})

    def _child(self, how: str, given: dict[str, str]) -> Version:
        made = self.line.json("POST", path_of("node", self.uuid, how), given)
        return Version(self.line, str(made["child"]), self.progress)
