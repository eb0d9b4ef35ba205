from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from dvidpy.storage import log
from dvidpy.storage.log import JsonLines, encode_line


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[JsonLines]:
    with closing(JsonLines(tmp_path / "log")) as opened:
        yield opened


def _write(lines: JsonLines, name: str, numbers: range) -> None:
    for number in numbers:
        lines.append(name, encode_line(number, b'{"n":%d}' % number))


def _read(lines: JsonLines, name: str) -> list[int]:
    return [line.id for line in lines.read(name)]


def test_lines_come_back_in_order(lines: JsonLines) -> None:
    _write(lines, "a", range(5))
    _write(lines, "b", range(9, 12))
    assert [(line.id, bytes(line.mutation)) for line in lines.read("a")] == [(n, b'{"n":%d}' % n) for n in range(5)]
    assert _read(lines, "b") == [9, 10, 11]
    assert _read(lines, "none") == []
    assert list(lines.names()) == ["a", "b"]


def test_a_message_of_many_lines_becomes_one(lines: JsonLines) -> None:
    lines.append("a", encode_line(1, b'{\n  "text": "one\\ntwo",\n  "size": 1.50\n}'))
    assert [bytes(line.mutation) for line in lines.read("a")] == [b'{"text":"one\\ntwo","size":1.50}']


def test_more_files_than_are_kept_open(lines: JsonLines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "OPEN_FILES", 3)
    for number in range(4):
        for name in "abcdefgh":
            _write(lines, name, range(number, number + 1))
    lines.sync()
    assert len(lines._open) <= 3
    assert all(_read(lines, name) == [0, 1, 2, 3] for name in "abcdefgh")


@pytest.mark.parametrize(
    "tail", [b'{"id":9,"mut', b"\x00" * 50, b"\xff\xfe\n", b"nonsense\n", b'{"id":9,"mutation":{}}']
)
def test_a_garbage_tail_is_not_read_and_cut_off(lines: JsonLines, tail: bytes) -> None:
    _write(lines, "a", range(1, 4))
    lines.append("a", tail)
    assert _read(lines, "a") == [1, 2, 3]
    assert lines.cut("a", 100) == 3
    _write(lines, "a", range(4, 6))
    assert _read(lines, "a") == [1, 2, 3, 4, 5]


def test_cut_drops_what_lies_above_a_mark(lines: JsonLines) -> None:
    _write(lines, "a", range(1, 9))
    assert lines.cut("a", 4) == 4
    assert _read(lines, "a") == [1, 2, 3, 4]
    assert lines.cut("a", 0) == 0
    assert _read(lines, "a") == []
    assert lines.cut("none", 4) == 0
    assert list(lines.names()) == ["a"]


def test_cut_knows_lines_that_others_have_laid_out(lines: JsonLines) -> None:
    (lines.folder / "a.jsonl").write_bytes(b'{ "id": 1, "mutation": {"x": 1 } }\n{"id": 2, "mutation": {}}\n')
    assert lines.cut("a", 1) == 1
    assert (lines.folder / "a.jsonl").read_bytes() == b'{ "id": 1, "mutation": {"x": 1 } }\n'


def test_a_medium_that_takes_a_piece_at_a_time(lines: JsonLines, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reluctant:
        """As a raw file may: it says how much it took."""

        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, data: memoryview) -> int:
            return int(self._file.write(data[:3]))

    whole = JsonLines._file
    monkeypatch.setattr(JsonLines, "_file", lambda self, name: Reluctant(whole(self, name)))
    _write(lines, "a", range(3))
    monkeypatch.undo()
    assert _read(lines, "a") == [0, 1, 2]


def test_what_could_not_be_synced_is_synced_next_time(lines: JsonLines, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def fail(descriptor: int) -> None:
        raise OSError("the medium fails")

    _write(lines, "a", range(3))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the medium fails"):
        lines.sync()
    monkeypatch.setattr(os, "fsync", synced.append)
    lines.sync()
    assert len(synced) == 2  # the file and its folder
    lines.sync()
    assert len(synced) == 2


def test_files_of_data_are_removed_and_begin_anew(lines: JsonLines) -> None:
    for name in ("a-1", "a-2", "ab-1"):
        _write(lines, name, range(3))
    lines.remove({"a", "absent"})
    assert list(lines.names()) == ["ab-1"]
    _write(lines, "a-1", range(5, 7))
    lines.sync()
    assert (_read(lines, "a-1"), _read(lines, "a-2"), _read(lines, "ab-1")) == ([5, 6], [], [0, 1, 2])


def test_files_are_replaced_whole_or_not_at_all(lines: JsonLines) -> None:
    for name in ("a-1", "b-1", "c-1"):
        _write(lines, name, range(3))
    with suppress(OSError), lines.rewriting({"a-1", "b-1"}) as fresh:
        _write(fresh, "a-1", range(1))
        raise OSError("no space left")
    assert _read(lines, "a-1") == [0, 1, 2]
    with lines.rewriting({"a-1", "b-1"}) as fresh:
        _write(fresh, "a-1", range(7, 9))
    _write(lines, "a-1", range(9, 10))
    assert (_read(lines, "a-1"), list(lines.names()), _read(lines, "c-1")) == ([7, 8, 9], ["a-1", "c-1"], [0, 1, 2])
