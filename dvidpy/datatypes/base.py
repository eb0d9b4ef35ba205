"""The contract of a datatype, and what its handlers receive.

To add a datatype: copy `keyvalue/`, write its routes on a `Room`, and name its `DATATYPES` under the entry points
`dvidpy.datatypes`. A handler's first parameter is its subject, ready: `kv: Annotated[KeyValue, Here]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import Depends
from msgspec import Raw

from dvidpy.datatypes.exchange import Call
from dvidpy.datatypes.rooms import Room
from dvidpy.datatypes.settings import Given
from dvidpy.errors import BadRequest
from dvidpy.storage.codecs import Codec, parse_codec
from dvidpy.versioning.catalogue import find_instance
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Duties
from dvidpy.versioning.mutations import Mutation
from dvidpy.versioning.records import Instance, Node, Repo
from dvidpy.versioning.store import View

if TYPE_CHECKING:
    from dvidpy.datatypes.events import Event, Heard


def _given_by_dispatch() -> Any:
    raise AssertionError("handed in by the dispatcher, never called")


Here = Depends(_given_by_dispatch)
"""Marks the parameter that receives the data instance at the version asked for."""


class Data:
    """A data instance at one version: what a handler works on. Types derive their own subject from it."""

    __slots__ = ("call", "datastore", "instance", "node", "repo", "view")

    def __init__(self, datastore: Datastore, repo: Repo, node: Node, instance: Instance, call: Call | None) -> None:
        self.datastore = datastore
        self.repo = repo
        self.node = node
        """The version that was asked for."""
        self.instance = instance
        self.call = call
        self.view: View = datastore.values(instance).at(self.version)

    @property
    def version(self) -> int:
        """The version whose values are meant: the root's where the instance is unversioned."""
        return self.node.version if self.instance.versioned else self.instance.root_version

    @property
    def version_uuid(self) -> str:
        """Uuid of that version."""
        return self.node.uuid if self.instance.versioned else self.repo.record.root

    @property
    def is_settled(self) -> bool:
        """Only a forced edit would change its values: they are those of a committed version."""
        return self.instance.versioned and self.node.locked

    def sibling(self, name: str) -> Instance:
        """Another instance of the repo; UnknownInstance where there is none of that name."""
        return find_instance(self.repo, name)

    def change(self, *messages: Raw, sync: bool = True) -> Change:
        """An edit of this version; `messages` are what the mutation log says of it."""
        change = self.view.change(sync=sync)
        if messages:
            change.mutation = Mutation(
                self.instance.number, self.version, self.instance.uuid, self.version_uuid, list(messages)
            )
        return change

    def info(self) -> dict[str, Any]:
        """What `info` shows, in the reference's words."""
        return {"Base": base_info(self), "Extended": self.extended()}

    def listed(self) -> dict[str, Any]:
        """The same in the list of all repos, which viewers read."""
        return self.info()

    def extended(self) -> dict[str, Any]:
        """The type's own part of `info`."""
        return {}

    def passing(self) -> object:
        """What `info` shows beside what is stored, to be compared: as long as it is the same, `info` may be kept."""
        return None


Settings = Callable[[Given], dict[str, Any]]


def _no_settings(given: Given) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class DataType:
    """One datatype: its name, its routes, its words."""

    name: str
    """As in POST instance; also the tag of its routes on the documentation page."""
    url: str
    """Where the reference keeps its implementation; clients show it."""
    rooms: tuple[Room, ...]
    """Routes; paths begin behind the instance name: "/key/{key}"."""
    subject: type[Data] = Data
    """What its handlers receive."""
    help: str = ""
    """Text of /api/help/<name>."""
    version: str = "0.2"
    settings: Settings = _no_settings
    """Settings at creation -> what the instance keeps; BadRequest for those that make no sense."""
    codec: Callable[[Given, dict[str, Any]], Codec] = field(
        default=lambda given, settings: parse_codec(given.text("compression"), given.text("checksum"))
    )
    """How its values are packed."""
    head: bool | frozenset[str] = True
    """GET routes answer HEAD too: all, none, or those of these keywords."""
    any_method: frozenset[str] = frozenset()
    """Keywords whose GET answers all other methods too, or "POST arb" that one, as the reference does not ask there."""
    companions: Callable[[Instance], Sequence[Instance]] = lambda instance: ()
    """Record of a new instance -> those of the instances that are made with it; they get numbers of their own."""
    duties: Duties = field(default_factory=Duties)
    """What it does beside answering requests."""
    syncs_with: tuple[str, ...] = ()
    """Types whose instances it can follow; none: POST sync is refused."""
    told_of: tuple[str, ...] = ("BlocksChanged", "BodiesChanged", "ElementsChanged")
    """Names of the events that it wants to hear of, among those of `events`."""
    hears: Callable[[Any, Heard], None] = lambda data, heard: None
    """Told of an event of what an instance follows; see `events`."""
    concerned: Callable[[Any, Event], bool] | None = None
    """Whether an event may change anything of it, while nobody edits it: a quick look. None: it is told in any case."""
    synced: Callable[[Any], None] = lambda data: None
    """Told that an instance was given what it follows, as part of that request."""
    told_settings: Callable[[Given], Mapping[str, str]] = lambda given: {}
    """Settings that the log of the repo tells of a new instance, also where they were left out."""
    omits: tuple[str, ...] = ()
    """Keywords of `every_type` that it does not answer, as in the reference."""

    def reads_by(self, method: str, keyword: str) -> bool:
        """Whether a method that has no handler of its own is answered as GET."""
        return keyword in self.any_method or f"{method} {keyword}" in self.any_method

    def maker(self, given: Given) -> Callable[..., Instance]:
        """Makes the record of a new instance from its other fields. Settings are read now, which may take long."""
        settings = self.settings(given)
        return partial(
            Instance,
            type=self.name,
            versioned=given.flag("versioned", default=True),
            codec=self.codec(given, settings),
            tags=given.tags(),
            settings=settings,
        )

    def make_instance(self, given: Given, **record: Any) -> Instance:
        """The record of a new instance."""
        return self.maker(given)(**record)


Types = Mapping[str, DataType]


def base_info(data: Data) -> dict[str, Any]:
    """The part of `info` that all types share."""
    instance = data.instance
    kind = TYPES[instance.type]
    stack = data.datastore.stack_of(instance)
    followed = [data.datastore.catalogue.by_data(data.repo, uuid) for uuid in instance.syncs]
    return {
        "TypeName": instance.type,
        "TypeURL": kind.url,
        "TypeVersion": kind.version,
        "DataUUID": instance.uuid,
        "Name": instance.name,
        "RepoUUID": instance.repo,
        "Compression": instance.codec.describe(),
        "Checksum": instance.codec.describe_checksum(),
        "Syncs": [other.name for other in followed if other is not None],
        "Versioned": instance.versioned,
        "KVStore": stack.store.description,
        "LogStore": "",
        "Tags": instance.tags,
    }


TYPES: dict[str, DataType] = {}
"""All datatypes by name; filled by `registry`."""


def type_named(name: str) -> DataType:
    """Datatype of that name; BadRequest where there is none."""
    if name not in TYPES:
        raise BadRequest(f"Could not find datatype {name!r} within the types of this server")
    return TYPES[name]
