"""imagetile: pictures of three planes in tiles, at several scales, versioned; posted, or made from an image instance.

`routes` tiles and metadata over HTTP, `picture_routes` rectangles stitched from tiles, `instance` the tiles of a
version, `tiles` one tile from picture to value, `levels` the scales, `generation` tiles made in the background,
`settings` at creation, `keys` places in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.imagetile.generation import make_tiles
from dvidpy.datatypes.imagetile.instance import MAKE, ImageTile, judge
from dvidpy.datatypes.imagetile.picture_routes import room as picture_room
from dvidpy.datatypes.imagetile.routes import room
from dvidpy.datatypes.imagetile.settings import codec_of, settings_of
from dvidpy.versioning.duties import Duties

IMAGETILE = DataType(
    name="imagetile",
    url="github.com/janelia-flyem/dvid/datatype/imagetile",
    version="0.1",
    rooms=(room, picture_room),
    subject=ImageTile,
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    codec=codec_of,
    told_settings=lambda given: {"compression": "lz4" if (given.text("format") or "").lower() == "lz4" else "none"},
    any_method=frozenset({"POST help", "POST tile"}),
    head=False,
    duties=Duties(workers={MAKE: make_tiles}, judge=judge),
)
DATATYPES = (IMAGETILE,)
