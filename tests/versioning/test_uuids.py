from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.errors import BadRequest, UnknownVersion
from dvidpy.versioning.uuids import Reference, check_uuid, match_prefix, new_uuid, parse_reference


def test_new_uuids_differ_and_have_their_form() -> None:
    made = {new_uuid() for _ in range(1000)}
    assert len(made) == 1000
    assert all(check_uuid(uuid) == uuid for uuid in made)


@pytest.mark.parametrize("text", ["", "3f01a", "g" * 32, "A" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n", "é" * 32])
def test_a_chosen_uuid_has_32_hexadecimal_digits(text: str) -> None:
    with pytest.raises(BadRequest, match="32 lower-case hexadecimal digits"):
        check_uuid(text)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("3f01a", Reference("3f01a")),
        ("3f01a:side", Reference("3f01a", "side")),
        ("3f01a:side~2", Reference("3f01a", "side", 2)),
        ("3f01a:", Reference("3f01a")),
        (":master", Reference("", "master")),
        (":master~0", Reference("", "master", 0)),
        ("3f01a:a branch", Reference("3f01a", "a branch")),
    ],
)
def test_references(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", ["", "a:b:c", "a:b~", "a:b~x", "a:~2", "a:b~-1", "a:b~2~2", "a:b^2", "a:b~9999999999"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UnknownVersion, match="Illegal version reference"):
        parse_reference(text)


@given(st.text(max_size=20))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    with suppress(UnknownVersion):
        found = parse_reference(text)
        back = f"~{found.back}" if found.back else ""
        assert text.startswith(found.prefix + (f":{found.branch}" if found.branch else "") + back) or "~0" in text


def test_prefixes() -> None:
    uuids = ["aa1", "aa2", "ab", "abc", "b"]
    assert match_prefix(uuids, "aa1") == "aa1"
    assert match_prefix(uuids, "ab") == "ab"  # an exact match wins
    assert match_prefix(uuids, "abc") == "abc"
    assert match_prefix(uuids, "b") == "b"


@pytest.mark.parametrize(("prefix", "why"), [("a", "More than one"), ("aa", "More than one"), ("c", "Could not find")])
def test_prefixes_that_name_no_version(prefix: str, why: str) -> None:
    with pytest.raises(UnknownVersion, match=why):
        match_prefix(["aa1", "aa2", "ab", "abc", "b"], prefix)


@given(
    st.sets(st.text("0123456789abcdef", min_size=1, max_size=4)), st.text("0123456789abcdef", min_size=1, max_size=4)
)
def test_prefixes_by_the_plain_way(uuids: set[str], prefix: str) -> None:
    found = [uuid for uuid in uuids if uuid.startswith(prefix)]
    if prefix in uuids or len(found) == 1:
        assert match_prefix(sorted(uuids), prefix) == (prefix if prefix in uuids else found[0])
    else:
        with pytest.raises(UnknownVersion):
            match_prefix(sorted(uuids), prefix)
