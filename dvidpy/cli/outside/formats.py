"""Which format a place has, and how it is opened or made."""

from __future__ import annotations

from pathlib import Path

from dvidpy.cli.client import CommandError
from dvidpy.cli.outside import files, groups, slices, tensors
from dvidpy.cli.outside.volume import Outside, Plan

FORMATS = ("zarr", "zarr2", "n5", "precomputed", "hdf5", "nrrd", "tiff", "png")
SUFFIXES = {
    ".zarr": "zarr",
    ".n5": "n5",
    ".precomputed": "precomputed",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nrrd": "nrrd",
    ".tif": "tiff",
    ".tiff": "tiff",
}


def open_outside(place: str, form: str, dataset: str) -> Outside:
    """A volume that is there; CommandError where it cannot be read."""
    form = _demand(form or _found(place, dataset) or _named(place), place)
    try:
        if form in tensors.DRIVERS:
            return tensors.open_tensor(form, place.removeprefix("precomputed://"), dataset)
        if form in slices.SUFFIXES and Path(place).is_dir():
            return slices.open_slices(form, place)
        if form == "hdf5":
            return files.open_hdf5(place, dataset)
        return files.open_nrrd(place, dataset) if form == "nrrd" else files.open_tiff(place, dataset)
    except ImportError as error:
        raise _missing(error) from None
    except (ValueError, OSError, KeyError) as error:
        raise CommandError(f"{place}: {error}") from None


def make_outside(place: str, form: str, plan: Plan) -> Outside:
    """A new volume, or one of which part is there; CommandError where it cannot be made."""
    form = _demand(form or _named(place), place)
    if plan.sharded and form not in ("zarr", "precomputed"):
        raise CommandError(f"{form} has no shards; zarr and precomputed have")
    if plan.scale is not None and form not in groups.FORMATS:
        raise CommandError(f"{form} has one scale; {', '.join(groups.FORMATS)} have several")
    try:
        if form in tensors.DRIVERS:
            return tensors.make_tensor(form, place, plan)
        if form == "png" or (form == "tiff" and not Path(place).suffix):
            return slices.make_slices(form, place, plan)
        if form == "hdf5":
            return files.make_hdf5(place, plan)
        return files.make_nrrd(place, plan) if form == "nrrd" else files.make_tiff(place, plan)
    except ImportError as error:
        raise _missing(error) from None
    except (ValueError, OSError) as error:
        raise CommandError(f"{place}: {error}") from None


def finish(place: str, form: str, name: str, plans: list[Plan]) -> None:
    """Say of a volume with several scales which ones it has."""
    try:
        groups.write_group(form or _named(place), place, name, plans)
    except OSError as error:
        raise CommandError(f"{place}: {error}") from None


def _named(place: str) -> str:
    return "precomputed" if place.startswith("precomputed://") else SUFFIXES.get(Path(place).suffix.lower(), "")


def _found(place: str, dataset: str) -> str:
    """The format of a folder, by what lies in it."""
    folder = Path(place) / dataset
    for name, form in (("zarr.json", "zarr"), (".zarray", "zarr2"), ("attributes.json", "n5"), ("info", "precomputed")):
        if (folder / name).is_file():
            return form
    if (Path(place) / "info").is_file():
        return "precomputed"
    there = {one.suffix.lower() for one in folder.iterdir()} if folder.is_dir() else set()
    return next((form for form, ends in slices.SUFFIXES.items() if there & {*ends}), "")


def _demand(form: str, place: str) -> str:
    if form not in FORMATS:
        said = f"{form!r} is no format" if form else f"{place}: the name does not say which format it is"
        raise CommandError(f"{said}; --format is one of {', '.join(FORMATS)}")
    return form


def _missing(error: ImportError) -> CommandError:
    return CommandError(f"{error.name} is not installed: pip install 'dvidpy[volumes]'")
