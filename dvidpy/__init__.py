"""dvidpy: a versioned server for images, segmentations and annotations of whole brains, over DVID's HTTP API.

Promises, each one tested: compatible; committed versions never change; acknowledged means kept; all or nothing;
views agree; big requests do not starve small ones; memory is bounded.

Nouns: a *repo* is a graph of *versions* (uuids); it has *data instances* of a *datatype*, whose *values* every
version sees as its nearest ancestor left them. An edit is a *change*, logged as a *mutation*.

A request crosses five files, downward; imports go the same way, and nothing calls back up:

    app.py                               assembles it all
    └─ api/front.py                      CORS, block list, log line, metrics; then one table of routes
       └─ api/instances.py               which version, which instance, may it be written
          └─ datatypes/<type>/routes.py  HTTP to values: paths, options, media types, documentation
             └─ datatypes/<type>/*.py    meaning: numpy in, numpy out
                └─ versioning/store.py   key + ancestry -> the visible value
                   └─ storage/leveldb.py bytes to bytes

`config`, `errors`, `geometry` and `kernels` may be used by all and import none of them.
Where to start reading: `datatypes/keyvalue/`, the smallest complete type.
"""

from __future__ import annotations

__version__ = "0.1.0"
