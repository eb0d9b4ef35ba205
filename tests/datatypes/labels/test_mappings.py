from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.labels import mappings
from dvidpy.datatypes.labels.mappings import EMPTY, Mapping, apply, mapping_of

LABELS = st.integers(0, 12) | st.integers(0, 2**64 - 1)
PAIRS = st.lists(st.tuples(LABELS, LABELS), max_size=20)


def made(pairs: list[tuple[int, int]]) -> Mapping:
    columns = np.array(pairs, np.uint64).reshape(-1, 2)
    return mapping_of(columns[:, 0], columns[:, 1])


@pytest.mark.parametrize(("few", "many"), [(0, 1), (512, 1 << 12)])
@given(PAIRS, PAIRS, st.lists(LABELS, max_size=12))
def test_bodies_of_supervoxels(
    few: int, many: int, old: list[tuple[int, int]], new: list[tuple[int, int]], labels: list[int]
) -> None:
    table, wanted = dict(old) | dict(new), np.array(labels, np.uint64).reshape(-1, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mappings, "_FEW", few)
        patch.setattr(mappings, "MANY", many)
        both = made(new).over(made(old))
        assert apply(wanted, both).tolist() == [[table.get(label, label)] for label in labels]
    assert both.supervoxels.tolist() == sorted(table)
    for supervoxel, body in table.items():
        assert both.of(supervoxel) == body
        assert both.named(body).tolist() == sorted(label for label, other in table.items() if other == body)


def test_without_a_mapping_labels_stay() -> None:
    labels = np.array([[1, 2]], np.uint64)
    assert EMPTY.apply(labels) is labels
    assert EMPTY.of(5) == 5
