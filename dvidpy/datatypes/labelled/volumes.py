"""Volumes that bodies and supervoxels are split by: runs in a request, and the blob that is kept of them."""

from __future__ import annotations

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.runs import in_order
from dvidpy.datatypes.labels.sparsevol import parse_rles, parse_srles
from dvidpy.errors import StoreError
from dvidpy.kernels.label_runs import Runs


def parse_volume(body: bytes) -> Runs:
    """The `rles` format -> runs in order, each voxel once; BadRequest for anything else."""
    return in_order(parse_rles(body))


def keep_volume(data: LabelMap, runs: Runs) -> str:
    """Keep runs as a blob; its reference, which the mutation log shows."""
    return data.datastore.stack_of(data.instance).blobs.put(runs.tobytes())


def read_volume(data: LabelMap, reference: str) -> Runs:
    """Runs of a blob."""
    kept = data.datastore.stack_of(data.instance).blobs.get(reference)
    if kept is None:
        raise StoreError(f"the volume {reference} of a split is gone")
    return parse_srles(kept)
