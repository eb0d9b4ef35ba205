from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from versioning.edits import Chain, contents, logged, new_instance, put, stored

from dvidpy.config import Settings, StoreSettings
from dvidpy.errors import BadRequest, Busy, NotPrivileged, UnknownInstance, UnknownVersion
from dvidpy.storage import keys
from dvidpy.versioning import freeing
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.large import PART
from dvidpy.versioning.queue import FREE, Task


@pytest.fixture(autouse=True)
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeing, "STEP", 7)


def _fill(chain: Chain, edits: int = 30) -> None:
    """Values, a large one, and records of edits."""
    committer = chain.datastore.stack_of(chain.instance).committer
    for number in range(edits):
        put(chain.view(), f"key{number}", b"value")
        committer.commit(logged(chain.instance, chain.node, b'{"n":%d}' % number))
    put(chain.view(), "large", bytes(3 * PART))


def _settle(datastore: Datastore) -> None:
    for queue in datastore.queues():
        until = threading.Event()
        for _ in range(2000):
            if queue.length() == 0:
                break
            until.wait(0.005)
        assert queue.length() == 0


def _left(datastore: Datastore, number: int) -> list[bytes]:
    """Keys and files of an instance."""
    store = datastore.main.store
    found = stored(store, keys.instance_prefix(number)) + stored(store, keys.part_prefix(number))
    return found + [keys.mutation_key(m.id) for m in datastore.main.log.records() if m.instance == number]


@pytest.mark.parametrize("engine", ["leveldb", "memory"], indirect=True)
def test_all_of_an_instance_goes_and_nothing_of_others(datastore: Datastore) -> None:
    gone, kept = Chain(datastore), Chain(datastore)
    for chain in (gone, kept):
        _fill(chain)
    before = _left(datastore, kept.instance.number)
    datastore.delete_instance(gone.instance)
    assert gone.repo.instances == {}
    _settle(datastore)
    assert _left(datastore, gone.instance.number) == []
    assert [name for name in datastore.main.log.lines.names() if name.startswith(gone.instance.uuid)] == []
    assert _left(datastore, kept.instance.number) == before
    assert len(contents(kept.view())) == 31
    assert len(list(datastore.main.log.read(kept.instance.uuid, kept.node.uuid))) == 30
    assert datastore.repos.deleted == {}


def test_a_repo_goes_with_all_its_instances_and_versions(datastore: Datastore) -> None:
    chain = Chain(datastore)
    other = new_instance(datastore, chain.repo, "other")
    _fill(chain)
    put(datastore.values(other).at(chain.node.version), "a", b"1")
    chain.commit()
    chain.branch(chain.repo.root, "side")
    repo = chain.repo
    datastore.delete_repo(repo)
    assert datastore.catalogue.repos == {}
    for node in repo.nodes.values():
        with pytest.raises(UnknownVersion):
            datastore.catalogue.find(node.uuid)
        with pytest.raises(UnknownVersion):
            datastore.repos.set_note(node, "late")
    with pytest.raises(UnknownVersion):
        datastore.repos.describe(repo, "late", None)
    _settle(datastore)
    assert _left(datastore, chain.instance.number) + _left(datastore, other.number) == []
    assert datastore.repos.create(root=repo.record.root).record.number > repo.record.number


def test_numbers_are_not_used_again(settings: Settings) -> None:
    numbers = []
    for _ in range(3):
        with closing(Datastore(settings)) as datastore:
            chain = Chain(datastore)
            numbers.append(chain.instance.number)
            datastore.delete_repo(chain.repo)
            _settle(datastore)
    assert numbers == sorted(set(numbers))


def test_half_way_nothing_is_wrong_and_the_next_start_goes_on(settings: Settings) -> None:
    with closing(Datastore(settings, working=False)) as datastore:
        chain = Chain(datastore)
        _fill(chain)
        datastore.delete_instance(chain.instance)
    steps = 0
    while True:
        with closing(Datastore(settings, working=False)) as looked:
            report = check_datastore(looked)
            assert report.faults == []
            assert chain.root in looked.catalogue.repos
            assert looked.catalogue.repos[chain.root].instances == {}
            task = next(((key, task) for key, task in looked.main.queue.pending()), None)
            if task is None:
                break
            looked.main.queue._do_all([task])  # one step a start
            steps += 1
    assert steps > 10
    with closing(Datastore(settings)) as datastore:
        assert _left(datastore, chain.instance.number) == []
        assert datastore.repos.deleted == {}


def test_a_crash_before_freeing_was_asked_for(settings: Settings) -> None:
    with closing(Datastore(settings)) as datastore:
        chain = Chain(datastore)
        _fill(chain)
        datastore.repos.delete_instance(chain.instance)  # and no more
    with closing(Datastore(settings)) as again:
        _settle(again)
        assert _left(again, chain.instance.number) == []
        assert again.repos.deleted == {}
        assert check_datastore(again).faults == []


def test_a_last_step_that_is_repeated_does_no_harm(datastore: Datastore) -> None:
    chain, other = Chain(datastore), Chain(datastore)
    _fill(other)
    datastore.repos.delete_instance(chain.instance)
    doomed = list(datastore.repos.deleted.values())
    for _ in range(2):
        datastore._ask_to_free(datastore.main, doomed)
        _settle(datastore)
    assert len(contents(other.view())) == 31


