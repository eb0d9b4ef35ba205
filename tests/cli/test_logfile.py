from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from dvidpy.cli.logfile import DAY_S, LogFile
from dvidpy.errors import StoreError

LINE = b'{"event":"request"}\n'


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("dvid*.log"))


def test_lines_are_added_to_what_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(LogFile(tmp_path / "logs" / "dvid.log", 10**6)) as log:
            log.write(LINE)
            log.flush()
    assert (tmp_path / "logs" / "dvid.log").read_bytes() == 2 * LINE


def test_a_large_file_gets_another_name_and_no_line_is_lost(tmp_path: Path) -> None:
    with closing(LogFile(tmp_path / "dvid.log", 3 * len(LINE))) as log:

        def write() -> None:
            for _ in range(10):
                log.write(LINE)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = files(tmp_path)
    assert len(found) == 14
    assert all(path.stat().st_size <= 3 * len(LINE) for path in found)
    assert b"".join(path.read_bytes() for path in found) == 40 * LINE


def test_a_line_larger_than_a_file_is_written_whole(tmp_path: Path) -> None:
    with closing(LogFile(tmp_path / "dvid.log", 5)) as log:
        log.write(LINE)
    assert (tmp_path / "dvid.log").read_bytes() == LINE


@pytest.mark.parametrize(("days", "kept"), [(0, 4), (30, 3), (1, 2)])
def test_old_files_are_removed(tmp_path: Path, days: int, kept: int) -> None:
    for age in (0, 2, 40):
        path = tmp_path / f"dvid-2020-01-0{age % 9}T00-00-00.0.log"
        path.write_bytes(LINE)
        os.utime(path, (time.time() - age * DAY_S,) * 2)
    other = tmp_path / "dvid-notes.log"
    other.write_bytes(LINE)
    os.utime(other, (0, 0))
    LogFile(tmp_path / "dvid.log", 10**6, days).close()
    assert len(files(tmp_path)) == kept + 1
    assert other.exists()


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"logging\.logfile cannot be written"):
        LogFile(tmp_path / "file" / "dvid.log", 10**6)


def test_what_cannot_be_written_goes_to_standard_error(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = LogFile(tmp_path / "dvid.log", 10**6)
    log.close()
    log.write(LINE)
    sys.stderr.flush()
    assert LINE.strip() in capfdbinary.readouterr().err
