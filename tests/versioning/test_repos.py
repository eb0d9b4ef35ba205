from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import Any

import pytest
from versioning.edits import Chain, logged, new_instance

from dvidpy.config import Settings
from dvidpy.errors import BadRequest, Busy, LockedVersion, UnknownInstance, UnknownVersion
from dvidpy.versioning.catalogue import find_instance
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Node, Repo
from dvidpy.versioning.repos import Repos

UUID = "0123456789abcdef" * 2


@pytest.fixture
def repos(datastore: Datastore) -> Repos:
    return datastore.repos


@pytest.fixture
def repo(repos: Repos) -> Repo:
    return repos.create("garden", "plants")


def _fresh(repos: Repos, repo: Repo) -> Repo:
    return repos.catalogue.repos[repo.record.root]


def _locked(repos: Repos, repo: Repo) -> Node:
    repos.commit(repo.root)
    return _fresh(repos, repo).root


# ---------------------------------------------------------------------- repos
def test_a_new_repo_has_one_open_version(repos: Repos) -> None:
    repo = repos.create("garden", "plants", root=UUID, passcode="secret")
    assert (repo.record.alias, repo.record.description, repo.record.passcode) == ("garden", "plants", "secret")
    assert [node.uuid for node in repo.nodes.values()] == [UUID]
    assert (repo.root.locked, repo.root.parents, repo.root.branch) == (False, (), "")


def test_a_uuid_is_given_once(repos: Repos) -> None:
    repos.create(root=UUID)
    with pytest.raises(BadRequest, match="there is already a version"):
        repos.create(root=UUID)
    assert len(repos.catalogue.repos) == 1


@pytest.mark.parametrize("uuid", ["", "a/b", "a:b", "a~b", "a^b", "a b", "a\n", "\x00", "a" * 201, "ü" * 101])
def test_uuids_that_no_version_can_have(repos: Repos, uuid: str) -> None:
    with pytest.raises(BadRequest, match="cannot be the name of a version"):
        repos.create(root=uuid)


def test_the_longest_name_of_a_version_makes_a_file_of_its_log(datastore: Datastore) -> None:
    chain = Chain(datastore)
    longest = datastore.repos.tag(chain.commit(), "ü" * 100)
    datastore.main.committer.commit(logged(chain.instance, longest, b"{}"))
    assert list(datastore.main.log.read(chain.instance.uuid, longest.uuid)) == [b"{}"]


def test_describing_keeps_what_is_not_named(repos: Repos, repo: Repo) -> None:
    repos.describe(repo, "wood", None)
    assert (_fresh(repos, repo).record.alias, _fresh(repos, repo).record.description) == ("wood", "plants")
    repos.describe(repo, None, "")
    assert (_fresh(repos, repo).record.alias, _fresh(repos, repo).record.description) == ("wood", "")


def test_the_log_of_a_repo_grows_also_where_a_version_is_locked(repos: Repos, repo: Repo) -> None:
    repos.add_log(repo.root, ["a line"])
    _locked(repos, repo)
    repos.add_repo_log(repo, ["one", "two"])
    repos.add_repo_log(repo, ["three"])
    record = _fresh(repos, repo).record
    assert [_text(line) for line in record.log] == ["one", "two", "three"]
    assert [_text(line) for line in _fresh(repos, repo).root.log] == ["a line"]


def _text(line: str) -> str:
    """Behind the time."""
    return line.split("  ", 1)[1]


# ---------------------------------------------------------------------- versions
def test_a_commit_locks_once(repos: Repos, repo: Repo) -> None:
    repos.set_note(repo.root, "first")
    repos.commit(repo.root, log=["one"])
    node = _fresh(repos, repo).root
    assert (node.locked, node.note, len(node.log)) == (True, "first", 1)
    with pytest.raises(LockedVersion, match="committed already"):
        repos.commit(node, "again")
    assert _fresh(repos, repo).root.note == "first"


def test_the_note_of_a_commit_replaces_the_old_one(repos: Repos, repo: Repo) -> None:
    repos.set_note(repo.root, "first")
    repos.commit(repo.root, "second")
    assert _fresh(repos, repo).root.note == "second"


@pytest.mark.parametrize("growth", ["new_version", "branch", "tag", "merge"])
def test_an_open_version_has_no_child(repos: Repos, repo: Repo, growth: str) -> None:
    grow: dict[str, Callable[[], Node]] = {
        "new_version": partial(repos.new_version, repo.root),
        "branch": partial(repos.branch, repo.root, "side"),
        "tag": partial(repos.tag, repo.root, "release"),
        "merge": partial(repos.merge, [repo.root, _other_child(repos, repo)]) if growth == "merge" else repos.create,  # type: ignore[dict-item]
    }
    with pytest.raises(BadRequest, match="not committed"):
        grow[growth]()


