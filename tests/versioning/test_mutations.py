from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec import Raw
from versioning.edits import Chain, logged, put

from dvidpy.config import MutationSettings, Settings, StoreSettings
from dvidpy.storage.log import JsonLines
from dvidpy.versioning.check import check_datastore, repair_logs
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.mutations import FIRST, NO_EVENT, MutationIds, MutationLog, file_name

Damage = Callable[[Path], object]


def _edit(chain: Chain, *numbers: int) -> None:
    for number in numbers:
        chain.datastore.main.committer.commit(logged(chain.instance, chain.node, b'{"n":%d}' % number))


def _messages(datastore: Datastore, chain: Chain) -> list[int]:
    return [orjson.loads(text)["n"] for text in datastore.main.log.read(chain.instance.uuid, chain.node.uuid)]


def _file(datastore: Datastore, chain: Chain) -> Path:
    return datastore.main.log.lines.folder / f"{file_name(chain.instance.uuid, chain.node.uuid)}.jsonl"


def _crash(datastore: Datastore) -> None:
    """Let go of the files as a killed process does: nothing is marked as safe."""
    datastore.main.queue.close()
    datastore.main.committer.close()
    datastore.main.store.close()
    datastore.main.log.lines.close()


def test_numbers_strictly_increase_over_restarts_and_crashes(settings: Settings) -> None:
    seen: list[int] = []
    for turn in range(4):
        datastore = Datastore(settings)
        chain = Chain(datastore)
        _edit(chain, *range(5))
        seen = [mutation.id for mutation in datastore.main.log.records()]
        assert len(seen) == 5 * (turn + 1)
        (_crash if turn % 2 else Datastore.close)(datastore)
    assert seen[0] == FIRST
    assert seen == sorted(set(seen))


def test_numbers_strictly_increase_over_all_stores(settings: Settings, tmp_path: Path) -> None:
    other = StoreSettings(engine="leveldb", path=str(tmp_path / "other"))
    both = settings.model_copy(update={"stores": settings.stores | {"other": other}})
    numbers: list[int] = []
    for _ in range(3):
        with closing(Datastore(both)) as datastore:
            chain = Chain(datastore)
            for stack in datastore.stacks.values():
                change = logged(chain.instance, chain.node, b"{}")
                stack.committer.commit(change)
                assert change.mutation is not None
                numbers.append(change.mutation.id)
    assert numbers == sorted(set(numbers))


def test_a_message_of_each_edit_in_order(datastore: Datastore) -> None:
    chain = Chain(datastore)
    _edit(chain, *range(100))
    datastore.main.committer.commit(logged(chain.instance, chain.node, b'{"n":100}', b'{"n":101}'))
    assert _messages(datastore, chain) == list(range(102))
    assert [len(mutation.messages) for mutation in datastore.main.log.records()][-2:] == [1, 2]