def test_instances_in_several_stores(settings: Settings, tmp_path: Path) -> None:
    other = StoreSettings(engine="leveldb", path=str(tmp_path / "other"))
    both = settings.model_copy(update={"stores": settings.stores | {"other": other}})
    with closing(Datastore(both)) as datastore:
        chain = Chain(datastore)
        away = new_instance(datastore, chain.repo, "away", store="other")
        put(datastore.values(away).at(chain.node.version), "a", b"1")
        datastore.delete_repo(chain.repo)
        _settle(datastore)
        assert stored(datastore.stacks["other"].store, keys.instance_prefix(away.number)) == []
        assert datastore.repos.deleted == {}
        assert check_datastore(datastore).faults == []


# ---------------------------------------------------------------------- edits under way
def test_an_edit_that_comes_late_is_refused(datastore: Datastore) -> None:
    chain = Chain(datastore)
    view = chain.view()
    change = view.change()
    view.put(change, b"\x01a\x00\x01", b"late")
    datastore.delete_instance(chain.instance)
    with pytest.raises(UnknownInstance, match="was deleted"):
        view.commit(change)
    with pytest.raises(UnknownInstance, match="was deleted"):
        datastore.repos.change_instance(chain.instance, tags={"a": "b"})
    with pytest.raises(UnknownInstance, match="was deleted"):
        datastore.repos.rename_instance(chain.instance, "other")
    with pytest.raises(UnknownInstance, match="was deleted"):
        datastore.delete_instance(chain.instance)


def test_edits_race_a_deletion(datastore: Datastore) -> None:
    """Some are kept, then all are refused; nothing is left in the end."""
    for _ in range(5):
        chain = Chain(datastore)
        said: list[str] = []

        def write(chain: Chain = chain, said: list[str] = said) -> None:
            view = chain.view()
            for number in range(400):
                try:
                    put(view, f"key{number}", b"x")
                    said.append("kept")
                except UnknownInstance:
                    said.append("refused")
                    return

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        while "kept" not in said:
            pass
        datastore.delete_instance(chain.instance)
        for writer in writers:
            writer.join()
        _settle(datastore)
        assert _left(datastore, chain.instance.number) == []


def test_pending_work_of_a_deleted_instance_goes(datastore: Datastore) -> None:
    chain = Chain(datastore)
    stack = datastore.main
    stack.queue.held = lambda: True
    change = Change(chain.instance.number, chain.node.version)
    stack.queue.add(change, Task("of its type", chain.instance.number, chain.node.version))
    stack.committer.commit(change)
    datastore.delete_instance(chain.instance)
    assert [task.kind for _, task in stack.queue.pending()] == ["of its type", FREE]
    stack.queue.held = lambda: False
    stack.queue.notice()
    _settle(datastore)
    assert stack.queue.failed == 0


def test_a_committer_that_takes_nothing_leaves_freeing_to_the_next_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(committer: Committer, change: Change) -> None:
        raise Busy("too many edits are waiting to be written")

    with closing(Datastore(settings)) as datastore:
        chain = Chain(datastore)
        _fill(chain)
        with monkeypatch.context() as patch:
            patch.setattr(Committer, "commit", busy)
            datastore.delete_instance(chain.instance)
        assert check_datastore(datastore).faults == []
    with closing(Datastore(settings)) as again:
        _settle(again)
        assert again.repos.deleted == {}


# ---------------------------------------------------------------------- records
@pytest.fixture
def three(datastore: Datastore) -> Chain:
    """An instance, and one that follows it."""
    chain = Chain(datastore)
    new_instance(datastore, chain.repo, "follower", syncs=(chain.instance.uuid, "another"))
    return chain


def test_others_follow_a_deleted_instance_no_more(three: Chain, settings: Settings) -> None:
    three.datastore.delete_instance(three.instance)
    assert three.repo.instances["follower"].syncs == ("another",)


def test_a_renamed_instance_keeps_its_data_and_its_followers(three: Chain) -> None:
    put(three.view(), "a", b"1")
    renamed = three.datastore.repos.rename_instance(three.instance, "fresh")
    assert sorted(three.repo.instances) == ["follower", "fresh"]
    assert (renamed.number, renamed.uuid) == (three.instance.number, three.instance.uuid)
    assert three.repo.instances["follower"].syncs[0] == renamed.uuid
    assert contents(three.view()) == {"a": b"1"}
    three.datastore.repos.change_instance(three.instance, tags={"a": "b"})  # known under its old name before
    assert three.repo.instances["fresh"].tags == {"a": "b"}
    assert sorted(three.repo.instances) == ["follower", "fresh"]


@pytest.mark.parametrize("name", ["follower", "", "a/b", "log", "notes"])
def test_names_that_cannot_be_given(three: Chain, name: str) -> None:
    with pytest.raises(BadRequest):
        three.datastore.repos.rename_instance(three.instance, name)
    assert sorted(three.repo.instances) == ["follower", "notes"]


def test_renames_and_deletions_outlive_a_restart(settings: Settings) -> None:
    with closing(Datastore(settings)) as datastore:
        chain = Chain(datastore)
        new_instance(datastore, chain.repo, "other")
        datastore.repos.rename_instance(chain.instance, "fresh")
        datastore.delete_instance(chain.repo.instances["other"])
    with closing(Datastore(settings)) as again:
        chain.datastore = again
        assert list(chain.repo.instances) == ["fresh"]


@pytest.mark.parametrize(
    ("set_to", "given", "fits"), [("", "", True), ("", "x", True), ("s", "s", True), ("s", "", False)]
)
def test_the_passcode_of_a_repo(datastore: Datastore, set_to: str, given: str, fits: Any) -> None:
    repo = datastore.repos.create(passcode=set_to)
    if fits:
        datastore.repos.demand_passcode(repo, given)
        return
    with pytest.raises(NotPrivileged, match="passcode"):
        datastore.repos.demand_passcode(repo, given)