def _other_child(repos: Repos, repo: Repo) -> Node:
    """An open version beside the root."""
    root = _locked(repos, repo)
    child = repos.new_version(root)
    assert not child.locked
    return child


def test_one_child_on_a_branch(repos: Repos, repo: Repo) -> None:
    root = _locked(repos, repo)
    child = repos.new_version(root, "next", UUID)
    assert (child.uuid, child.note, child.branch, child.parents) == (UUID, "next", "", (root.version,))
    with pytest.raises(BadRequest, match="already has a child on its own branch"):
        repos.new_version(root)


def test_branches_have_names_of_their_own(repos: Repos, repo: Repo) -> None:
    root = _locked(repos, repo)
    side = repos.branch(root, "side")
    assert (side.branch, side.locked) == ("side", False)
    for name in ("", "master"):
        with pytest.raises(BadRequest, match="cannot create a master branch"):
            repos.branch(root, name)
    with pytest.raises(BadRequest, match="there is already a branch 'side'"):
        repos.branch(root, "side")
    repos.commit(side)
    assert repos.branch(side, "side").branch == "side"  # its own branch: a new version
    with pytest.raises(BadRequest, match="already has a child"):
        repos.branch(side, "side")


def test_a_tag_is_a_locked_child_of_that_name(repos: Repos, repo: Repo) -> None:
    root = _locked(repos, repo)
    tagged = repos.tag(root, "release-1")
    assert (tagged.uuid, tagged.branch, tagged.locked) == ("release-1", "tag-release-1", True)
    assert repos.catalogue.find("release-1").node == tagged
    with pytest.raises(BadRequest, match="there is already"):
        repos.tag(root, "release-1")


def test_merges(repos: Repos, repo: Repo) -> None:
    root = _locked(repos, repo)
    left, right = repos.new_version(root), repos.branch(root, "right")
    for node in (left, right):
        repos.commit(node)
    merged = repos.merge([left, right], "both")
    assert (merged.parents, merged.note, merged.locked) == ((left.version, right.version), "both", False)
    for parents, why in (
        ([left], "at least two different"),
        ([left, left], "at least two different"),
        ([left, left, right], "at least two different"),
        ([left, repos.create().root], "belong to one repo"),
    ):
        with pytest.raises(BadRequest, match=why):
            repos.merge(parents)


def test_heads_and_paths_of_branches(repos: Repos, repo: Repo) -> None:
    root = _locked(repos, repo)
    child, side = repos.new_version(root), repos.branch(root, "side")
    now = _fresh(repos, repo)
    assert [node.uuid for node in repos.catalogue.branch_path(now, "master")] == [child.uuid, root.uuid]
    assert [node.uuid for node in repos.catalogue.branch_path(now, "side")] == [side.uuid, root.uuid]
    assert repos.catalogue.branch_path(now, "none") == []
    assert repos.catalogue.sequence(root, side) == [now.root, side]
    with pytest.raises(UnknownVersion, match="no ancestor"):
        repos.catalogue.sequence(child, side)


def test_references(repos: Repos, repo: Repo) -> None:
    root = _locked(repos, repo)
    child = repos.new_version(root)
    find = repos.catalogue.find
    assert find(":master").node.uuid == child.uuid
    assert find(":master~1").node.uuid == root.uuid
    assert find(f"{root.uuid[:12]}:master").node.uuid == child.uuid
    for reference, why in ((":master~2", "no version 2 steps back"), (":none", "branch 'none' not found")):
        with pytest.raises(UnknownVersion, match=why):
            find(reference)
    repos.create()
    with pytest.raises(UnknownVersion, match="names no repo"):
        find(":master")


