"""neuronjson: annotations of bodies, JSON objects whose fields have users and times, with queries.

`annotations` reads and writes them, `records` is their stored form, `merging` what a post makes of one, `schemas` what
it must fit. `tables` holds a version in memory for `conditions`, on `columns` searched with `patterns`. `transfers`
takes in and gives out whole instances.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.neuronjson import batch_routes, query_routes, routes, schema_routes, transfer_routes
from dvidpy.datatypes.neuronjson.annotations import Annotations, prepare
from dvidpy.datatypes.neuronjson.schemas import Schema
from dvidpy.datatypes.views.precomputed import properties_routes
from dvidpy.versioning.duties import Duties

HEADS = frozenset({"info", "help", "tags", "all", "keys", "keyrange", "keyrangevalues", "fields", "fieldtimes"})
NEURONJSON = DataType(
    name="neuronjson",
    url="github.com/janelia-flyem/dvid/datatype/neuronjson",
    rooms=(
        routes.room,
        batch_routes.room,
        query_routes.room,
        schema_routes.room,
        transfer_routes.room,
        properties_routes.room,
    ),
    subject=Annotations,
    any_method=HEADS,
    head=HEADS | {schema.name for schema in Schema},
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    version="0.1",
    duties=Duties(prepare=prepare),
    omits=("mutations", "sync"),
)
DATATYPES = (NEURONJSON,)
