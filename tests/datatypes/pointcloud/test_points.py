"""Points over HTTP: in every form, in boxes, by block, by version; and what is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from served import Served

TYPES = {
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "binary": "application/octet-stream",
}


class Client:
    """One instance, asked in any form."""

    def __init__(self, served: Served, dtype: str = "int64", dimensions: int = 3) -> None:
        self.served, self.root = served, served.repo()
        self.path = served.instance(self.root, "pc", "pointcloud", PointType=dtype, Dimensions=str(dimensions))
        self.dtype, self.dimensions = np.dtype(dtype), dimensions

    def ask(self, what: str, body: bytes | Any = b"", method: str = "GET", uuid: str = "", **query: Any) -> Any:
        path = self.path.replace(self.root, uuid) if uuid else self.path
        kind = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.served.http.request(method, f"{path}/{what}", params=query, **kind)

    def get(self, what: str, body: bytes | Any = b"", **query: Any) -> Any:
        answer = self.ask(what, body, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, what: str, labels: Any, points: Any, form: str = "json", **query: Any) -> Any:
        return self.ask(what, self.encode(form, labels, points), "POST", format=form, **query)

    def encode(self, form: str, labels: Any, points: Any) -> bytes:
        labels, points = np.asarray(labels, np.uint64), np.asarray(points, self.dtype)
        if form == "json":
            by_label: dict[str, Any] = {}
            for label, point in zip(labels.tolist(), points.tolist(), strict=True):
                by_label.setdefault(str(label), []).append(point)
            return bytes(self.served.http.build_request("POST", "/", json=by_label).content)
        if form == "binary":
            rows = np.empty(len(labels), [("label", "<u8"), ("point", self.dtype, (self.dimensions,))])
            rows["label"], rows["point"] = labels, points
            return rows.tobytes()
        return written(form, pa.table({"label": labels, **{f"c{i}": points[:, i] for i in range(self.dimensions)}}))

    def points(self, what: str, form: str, body: Any = b"", **query: Any) -> Any:
        """(N, D) of one label, or (N, 1 + D) as objects of several."""
        answer = self.ask(what, body, format=form, **query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == TYPES[form]
        several = not what.startswith("points/")
        if form == "json":
            found = answer.json()
            return [[int(k), *row] for k, rows in found.items() for row in rows] if several else found
        if form == "binary":
            kind = [("label", "<u8"), ("point", self.dtype, (self.dimensions,))]
            if not several:
                return np.frombuffer(answer.content, self.dtype).reshape(-1, self.dimensions).tolist()
            return [[label, *point] for label, point in np.frombuffer(answer.content, kind).tolist()] and [
                [int(row["label"]), *row["point"].tolist()] for row in np.frombuffer(answer.content, kind)
            ]
        table = read(form, answer.content)
        return [list(row.values()) for row in table.to_pylist()]


def written(form: str, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def read(form: str, body: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(body)) if form == "parquet" else pa.ipc.open_stream(body).read_all()


LABELS = [5, 1 << 63, 5, 0, 5]
POINTS = [[1, 2, 3], [-7, 0, 1 << 40], [1, 2, 3], [0, 0, 0], [-1, 2, 3]]


@pytest.mark.parametrize("form", TYPES)
def test_points_come_back_in_every_form(served: Served, form: str) -> None:
    client = Client(served)
    assert client.post("points", LABELS, POINTS, form, block="b").status_code == 200
    assert client.post("points", LABELS, POINTS, form, block="b").status_code == 200  # once more changes nothing
    for asked in TYPES:
        assert client.points("points/5", asked) == [[-1, 2, 3], [1, 2, 3]]
        assert client.points(f"points/{1 << 63}", asked) == [[-7, 0, 1 << 40]]
        assert client.points("points/6", asked) == []
        assert client.points("points", asked, [5, 0, 6, 5]) == [[5, -1, 2, 3], [5, 1, 2, 3], [0, 0, 0, 0]]
        assert client.points("block/b", asked) == [
            [0, 0, 0, 0],
            [5, -1, 2, 3],
            [5, 1, 2, 3],
            [1 << 63, -7, 0, 1 << 40],
        ]
    assert client.get("points", [6, 5]) == {"6": [], "5": [[-1, 2, 3], [1, 2, 3]]}
    assert client.get("labels") == [0, 5, 1 << 63]
    assert client.get("labels", first=1, n=1) == [5]
    assert np.frombuffer(client.ask("labels", format="binary").content, "<u8").tolist() == [0, 5, 1 << 63]
    assert client.get("counts", [5, 6, 5]) == [{"Label": n, "Count": c} for n, c in ((5, 2), (6, 0), (5, 2))]


def test_accept_and_content_type_name_forms(served: Served) -> None:
    client = Client(served)
    for form, media_type in TYPES.items():
        body, headers = client.encode(form, LABELS, POINTS), {"content-type": media_type}
        answer = served.http.post(f"{client.path}/block/{form}", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert (
            served.http.get(f"{client.path}/points/5", headers={"accept": media_type}).headers["content-type"]
            == media_type
        )
        if form != "binary":  # the others are known by how they begin
            assert served.http.post(f"{client.path}/block/{form}", content=body).status_code == 200
    assert client.get("blocks") == sorted(TYPES)
    assert client.get("blocks/5") == sorted(TYPES)
    assert client.get("count/5") == {"Label": 5, "Count": 8}


def test_a_table_may_name_blocks(served: Served) -> None:
    client = Client(served, "int32", 1)
    table = pa.table({"block_id": ["a", "b", "a"], "c0": pa.array([1, 2, 1], pa.int16()), "label": [1, 1, 2]})
    answer = client.ask("points", written("arrow", table), "POST")
    assert answer.status_code == 200, answer.text
    assert client.get("blocks") == ["a", "b"]
    assert client.get("points/1", block="a") == [[1]]
    assert client.get("block/a") == {"1": [[1]], "2": [[1]]}
    dictionary = table.set_column(0, "block_id", table["block_id"].dictionary_encode())
    assert client.ask("points", written("parquet", dictionary), "POST").status_code == 200
    assert client.get("count/1")["Count"] == 2
    file = io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert client.ask("points", file.getvalue(), "POST", block="c").status_code == 200
    assert client.get("block/c") == {"1": [[1], [2]], "2": [[1]]}


def test_boxes_hold_what_numpy_says(served: Served) -> None:
    client = Client(served, "float64", 3)
    rng = np.random.default_rng(0)
    points = np.unique(np.round(rng.uniform(-10, 10, (400, 3)), 2), axis=0)
    for number, some in enumerate(np.array_split(points, 4)):
        assert client.post("points", [1] * len(some), some, "binary", block=str(number)).status_code == 200
    for box in ("-5,-5,-5:5,5,5", "0.5,-20:1e1,20", "-3:-3", "20,20,20:30,30,30"):
        low, high = (np.array(part.split(","), float) for part in box.split(":"))
        inside = ((points[:, : len(low)] >= low) & (points[:, : len(low)] < high)).all(1)
        for form in TYPES:
            assert client.points("points/1", form, box=box) == points[inside].tolist()
        assert client.get("points", [1], box=box) == {"1": points[inside].tolist()}


def test_blocks_are_replaced_and_deleted(served: Served) -> None:
    client = Client(served)
    client.post("points", [1, 2], [[0, 0, 0], [1, 1, 1]], block="a")
    client.post("points", [1], [[5, 5, 5]], block="b")
    assert client.post("block/a", [1, 3], [[9, 9, 9], [8, 8, 8]]).status_code == 200
    assert client.get("block/a") == {"1": [[9, 9, 9]], "3": [[8, 8, 8]]}
    assert client.get("labels") == [1, 3]
    assert client.ask("block/a", method="DELETE").status_code == 200
    assert client.ask("block/nothing", method="DELETE").status_code == 200
    assert client.get("labels") == [1]
    assert client.get("block/a") == {}
    assert client.ask("block/b", {}, "POST").status_code == 200
    assert client.get("labels") == client.get("blocks") == []


def test_a_committed_version_never_changes(served: Served) -> None:
    client = Client(served)
    client.post("block/a", [1, 2], [[0, 0, 0], [1, 1, 1]])
    client.post("block/b", [1], [[0, 0, 1]])
    before = {what: client.get(what) for what in ("points/1", "labels", "block/a", "blocks/1", "count/1")}
    served.commit(client.root)
    child = served.child(client.root)
    assert client.post("block/a", [1], [[7, 7, 7]], uuid=child).status_code == 200
    assert client.ask("block/b", method="DELETE", uuid=child).status_code == 200
    assert client.get("points/1", uuid=child) == [[7, 7, 7]]
    assert client.get("labels", uuid=child) == [1]
    assert {what: client.get(what) for what in before} == before
    assert client.post("block/a", [1], [[7, 7, 7]]).status_code == 400
    assert client.ask("block/a", method="DELETE").status_code == 400


def test_a_large_cloud_streams(served: Served) -> None:
    client = Client(served, "uint64", 2)
    points = np.random.default_rng(1).integers(0, 1 << 64, (300_000, 2), np.uint64)
    points = points[np.lexsort(points.T[::-1])]
    assert client.post("block/a", np.full(len(points), 7), points, "binary").status_code == 200
    for form in ("binary", "arrow", "parquet"):
        assert client.points("points/7", form) == points.tolist()
    assert client.get("points/7") == points.tolist()


REFUSED: list[tuple[str, bytes, dict[str, str]]] = [
    ("points", b"{}", {}),
    ("points", b"{}", {"block": ""}),
    ("points", b"{}", {"block": "x" * 1001}),
    ("points", b"", {"block": "a"}),
    ("points", b"[]", {"block": "a"}),
    ("points", b"{", {"block": "a"}),
    ("points", b'{"x": []}', {"block": "a"}),
    ("points", b'{"-1": [[1, 2, 3]]}', {"block": "a"}),
    ("points", b'{"18446744073709551616": [[1, 2, 3]]}', {"block": "a"}),
    ("points", b'{"1": [[1, 2]]}', {"block": "a"}),
    ("points", b'{"1": [1, 2, 3]}', {"block": "a"}),
    ("points", b'{"1": [[1, 2, 3.5]]}', {"block": "a"}),
    ("points", b'{"1": [[1, 2, true]]}', {"block": "a"}),
    ("points", b'{"1": [[1, 2, null]]}', {"block": "a"}),
    ("points", b'{"1": [[9223372036854775808, 2, 3]]}', {"block": "a"}),
    ("points", b'{"1": [[9007199254740993, 2, 3.0]]}', {"block": "a"}),
    ("points", b'{"1": [[1e999, 2, 3]]}', {"block": "a"}),
    ("points", b'{"1": [[%d, 2, 3]]}' % 10**40, {"block": "a"}),
    ("points", b"x" * 31, {"block": "a", "format": "binary"}),
    ("points", b"PAR1nonsense", {"block": "a"}),
    ("points", b"ARROW1nonsense", {"block": "a"}),
    ("points", b"\xff\xff\xff\xff\x10\0\0\0nonsense", {"block": "a"}),
    ("points", b"{}", {"block": "a", "format": "csv"}),
    ("block/a", b"what", {}),
    ("build", b"", {}),
]


def test_what_makes_no_sense_is_refused(served: Served) -> None:
    client = Client(served)
    for what, body, query in REFUSED:
        answer = client.ask(what, body, "POST", **query)
        assert answer.status_code == 400, (what, body, answer.text)
    for path in ("points/x", "points/-1", "points/18446744073709551616", "count/1.5", "blocks/a"):
        assert client.ask(path).status_code == 400
    for box in ("", "1", "1,2,3", "1:2:3", "1,2:3", "1,2,3,4:1,2,3,4", "a:b", "nan:1", "1:inf", "1_0:2"):
        assert client.ask("points/1", box=box).status_code == client.ask("points", [1], box=box).status_code == 400
    assert client.get("labels") == []
    for settings in ({"PointType": "float16"}, {"Dimensions": "0"}, {"Dimensions": "65"}, {"Dimensions": "x"}):
        given = {"typename": "pointcloud", "dataname": "other", **settings}
        assert served.http.post(f"/api/repo/{client.root}/instance", json=given).status_code == 400


def test_tables_that_make_no_sense_are_refused(served: Served) -> None:
    client = Client(served, "int32", 1)
    good = {"label": pa.array([1], pa.uint64()), "c0": pa.array([1])}
    for wrong in (
        {"label": good["label"]},
        {"c0": good["c0"]},
        good | {"label": pa.array([-1])},
        good | {"label": pa.array([1.0])},
        good | {"label": pa.array(["1"])},
        good | {"label": pa.array([None], pa.uint64())},
        good | {"c0": pa.array([None], pa.int32())},
        good | {"c0": pa.array([True])},
        good | {"c0": pa.array([1 << 31])},
        good | {"c0": pa.array([float("nan")])},
        good | {"c0": pa.array([float("inf")])},
        good | {"c0": pa.array([0.5])},
    ):
        for form in ("arrow", "parquet"):
            answer = client.ask("points", written(form, pa.table(wrong)), "POST", block="a")
            assert answer.status_code == 400, wrong
    for blocks in (pa.array([None], pa.string()), pa.array([""]), pa.array([[1]])):
        assert client.ask("points", written("arrow", pa.table(good | {"block_id": blocks})), "POST").status_code == 400
    assert (
        client.ask("points", written("arrow", pa.table(good | {"c0": pa.array([3.0])})), "POST", block="a").status_code
        == 200
    )
    assert client.get("points/1") == [[3]]


def test_info_says_what_points_are(served: Served) -> None:
    client = Client(served, "uint16", 5)
    assert client.get("info")["Extended"] == {"PointType": "uint16", "Dimensions": 5}
    assert b"pointcloud" in client.ask("help").content
    log = served.http.get(f"{client.path}/mutations")
    assert log.status_code == 200
