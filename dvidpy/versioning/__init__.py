"""Repos, versions and instances, and the one place where ancestry meets keys.

`repos` changes the records, `dag` and `uuids` are pure, `store` reads and writes a value at a version,
`commits` makes an edit durable, `mutations` logs it, `gates` keeps edits out of committed versions.
"""
