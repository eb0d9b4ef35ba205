"""The compiler is no part of a process that has loaded its kernels."""

from __future__ import annotations

import re
import subprocess
import sys

from dvidpy.kernels.residence import unwritten

SMAPS = """\
7f00-8000 r--p 00000000 fe:00 5                          /venv/llvmlite/binding/libllvmlite.so
Rss:                  12 kB
Anonymous:             0 kB
8000-9000 r-xp 00001000 fe:00 5                          /venv/llvmlite/binding/libllvmlite.so
Anonymous:             0 kB
9000-9100 r--p 00002000 fe:00 5                          /venv/llvmlite/binding/libllvmlite.so
Anonymous:             4 kB
9100-9200 rw-p 00002000 fe:00 5                          /venv/llvmlite/binding/libllvmlite.so
Anonymous:             0 kB
a000-b000 r-xp 00001000 fe:00 6                          /venv/libllvmlite/other.so
Anonymous:             0 kB
c000-d000 r--p 00000000 00:00 0
Anonymous:             0 kB
"""
TRY = """
import sys
from pathlib import Path
from dvidpy.kernels.unpacking import unpack_all
for _ in range(2):
    assert bytes(unpack_all([b"a", b"c"], [b"\\0b"])) == b"abc"
assert "scipy" not in sys.modules
print(Path("/proc/self/smaps").read_text() if sys.platform == "linux" else "")
"""


def test_only_what_nobody_has_written_is_let_go_of() -> None:
    assert list(unwritten(SMAPS)) == [(0x7F00, 0x100), (0x8000, 0x1000)]


def test_its_pages_are_gone_and_kernels_go_on() -> None:
    said = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"r-.p [^\n]*libllvmlite[^\n]*\n(?:[A-Z][^\n]*\n)*?Rss: +(\d+) kB", said)
    assert sum(map(int, found)) < 16 << 10
    assert bool(found) == (sys.platform == "linux")