DAMAGES: dict[str, Damage] = {
    "nothing": lambda file: None,
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:100]),
    "torn last line": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "empty": lambda file: file.write_bytes(b""),
    "lost": Path.unlink,
    "zeroes behind": lambda file: file.write_bytes(file.read_bytes() + bytes(4096)),
    "half a line behind": lambda file: file.write_bytes(file.read_bytes() + b'{"id":1'),
    "garbage in the middle": lambda file: file.write_bytes(file.read_bytes()[:90] + b"\xff\n" + file.read_bytes()[90:]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_lines_are_repaired_from_the_store_after_a_crash(settings: Settings, damage: str) -> None:
    datastore = Datastore(settings)
    chain = Chain(datastore)
    _edit(chain, *range(20))
    file = _file(datastore, chain)
    _crash(datastore)
    DAMAGES[damage](file)
    for _ in range(2):
        with closing(Datastore(settings)) as again:
            assert _messages(again, chain) == list(range(20))
            assert check_datastore(again).faults == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_safe_before_is_kept_beside_what_is_repaired(settings: Settings, damage: str) -> None:
    with closing(Datastore(settings)) as before:
        chain = Chain(before)
        _edit(chain, *range(3))
        file = _file(before, chain)
    safe = file.read_bytes()
    datastore = Datastore(settings)
    chain.datastore = datastore
    _edit(chain, *range(3, 9))
    _crash(datastore)
    new = file.read_bytes()[len(safe) :]
    file.write_bytes(new)
    if damage != "lost":
        DAMAGES[damage](file)
    file.write_bytes(safe + (file.read_bytes() if damage != "lost" else b""))
    with closing(Datastore(settings)) as again:
        assert _messages(again, chain) == list(range(9))
        assert check_datastore(again).faults == []


def test_damage_of_lines_that_were_safe_is_found(settings: Settings) -> None:
    with closing(Datastore(settings)) as before:
        chain = Chain(before)
        _edit(chain, *range(5))
        file = _file(before, chain)
    file.unlink()
    with closing(Datastore(settings)) as again:
        faults = check_datastore(again).faults
    assert len(faults) == 5
    assert all("is not once in the log" in fault for fault in faults)


def test_a_store_opens_though_its_lines_cannot_be_written(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    datastore = Datastore(settings)
    chain = Chain(datastore)
    _edit(chain, 0, 1)
    _file(datastore, chain).unlink()
    _crash(datastore)

    def fail(lines: JsonLines, name: str, text: bytes) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "append", fail)
        with closing(Datastore(settings)) as again:
            chain.datastore = again
            _edit(chain, 2)
            assert _messages(again, chain) == [0, 1, 2]
    with closing(Datastore(settings)) as again:
        assert _messages(again, chain) == [0, 1, 2]
        assert check_datastore(again).faults == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_lines_that_were_safe_are_rewritten_from_their_records(settings: Settings, damage: str) -> None:
    with closing(Datastore(settings)) as before:
        chain, other = Chain(before), Chain(before)
        _edit(chain, *range(8))
        _edit(other, *range(8, 10))
        file, untouched = _file(before, chain), _file(before, other)
    whole, beside = file.read_bytes(), untouched.stat()
    DAMAGES[damage](file)
    with closing(Datastore(settings, working=False)) as again:
        assert bool(check_datastore(again).faults) == (damage != "nothing")
        assert repair_logs(again) == ([] if damage == "nothing" else [file.stem])
        assert check_datastore(again).faults == []
    assert file.read_bytes() == whole
    assert untouched.stat().st_ino == beside.st_ino
    assert [path.name for path in file.parent.iterdir() if path.is_dir()] == []


def test_a_file_of_lines_without_records_is_removed_by_repair(settings: Settings) -> None:
    with closing(Datastore(settings)) as before:
        stray = before.main.log.lines.folder / f"{'a' * 32}-{'b' * 32}.jsonl"
        stray.write_bytes(b'{"id":5,"mutation":{}}\n')
    with closing(Datastore(settings, working=False)) as again:
        assert len(check_datastore(again).faults) == 1
        repair_logs(again)
        assert check_datastore(again).faults == []
    assert not stray.exists()


def test_a_folder_of_lines_that_fails_holds_up_no_later_line(
    datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edits are in the store; the next one that can be logged brings their lines along, once."""
    chain = Chain(datastore)
    _edit(chain, 0, 1)
    append = JsonLines.append

    def fail(lines: JsonLines, name: str, text: bytes) -> None:
        append(lines, name, text[: len(text) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(JsonLines, "append", fail)
    for number in (2, 3):
        _edit(chain, number)  # the record is the truth
        assert datastore.main.log.behind
        assert _messages(datastore, chain) == list(range(number + 1))
    monkeypatch.undo()
    assert _messages(datastore, chain) == [0, 1, 2, 3]
    _edit(chain, 4, 5)
    assert _messages(datastore, chain) == [0, 1, 2, 3, 4, 5]


def test_lines_that_failed_are_there_after_a_restart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lines: JsonLines, name: str, text: bytes) -> None:
        raise OSError("no space left")

    with closing(Datastore(settings)) as datastore:
        chain = Chain(datastore)
        _edit(chain, 0)
        with monkeypatch.context() as patch:
            patch.setattr(JsonLines, "append", fail)
            _edit(chain, 1)
            assert _messages(datastore, chain) == [0, 1]
    with closing(Datastore(settings)) as again:
        assert _messages(again, chain) == [0, 1]
        assert check_datastore(again).faults == []


def test_a_long_log_is_marked_as_safe_now_and_then(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart after a crash repeats only what came since."""
    monkeypatch.setattr("dvidpy.versioning.mutations.UNSYNCED", 10)
    datastore = Datastore(settings)
    chain = Chain(datastore)
    _edit(chain, *range(95))
    _crash(datastore)
    repeated: list[Any] = []
    append = JsonLines.append

    def count(lines: JsonLines, name: str, text: bytes) -> None:
        repeated.append(text)
        append(lines, name, text)

    monkeypatch.setattr(JsonLines, "append", count)
    with closing(Datastore(settings)) as again:
        assert len(repeated) == 5
        assert _messages(again, chain) == list(range(95))


def test_lines_of_a_filelog_store(settings: Settings, tmp_path: Path) -> None:
    stores = settings.stores | {"log": StoreSettings(engine="filelog", path=str(tmp_path / "lines"))}
    chosen = settings.model_copy(update={"stores": stores, "mutations": MutationSettings(jsonstore="log")})
    with closing(Datastore(chosen)) as datastore:
        chain = Chain(datastore)
        _edit(chain, 1)
        put(chain.view(), "a", b"leaves no record")
        assert [file.parent for file in (tmp_path / "lines").rglob("*.jsonl")] == [tmp_path / "lines" / "main"]
        assert _messages(datastore, chain) == [1]


def test_reading_stops_at_nothing_that_is_being_written(datastore: Datastore) -> None:
    """A reader beside a writer sees a beginning of the log, whole lines only."""
    chain = Chain(datastore)
    log: MutationLog = datastore.main.log
    name = file_name(chain.instance.uuid, chain.node.uuid)
    _edit(chain, 0, 1)
    with _file(datastore, chain).open("ab") as file:
        file.write(b'{"id":99,"mutation":{"n":')
        file.flush()
        assert _messages(datastore, chain) == [0, 1]
    log.lines.cut(name, 10**12)


# ---------------------------------------------------------------------- ids that are known before the edit is written
def _reserved(chain: Chain, number: int, text: bytes) -> Change:
    change = logged(chain.instance, chain.node, text)
    assert change.mutation is not None
    change.mutation.id = number
    return change


def test_a_reserved_number_is_never_given_twice() -> None:
    ids = MutationIds()
    with ids.reserved() as first:
        assert first == FIRST
        assert ids.take() == FIRST + 1
    with ids.reserved() as second:
        assert second == FIRST + 2


def test_nothing_is_settled_beyond_a_reserved_number() -> None:
    ids = MutationIds()
    with ids.reserved() as first:
        later = ids.take()
        with ids.reserved():
            assert ids.settled(later) == first - 1
        assert ids.settled(later) == first - 1
    assert ids.settled(later) == later


def test_a_number_is_marked_in_the_step_that_takes_it() -> None:
    """However threads interleave, what is settled never passes a number that may still be written."""
    ids, over, wrong = MutationIds(), threading.Event(), list[tuple[int, int]]()
    written: set[int] = set()

    def edit() -> None:
        while not over.is_set():
            with ids.reserved() as number:
                settled = ids.settled(1 << 60)
                if settled >= number:
                    wrong.append((settled, number))
            written.add(number)

    threads = [threading.Thread(target=edit) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(written) > 100


def test_a_crash_between_reservation_and_write_leaves_a_gap(settings: Settings) -> None:
    datastore = Datastore(settings)
    chain = Chain(datastore)
    _edit(chain, 1)
    with datastore.ids.reserved() as lost:
        _edit(chain, 2)
        _crash(datastore)
    with closing(Datastore(settings)) as again:
        chain.datastore = again
        assert _messages(again, chain) == [1, 2]
        _edit(chain, 3)
        numbers = [mutation.id for mutation in again.main.log.records()]
        assert lost not in numbers
        assert numbers == sorted(set(numbers))
        assert check_datastore(again).faults == []


def test_an_edit_reserved_early_and_written_late_is_not_lost(settings: Settings) -> None:
    """The mark of what is safe stays below it, though later edits of other data were written and synced."""
    datastore = Datastore(settings)
    early, late = Chain(datastore), Chain(datastore)
    with datastore.ids.reserved() as number:
        _edit(late, 1, 2)
        datastore.main.log.checkpoint()
        datastore.main.committer.commit(_reserved(early, number, b'{"n":7}'))
        lines = _file(datastore, early)
        _crash(datastore)
    lines.write_bytes(b"")  # a power failure took what was not synced
    with closing(Datastore(settings)) as again:
        early.datastore = late.datastore = again
        assert _messages(again, early) == [7]
        assert _messages(again, late) == [1, 2]
        assert check_datastore(again).faults == []


def test_lines_of_one_file_stand_in_the_order_of_their_numbers(datastore: Datastore) -> None:
    """Edits that reserve their numbers hold a lock of their data meanwhile, as a labelmap's do."""
    chain, lock = Chain(datastore), threading.Lock()

    def edit() -> None:
        for _ in range(25):
            with lock, datastore.ids.reserved() as number:
                datastore.main.committer.commit(_reserved(chain, number, b'{"n":%d}' % number))

    threads = [threading.Thread(target=edit) for _ in range(4)]
    for thread in threads:
        thread.start()
    other = Chain(datastore)
    _edit(other, *range(50))
    for thread in threads:
        thread.join()
    found = _messages(datastore, chain)
    assert len(found) == 100
    assert found == sorted(found)


def test_an_event_is_kept_with_its_record(settings: Settings) -> None:
    with closing(Datastore(settings)) as datastore:
        chain = Chain(datastore)
        change = logged(chain.instance, chain.node, b'{"n":1}')
        assert change.mutation is not None
        change.mutation.event = Raw(b'{"kind":"merge","target":18446744073709551615}')
        datastore.main.committer.commit(change)
        _edit(chain, 2)
    with closing(Datastore(settings)) as again:
        events = [bytes(mutation.event) for mutation in again.main.log.records()]
        assert events == [b'{"kind":"merge","target":18446744073709551615}', bytes(NO_EVENT)]
