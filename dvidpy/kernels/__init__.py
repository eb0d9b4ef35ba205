"""Numba kernels behind plain functions (arrays in, arrays out), each beside a plain twin that tests it.

Every kernel has one explicit signature and is compiled once, by `dvidpy warm` (which `make install` runs), into
the cache folder that `jit` chooses. Import a module here only where it is needed: numba takes half a second.
"""
