"""Settings of an instance that may change after its creation."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.labelled import downres
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.settings import read_block_size, read_levels
from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.datatypes.voxels.settings import volume_settings
from dvidpy.errors import BadRequest

_CHANGEABLE = {
    "voxelsize": "VoxelSize",
    "voxelunits": "VoxelUnits",
    "background": "Background",
    "scalelevel": "ScaleLevel",
    "gridstore": "GridStore",
    "minpoint": "MinPoint",
    "maxpoint": "MaxPoint",
}


def change_settings(data: LabelMap, given: Given) -> None:
    """Change the settings given, for all versions; extents, for this one. BadRequest for what makes no sense."""
    block_size = data.instance.settings["BlockSize"]
    if given.text("blocksize") is not None and read_block_size(given) != block_size:
        raise BadRequest(f"BlockSize stays {block_size}: the voxels are stored in blocks of it")
    found = volume_settings(given, block_size)
    changes: dict[str, Any] = {
        name: found[name] for key, name in _CHANGEABLE.items() if given.text(key) is not None and name in found
    }
    extents = Extents(changes.pop("MinPoint", None), changes.pop("MaxPoint", None))
    before = data.scales
    if given.text("maxdownreslevel") is not None:
        changes["MaxDownresLevel"] = read_levels(given)
    if changes:
        data.update_settings(changes)
    if extents.MinPoint is not None:
        data.set_extents(extents)
    if changes.get("MaxDownresLevel", 0) > before:
        downres.ask_above(data, before)