# ---------------------------------------------------------------------- instances
@pytest.mark.parametrize("name", ["", "a/b", "log", "branch", "note", "commit", "newversion", "a\x00", "a\n"])
def test_names_that_no_instance_can_have(datastore: Datastore, repo: Repo, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be the name of a data instance"):
        new_instance(datastore, repo, name)


def test_instances_have_names_of_their_own_in_a_repo(datastore: Datastore, repo: Repo) -> None:
    notes = new_instance(datastore, repo, "notes")
    with pytest.raises(BadRequest, match="there is already a data instance named 'notes'"):
        new_instance(datastore, repo, "notes")
    elsewhere = new_instance(datastore, datastore.repos.create(), "notes")
    assert notes.number != elsewhere.number
    assert find_instance(_fresh(datastore.repos, repo), "notes") == notes
    with pytest.raises(UnknownInstance, match="Data 'none' not found"):
        find_instance(repo, "none")


def test_an_instance_that_cannot_be_made_leaves_nothing(datastore: Datastore, repo: Repo) -> None:
    def fail(number: int, data: str) -> Any:
        raise BadRequest("no such setting")

    with pytest.raises(BadRequest, match="no such setting"):
        datastore.repos.add_instance(repo, "notes", fail)
    assert new_instance(datastore, repo).number == 1


def test_instances_change(datastore: Datastore, repo: Repo) -> None:
    notes = new_instance(datastore, repo)
    datastore.repos.change_instance(notes, tags={"a": "1"})
    changed = datastore.repos.update_instance(notes, lambda now: {"tags": {**(now.tags or {}), "b": "2"}})
    assert changed.tags == {"a": "1", "b": "2"}


# ---------------------------------------------------------------------- what a restart finds
def test_all_records_outlive_a_restart(settings: Settings) -> None:
    with closing(Datastore(settings)) as before:
        chain = Chain(before)
        chain.commit()
        before.repos.add_repo_log(chain.repo, ["a line"])
        before.repos.change_instance(chain.instance, tags={"a": "1"}, settings={"x": [1]})
        before.repos.create("second")
        shown = _records(before)
        numbers = before.repos._counters
    with closing(Datastore(settings)) as after:
        assert _records(after) == shown
        assert after.repos._counters == numbers
        assert check_datastore(after).faults == []


def _records(datastore: Datastore) -> list[Any]:
    return [(repo.record, repo.nodes, repo.instances) for repo in datastore.catalogue.repos.values()]


# ---------------------------------------------------------------------- many at once
ROUNDS, THREADS = 12, 4


@pytest.mark.parametrize("engine", ["leveldb", "memory"], indirect=True)
def test_repos_versions_and_instances_from_many_threads_beside_readers(datastore: Datastore) -> None:
    """The reference dies of it."""
    shared = datastore.repos.create("shared")
    wrong: list[BaseException] = []
    over = threading.Event()

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # told by the test
            wrong.append(error)

    readers = [threading.Thread(target=guarded, args=(partial(_read_all, datastore, over),)) for _ in range(2)]
    builders = [
        threading.Thread(target=guarded, args=(partial(_build, datastore, shared, name),)) for name in range(THREADS)
    ]
    for thread in (*readers, *builders):
        thread.start()
    for thread in builders:
        thread.join()
    over.set()
    for thread in readers:
        thread.join()
    assert wrong == []
    _demand_all_there(datastore, shared)


def _build(datastore: Datastore, shared: Repo, name: int) -> None:
    repos = datastore.repos
    for turn in range(ROUNDS):
        repo = repos.create(f"{name}-{turn}")
        new_instance(datastore, repo, "own")
        new_instance(datastore, shared, f"data-{name}-{turn}")
        repos.commit(repo.root)
        repos.new_version(repo.root)
        repos.branch(repo.root, "side")
        repos.add_repo_log(shared, [f"{name}-{turn}"])


def _read_all(datastore: Datastore, over: threading.Event) -> None:
    catalogue = datastore.catalogue
    while not over.is_set():
        for repo in catalogue.repos.values():
            for node in repo.nodes.values():
                assert catalogue.find(node.uuid).node.version == node.version
                assert catalogue.ancestries.of(node.version).version == node.version
            assert catalogue.find(f"{repo.record.root}:master").repo.record.number == repo.record.number
        assert all(instance.number == number for number, instance in catalogue.instances().items())


def _demand_all_there(datastore: Datastore, shared: Repo) -> None:
    catalogue = datastore.catalogue
    assert len(catalogue.repos) == 1 + THREADS * ROUNDS
    assert len(catalogue.instances()) == 2 * THREADS * ROUNDS
    assert len(_fresh(datastore.repos, shared).record.log) == THREADS * ROUNDS
    versions = [node.version for repo in catalogue.repos.values() for node in repo.nodes.values()]
    assert sorted(versions) == list(range(1, 2 + 3 * THREADS * ROUNDS))


def test_of_many_who_ask_for_the_same_one_gets_it(datastore: Datastore) -> None:
    chain = Chain(datastore)
    parent = chain.commit()
    got: list[str] = []

    def race() -> None:
        for wish in (
            partial(datastore.repos.create, root=UUID),
            partial(datastore.repos.branch, parent, "side"),
            partial(datastore.repos.commit, chain.node),
            partial(new_instance, datastore, chain.repo, "wanted"),
        ):
            with suppress(BadRequest, Busy):
                wish()
                got.append(str(wish.func.__name__))

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name in got if name != "commit") == ["branch", "create", "new_instance"]
    assert got.count("commit") == 1
