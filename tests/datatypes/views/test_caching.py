"""What clients may keep, and how they ask whether it still holds."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from label_instances import Segments, volume_with_bodies
from served import Serve, Served

CHUNK = "precomputed/raw/s0/0-64_0-64_0-64"


def image(served: Served, **settings: str) -> tuple[str, str]:
    """(uuid, path) of a new instance with voxels."""
    root = served.repo()
    path = served.instance(root, "gray", "uint8blk", BlockSize="64,64,64", **settings)
    post(served, path, 1)
    return root, path


def post(served: Served, path: str, seed: int, **query: str) -> None:
    voxels = np.random.default_rng(seed).integers(0, 256, 64**3, np.uint8)
    answer = served.http.post(f"{path}/raw/0_1_2/64_64_64/0_0_0", content=voxels.tobytes(), params=query)
    assert answer.status_code == 200, answer.text


def tag(served: Served, path: str, what: str = CHUNK) -> str:
    return str(served.http.get(f"{path}/{what}").headers["etag"])


def asked_again(served: Served, path: str, etag: str, what: str = CHUNK) -> int:
    return int(served.http.get(f"{path}/{what}", headers={"if-none-match": etag}).status_code)


def test_what_the_client_has_is_not_sent_again(served: Served) -> None:
    _, path = image(served)
    first = served.http.get(f"{path}/{CHUNK}")
    for given in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = served.http.get(f"{path}/{CHUNK}", headers={"if-none-match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"] == "no-cache"
    assert asked_again(served, path, '"another"') == 200


def test_every_edit_makes_another_tag(served: Served) -> None:
    root, path = image(served)
    old = tag(served, path)
    post(served, path, 2)
    assert asked_again(served, path, old) == 200
    served.commit(root)
    kept = tag(served, path)
    child = served.child(root)
    post(served, f"/api/node/{child}/gray", 3)
    assert asked_again(served, path, kept) == 304, "an edit of a child is none of its parent"
    below = tag(served, f"/api/node/{child}/gray")
    post(served, path, 4, admintoken="sesame")
    assert asked_again(served, path, kept) == 200, "a forced edit changes a committed version"
    assert asked_again(served, f"/api/node/{child}/gray", below) == 200, "and what descends from it"


def test_an_instance_of_the_same_name_has_other_tags(served: Served) -> None:
    root, path = image(served)
    old = tag(served, path)
    query = {"imsure": "true", "admintoken": "sesame"}
    assert served.http.delete(f"/api/repo/{root}/gray", params=query).status_code == 200
    served.instance(root, "gray", "uint8blk", BlockSize="64,64,64")
    assert asked_again(served, path, old) == 200


def test_edits_of_bodies_make_another_tag(serve: Serve) -> None:
    segments = Segments(serve(), 64)
    segments.put(volume_with_bodies(1, (64, 64, 64)))
    old = tag(segments.served, segments.path)
    segments.merge(1, 2)
    assert asked_again(segments.served, segments.path, old) == 200


def test_levels_computed_later_make_another_tag(served: Served) -> None:
    root, path = image(served, Pyramid="1")
    coarse = "precomputed/raw/s1/0-64_0-64_0-64"
    served.commit(root)
    old = tag(served, path, coarse)
    child = served.child(root)
    below = f"/api/node/{child}/gray"
    assert asked_again(served, path, old, coarse) == 304
    post(served, below, 9)
    served.commit(child)
    expected = served.http.get(f"{below}_1/raw/0_1_2/32_32_32/0_0_0").content
    found = served.http.get(f"{below}/precomputed/raw/s1/0-32_0-32_0-32").content
    assert found == expected
    assert asked_again(served, path, old, coarse) == 304


def test_the_info_has_a_tag_of_its_own_text(served: Served) -> None:
    _, path = image(served)
    old = tag(served, path, "precomputed/info")
    assert asked_again(served, path, old, "precomputed/info") == 304
    served.http.post(f"{path}/resolution", json=[4, 4, 40])
    assert asked_again(served, path, old, "precomputed/info") == 200
    assert served.http.get(f"{path}/precomputed/info").headers["cache-control"] == "no-cache"


# ---------------------------------------------------------------------- for ever
def test_only_a_committed_version_by_its_full_name_stays_for_ever(served: Served) -> None:
    root, _ = image(served)

    def lasting(reference: str) -> bool:
        answer = served.http.get(f"/api/node/{reference}/gray/{CHUNK}")
        assert answer.status_code == 200
        return answer.headers["cache-control"] == "max-age=31536000, immutable"

    assert not lasting(root)
    served.commit(root)
    assert lasting(root)
    assert not any(map(lasting, (root[:8], f"{root}:master", f"{root}:master~0", f"{root[:8]}:master")))
    assert not lasting(served.child(root))


def test_unversioned_data_never_stays_for_ever(served: Served) -> None:
    root, path = image(served, versioned="false")
    served.commit(root)
    assert served.http.get(f"{path}/{CHUNK}").headers["cache-control"] == "no-cache"


def test_where_everybody_may_write_nothing_stays_for_ever(serve: Serve) -> None:
    served = serve(fullwrite=True)
    root, path = image(served)
    served.commit(root)
    assert served.http.get(f"{path}/{CHUNK}").headers["cache-control"] == "no-cache"


# ---------------------------------------------------------------------- HEAD, ranges, gzip
def test_head_says_what_get_does(served: Served) -> None:
    _, path = image(served)
    for what in (CHUNK, "precomputed/info"):
        get, head = (served.http.request(method, f"{path}/{what}") for method in ("GET", "HEAD"))
        assert head.headers == get.headers
        assert head.content == b""


@pytest.mark.parametrize(
    ("given", "status", "part"),
    [
        ({"range": "bytes=10-19"}, 206, slice(10, 20)),
        ({"range": "bytes=-5"}, 206, slice(-5, None)),
        ({"range": "bytes=0-9999999"}, 206, slice(None)),
        ({"range": "lines=1-2"}, 200, slice(None)),
        ({"range": "bytes=1-2", "if-range": '"another"'}, 200, slice(None)),
        ({"range": "bytes=9999999-"}, 416, None),
    ],
)
def test_ranges(served: Served, given: dict[str, str], status: int, part: slice | None) -> None:
    _, path = image(served)
    for what in (CHUNK, "precomputed/info") if status != 206 else (CHUNK,):
        whole = served.http.get(f"{path}/{what}")
        answer = served.http.get(f"{path}/{what}", headers=given)
        assert answer.status_code == status
        if part is not None:
            assert answer.content == whole.content[part]
            assert answer.headers["etag"] == whole.headers["etag"]
    if status == 206 and part is not None:
        first, last, _ = part.indices(64**3)
        assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{64**3}"
    assert served.http.get(f"{path}/{CHUNK}").headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("given", "packed"),
    [("gzip", True), ("br, GZIP ; q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("br", False)],
)
def test_labels_are_packed_for_who_takes_it(serve: Serve, given: str, packed: bool) -> None:
    segments = Segments(serve(), 64)
    volume = volume_with_bodies(2, (64, 64, 64))
    segments.put(volume)
    place = f"{segments.path}/{CHUNK}"
    with segments.served.http.stream("GET", place, headers={"accept-encoding": given}) as answer:
        body = b"".join(answer.iter_raw())
        headers = answer.headers
    assert headers.get("content-encoding") == ("gzip" if packed else None)
    assert headers["vary"] == "accept-encoding"
    assert (gzip.decompress(body) if packed else body) == volume.tobytes()
    plain = segments.served.http.get(place, headers={"accept-encoding": "identity"})
    assert (plain.headers["etag"] == headers["etag"]) != packed
    part = segments.served.http.get(place, headers={"accept-encoding": given, "range": "bytes=8-15"})
    assert (part.status_code, part.content) == (206, volume.tobytes()[8:16])
