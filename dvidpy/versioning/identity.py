"""Whether the stores of a configuration are those that this data was written to: an edit of the TOML hides nothing.

Each store knows the main store it belongs to (HOME), and the main store knows the store behind each name (KNOWN). What
is in memory is gone at the end anyway, and neither knows nor is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from dvidpy.config import Settings, Spec
from dvidpy.errors import StoreError
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.catalogue import Catalogue
from dvidpy.versioning.metadata import HOME, known_key, read_text, store_uuid
from dvidpy.versioning.records import Instance


def demand_same_stores(settings: Settings, stores: Mapping[str, KeyValueStore], catalogue: Catalogue) -> None:
    """StoreError where the configuration would look for something where it is not; nothing is written."""
    main = settings.default_store()
    _demand_home(settings, stores, main)
    for repo in catalogue.repos.values():
        for instance in repo.instances.values():
            _demand_store(settings, stores, main, instance)
            _demand_rule(settings, instance, list(repo.instances))
            _demand_log(settings, instance)


def remember_stores(settings: Settings, stores: Mapping[str, KeyValueStore]) -> None:
    """Write down which stores belong together."""
    main = settings.default_store()
    if not _lasts(settings, main):
        return
    home = store_uuid(stores[main])
    for name, store in stores.items():
        if not _lasts(settings, name):
            continue
        if read_text(store, HOME) != home:
            store.batch([(HOME, home.encode())], sync=True)
        uuid = store_uuid(store)
        if read_text(stores[main], known_key(name)) != uuid:
            stores[main].batch([(known_key(name), uuid.encode())], sync=True)


def _lasts(settings: Settings, name: str) -> bool:
    return settings.stores[name].engine != "memory"


def _demand_home(settings: Settings, stores: Mapping[str, KeyValueStore], main: str) -> None:
    if not _lasts(settings, main):
        return
    home = store_uuid(stores[main])
    for name, store in stores.items():
        if read_text(store, HOME) not in ("", home):
            raise StoreError(
                f"the store {name!r} ({store.description}) belongs to repos that are in another store than {main!r}: "
                "backend.metadata, else backend.default, must name the store that holds the repos"
            )


def _demand_store(settings: Settings, stores: Mapping[str, KeyValueStore], main: str, instance: Instance) -> None:
    name = instance.store
    if name not in stores:
        raise StoreError(
            f"the values of {instance.name!r} in repo {instance.repo} are in the store {name!r}, "
            "which is not configured"
        )
    known = read_text(stores[main], known_key(name))
    if known not in ("", store_uuid(stores[name])):
        raise StoreError(
            f"the store {name!r} ({stores[name].description}) is not the one that holds the values of "
            f"{instance.name!r} in repo {instance.repo}: its engine or path was changed"
        )


def _demand_rule(settings: Settings, instance: Instance, neighbours: list[str]) -> None:
    spec = spec_of(instance)
    if not settings.may_lie_in(instance.store, spec, neighbours):
        place = f"{instance.name}:{instance.repo}"
        raise StoreError(
            f"the values of {instance.name!r} in repo {instance.repo} are in the store {instance.store!r}, and this "
            f"configuration would look for them in {settings.store_for(spec)!r}. Values are not moved: "
            f"[backend.\"{place}\"] with store = '{instance.store}' keeps them where they are"
        )


def _demand_log(settings: Settings, instance: Instance) -> None:
    if instance.log and settings.log_folder(instance.log) is None:
        raise StoreError(
            f"the mutation log of {instance.name!r} in repo {instance.repo} is in the store {instance.log!r}, "
            "which is not configured"
        )


def spec_of(instance: Instance) -> Spec:
    """What the store of an instance is chosen by, as it now is."""
    return Spec(instance.name, instance.repo, instance.uuid, instance.tags or {}, instance.type)
