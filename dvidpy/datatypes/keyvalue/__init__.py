"""keyvalue: bytes under a key, versioned. The smallest complete type, and the example to copy.

`routes` HTTP to values, `values` one key, `batches` many keys. `keyvalues` beside it, which other types use too: the
protobuf messages, the forms of answers, the place of keys in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.keyvalue.batch_routes import room as batch_room
from dvidpy.datatypes.keyvalue.routes import room
from dvidpy.datatypes.keyvalue.values import KeyValue

KEYVALUE = DataType(
    name="keyvalue",
    url="github.com/janelia-flyem/dvid/datatype/keyvalue",
    rooms=(room, batch_room),
    subject=KeyValue,
    any_method=frozenset({"info", "help", "tags", "keys", "keyrange", "keyrangevalues"}),
    head=frozenset({"info", "help", "tags", "keys", "keyrange", "keyrangevalues"}),
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    omits=("sync",),
)
DATATYPES = (KEYVALUE,)
