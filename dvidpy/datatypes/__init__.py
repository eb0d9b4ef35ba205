"""One folder per datatype, all entering by the entry points `dvidpy.datatypes`, the same door for strangers' types.

`base` is the contract, `params` the shared parameter types, `every_type` what all instances answer. Datatypes
never import one another. The example to copy is `keyvalue/`.
"""
