"""Volumes with several scales: folders s0, s1… of a zarr (OME-Zarr 0.5) or an N5, and what these say of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dvidpy.cli.outside.volume import Plan

FORMATS = ("zarr", "n5", "precomputed")
"""Those of tensorstore's formats that have scales; precomputed says so in the `info` that tensorstore writes."""
FILES = {"zarr": "zarr.json", "n5": "attributes.json"}


def path_of(plan: Plan) -> str:
    """Where a scale lies in its folder."""
    if plan.scale is None:
        return plan.dataset
    return f"{plan.dataset}/s{plan.scale}".strip("/")


def write_group(form: str, place: str, name: str, plans: list[Plan]) -> None:
    """The file of a group."""
    if form in FILES:
        made = _zarr(name, plans) if form == "zarr" else _n5(plans)
        (Path(place) / plans[0].dataset / FILES[form]).write_text(json.dumps(made, indent=1), encoding="utf-8")


def finest(form: str, said: bytes) -> str:
    """Path of the first scale of a group, by what its file says; empty where it is no group."""
    try:
        found = json.loads(said)
        ome = form == "zarr" and found.get("node_type") == "group"
        listed = [one["path"] for one in found["attributes"]["ome"]["multiscales"][0]["datasets"]] if ome else []
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    if listed:
        return str(listed[0])
    return "s0" if form == "n5" and "dimensions" not in found and "scales" in found else ""


def _zarr(name: str, plans: list[Plan]) -> dict[str, Any]:
    """The place of a voxel is its middle, and the middle of voxel 0 at the finest scale is 0, as OME-Zarr has it."""
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    datasets = [
        {
            "path": f"s{plan.scale}",
            "coordinateTransformations": [
                {"type": "scale", "scale": [*plan.resolution]},
                {"type": "translation", "translation": _middle(plan, plans[0])},
            ],
        }
        for plan in plans
    ]
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [{"name": name, "axes": axes, "datasets": datasets}]}
    if plans[0].labels:
        ome["image-label"] = {}
    return {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}


def _middle(plan: Plan, first: Plan) -> list[float]:
    sides = zip(plan.offset, plan.resolution, first.resolution, strict=True)
    return [at * side + (side - least) / 2 for at, side, least in sides]


def _n5(plans: list[Plan]) -> dict[str, Any]:
    """As N5 viewers and Neuroglancer read it."""
    return {
        "n5": "2.0.0",
        "multiScale": True,
        "scales": [[2 ** (plan.scale or 0)] * 3 for plan in plans],
        "axes": ["x", "y", "z"],
        "resolution": plans[0].resolution[::-1],
        "units": ["nm"] * 3,
    }
