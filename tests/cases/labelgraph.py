"""labelgraph: vertices and edges with weights and properties, transactions, merges; and one that follows labels."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorded.sessions import Session

Weighted = tuple[int, float]

INFO_ANY = ("DataUUID", "RepoUUID", "TypeVersion", "KVStore", "LogStore", "Compression", "Checksum")
PATH: tuple[list[Weighted], list[tuple[int, int, float]]] = (
    [(1, 1.5), (2, 2), (3, 3), (4, 0.25)],
    [(1, 2, 10), (2, 3, 20.5), (1, 4, 2)],
)


def graph(vertices: Sequence[Weighted] = (), edges: Sequence[tuple[int, int, float]] = ()) -> dict[str, Any]:
    """A graph as JSON."""
    return {
        "Vertices": [{"Id": one, "Weight": weight} for one, weight in vertices],
        "Edges": [{"Id1": one, "Id2": other, "Weight": weight} for one, other, weight in edges],
    }


def path_graph(s: Session) -> tuple[str, str]:
    """A path 4 - 1 - 2 - 3 -> (uuid, its address)."""
    u = s.repo()
    g = s.instance(u, "labelgraph", "graph")
    s.post(f"{g}/subgraph", graph(*PATH), record=False, ok=True)
    return u, g


def words(*numbers: int) -> bytes:
    """Numbers as they stand in transactions."""
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def transaction(width: int, stamps: dict[int, int], *, reads: bool = False) -> Callable[[bytes], dict[str, Any]]:
    """Reads an answer: stamps go to `stamps`, and are not compared; who has one, who has none, and properties are."""

    def read(body: bytes) -> dict[str, Any]:
        at = 0

        def number() -> int:
            nonlocal at
            at += 8
            return int(struct.unpack_from("<Q", body, at - 8)[0])

        found: dict[str, Any] = {"granted": [], "refused": []}
        for _ in range(number()):
            vertex = number()
            stamps[vertex] = number()
            found["granted"].append(vertex)
        found["granted"].sort()
        found["refused"] = sorted(number() for _ in range(number()))
        if reads:
            found["properties"] = []
            for _ in range(number()):
                ends, size = [number() for _ in range(width)], number()
                found["properties"].append([*ends, body[at : at + size].decode()])
                at += size
        found["rest"] = len(body) - at
        return found

    return read


def case_info_and_help(s: Session) -> None:
    u = s.repo()
    g = s.instance(u, "labelgraph", "graph")
    s.get(f"{g}/info", "json", any=INFO_ANY, drop=("Extended", "Tags"), expect_header=["Content-Type"])
    s.get(f"{g}/help", expect_header=["Content-Type"])
    s.get(f"{g}/subgraph", "json", expect_header=["Content-Type"])
    for path in ("", "unheard-of", "property", "property/1", "propertytransaction", "weight", "merge"):
        s.get(f"{g}/{path}")


def case_subgraph(s: Session) -> None:
    _, g = path_graph(s)
    s.get(f"{g}/subgraph", "json")
    s.get(f"{g}/subgraph", "json", data=graph())
    s.get(f"{g}/subgraph", "json_unordered", data=graph([(1, 0), (4, 0)]))
    s.get(f"{g}/subgraph", "json_unordered", data=graph([(3, 0)]))
    s.get(f"{g}/subgraph", data=graph([(3, 0), (99, 0)]))
    s.post(f"{g}/subgraph", graph([(7, 1)], [(7, 3, 4.5), (3, 4, 1)]))
    s.post(f"{g}/subgraph", graph([], [(2, 1, 99)]))
    s.get(f"{g}/subgraph", "json")
    s.post(f"{g}/subgraph", {"Vertices": [{"Id": 8}], "Edges": [{"Id1": 8, "Id2": 1}], "Transactions": None})
    s.get(f"{g}/neighbors/8", "json_unordered", drop=("Transactions",))


def case_subgraph_refused(s: Session) -> None:
    _, g = path_graph(s)
    bodies: list[Any] = [
        "{",
        "[]",
        "{}",
        {"Vertices": []},
        {"Edges": []},
        {"Vertices": [{"Weight": 1}], "Edges": []},
        {"Vertices": [], "Edges": [{"Id1": 1}]},
        {"Vertices": [{"Id": "1"}], "Edges": []},
        {"Vertices": [{"Id": -1}], "Edges": []},
        {"Vertices": [{"Id": 9, "Weight": "x"}], "Edges": []},
        graph([], [(1, 99, 1)]),
    ]
    for body in bodies:
        s.post(f"{g}/subgraph", body)
    s.get(f"{g}/subgraph", "json")
    s.post(f"{g}/subgraph?unsafe=true", {"Vertices": [{"Id": 9, "Weight": 1}]})
    s.post(f"{g}/subgraph?unsafe=true", {"Edges": [{"Id1": 9, "Id2": 1, "Weight": 2}]})
    s.post(f"{g}/subgraph?unsafe=true", "{")
    s.get(f"{g}/neighbors/9", "json_unordered", drop=("Transactions",))


def case_delete(s: Session) -> None:
    _, g = path_graph(s)
    s.call("DELETE", f"{g}/subgraph", graph([], [(3, 2, 0)]))
    s.get(f"{g}/subgraph", "json")
    s.call("DELETE", f"{g}/subgraph", graph([(1, 0)]))
    s.get(f"{g}/subgraph", "json")
    s.call("DELETE", f"{g}/subgraph", "{")
    s.call("DELETE", f"{g}/subgraph")
    s.get(f"{g}/subgraph", "json")
    s.post(f"{g}/subgraph", graph(*PATH))
    s.get(f"{g}/subgraph", "json")


def case_neighbors(s: Session) -> None:
    _, g = path_graph(s)
    for vertex in ("1", "2", "3"):
        s.get(f"{g}/neighbors/{vertex}", "json_unordered", drop=("Transactions",), expect_header=["Content-Type"])
    for vertex in ("99", "x", "1.5"):
        s.get(f"{g}/neighbors/{vertex}")
    s.post(f"{g}/neighbors/1")


def case_weight(s: Session) -> None:
    _, g = path_graph(s)
    s.post(f"{g}/weight", graph([(1, 1), (5, 5)], [(2, 1, -0.5), (5, 3, 7)]))
    s.get(f"{g}/subgraph", "json_unordered")
    s.post(f"{g}/weight", graph([], [(3, 5, 1)]))
    s.post(f"{g}/weight", graph([(6, 1)], [(6, 1, 1), (2, 3, 0.25)]))
    s.get(f"{g}/subgraph", "json_unordered")
    s.post(f"{g}/weight", graph([], [(1, 99, 1)]))
    s.post(f"{g}/weight", graph([(vertex, 1) for vertex in range(100, 1100)]))
    s.get(f"{g}/neighbors/1099", "json", drop=("Transactions", "Edges"))
    bodies: list[Any] = ["{", {"Vertices": []}]
    for body in bodies:
        s.post(f"{g}/weight", body)
    s.get(f"{g}/weight")


def case_merge(s: Session) -> None:
    _, g = path_graph(s)
    s.post(f"{g}/merge", graph([(1, 0), (2, 0)]))
    s.get(f"{g}/subgraph", "json_unordered")
    s.get(f"{g}/neighbors/1")
    s.post(f"{g}/merge", graph([(4, 0), (3, 12.5), (2, 100)], []))
    s.get(f"{g}/subgraph", "json_unordered")
    bodies: list[Any] = [graph(), graph([(2, 0)]), graph([(99, 0), (2, 0)]), "{", {"Vertices": []}]
    for body in bodies:
        s.post(f"{g}/merge", body)
    s.get(f"{g}/merge")


def case_merge_with_given_weights(s: Session) -> None:
    _, g = path_graph(s)
    s.post(f"{g}/subgraph", graph([(5, 1)], [(5, 1, 1), (5, 2, 2), (4, 2, 3)]), ok=True)
    s.post(f"{g}/merge", graph([(1, 0), (2, 7)], [(2, 5, 0), (4, 2, 0.5), (3, 5, 99)]))
    s.get(f"{g}/subgraph", "json_unordered")


def case_merge_for_good(s: Session) -> None:
    _, g = path_graph(s)
    s.post(f"{g}/merge/nohistory", graph([(1, 0), (2, 0)]))
    s.get(f"{g}/subgraph", "json_unordered")
    s.post(f"{g}/undomerge")
    s.get(f"{g}/subgraph", "json_unordered")


def case_properties(s: Session) -> None:
    _, g = path_graph(s)
    s.post(f"{g}/property/1/colour", b"green")
    s.get(f"{g}/property/1/colour", "bytes", expect_header=["Content-Type"])
    s.post(f"{g}/property/1/colour", b"blue")
    s.post(f"{g}/property/1/shape", bytes(range(256)) * 20)
    s.get(f"{g}/property/1/colour", "bytes")
    s.get(f"{g}/property/1/shape", "bytes")
    s.delete(f"{g}/property/1/colour")
    s.get(f"{g}/property/1/colour")
    s.get(f"{g}/property/1/shape", "bytes")
    s.post(f"{g}/property/2/1/kind", b"weak")
    s.get(f"{g}/property/1/2/kind", "bytes", expect_header=["Content-Type"])
    s.get(f"{g}/property/2/1/kind", "bytes")
    s.delete(f"{g}/property/1/2/kind")
    s.get(f"{g}/property/2/1/kind")
    for path in ("1/never", "99/colour", "1/2/never", "1/99/kind", "x/colour", "1/x/kind"):
        s.get(f"{g}/property/{path}")
    s.post(f"{g}/property/x/colour", b"green")


def case_properties_go_with_what_has_them(s: Session) -> None:
    _, g = path_graph(s)
    s.post(f"{g}/property/1/colour", b"green", ok=True)
    s.post(f"{g}/property/1/2/kind", b"weak", ok=True)
    s.call("DELETE", f"{g}/subgraph", graph([(1, 0)]))
    s.get(f"{g}/property/1/colour")
    s.get(f"{g}/property/1/2/kind")


def case_vertex_transactions(s: Session) -> None:
    _, g = path_graph(s)
    stamps: dict[int, int] = {}
    place = f"{g}/propertytransaction/vertices/note"
    s.get(f"{place}/", "custom", data=words(2, 1, 0, 2, 0, 2, 1, 2), fn=transaction(1, stamps, reads=True))
    first = dict(stamps)
    body = words(2, 1, stamps[1], 2, stamps[2], 2, 1, 5) + b"first" + words(2, 6) + b"second"
    s.post(place, body, "custom", fn=transaction(1, stamps), expect_header=["Content-Type"])
    s.note("a write gives new stamps", sorted(stamps[one] != first[one] for one in (1, 2)))
    body = words(2, 1, first[1], 2, stamps[2], 2, 1, 3) + b"old" + words(2, 3) + b"new"
    s.post(place, body, "custom", fn=transaction(1, stamps))
    s.get(place, "custom", data=words(3, 1, 0, 2, 0, 3, 0, 3, 3, 2, 1), fn=transaction(1, stamps, reads=True))
    s.get(place, "custom", data=words(1, 1, 0, 2, 1, 2), fn=transaction(1, stamps, reads=True))
    s.get(f"{g}/property/2/note", "bytes")
    s.post(place, words(1, 3, stamps[3] + 1000, 0), "custom", fn=transaction(1, stamps))
    s.post(place, words(1, 4, 1, 0), "custom", fn=transaction(1, stamps))
    s.get(place, "custom", data=words(0, 0), fn=transaction(1, stamps, reads=True))
    s.post(place, words(1, 1, stamps[1], 1, 1, 0), "custom", fn=transaction(1, stamps))
    s.get(f"{g}/property/1/note", "bytes")


def case_edge_transactions(s: Session) -> None:
    _, g = path_graph(s)
    stamps: dict[int, int] = {}
    place = f"{g}/propertytransaction/edges/note"
    s.get(f"{place}/", "custom", data=words(3, 1, 0, 2, 0, 3, 0, 2, 2, 1, 2, 3), fn=transaction(2, stamps, reads=True))
    body = words(3, 1, stamps[1], 2, stamps[2], 3, 1 << 60, 2, 2, 1, 4) + b"near" + words(3, 2, 3) + b"far"
    s.post(place, body, "custom", fn=transaction(2, stamps))
    s.get(place, "custom", data=words(3, 1, 0, 2, 0, 3, 0, 2, 2, 1, 2, 3), fn=transaction(2, stamps, reads=True))
    s.get(f"{g}/property/1/2/note", "bytes")
    s.get(f"{g}/property/2/3/note")


def case_transactions_refused(s: Session) -> None:
    _, g = path_graph(s)
    s.get(f"{g}/propertytransaction/faces/note", data=words(0, 0))
    s.get(f"{g}/propertytransaction/vertices", data=words(0, 0))
    s.call("DELETE", f"{g}/propertytransaction/vertices/note", words(0, 0))
    many = [number for vertex in range(1, 1002) for number in (vertex, 0)]
    s.get(f"{g}/propertytransaction/vertices/note", data=words(1001, *many, 0))
    s.get(f"{g}/subgraph", "json")


def case_versions(s: Session) -> None:
    u, g = path_graph(s)
    s.post(f"{g}/property/1/colour", b"green", ok=True)
    s.commit(u)
    child = g.replace(u, s.newversion(u))
    s.get(f"{child}/subgraph", "json_unordered")
    s.post(f"{child}/merge", graph([(1, 0), (2, 0)]))
    s.post(f"{child}/weight", graph([(3, 1)]))
    s.get(f"{child}/subgraph", "json_unordered")
    s.get(f"{child}/property/1/colour")
    s.get(f"{g}/subgraph", "json_unordered")
    s.get(f"{g}/property/1/colour", "bytes")
    s.post(f"{g}/weight", graph([(3, 1)]))
    s.get(f"{g}/subgraph", "json_unordered")


def case_follows_a_labelmap(s: Session) -> None:
    """Labels that are merged, cleaved and renumbered; a vertex brings back what it brought."""
    u, g = path_graph(s)
    labels = s.instance(u, "labelmap", "labels", BlockSize="16,16,16")
    voxels = b"".join(struct.pack("<Q", z // 4 + 1) * 256 for z in range(16))
    s.post(f"{labels}/raw/0_1_2/16_16_16/0_0_0", voxels, ok=True)
    s.post(f"{g}/sync", {"sync": "labels"})
    s.post(f"{g}/property/1/colour", b"green")
    s.post(f"{labels}/merge", [2, 1, 3])
    s.get(f"{g}/info?wait=true")
    s.get(f"{g}/subgraph", "json_unordered")
    new = s.post(f"{labels}/cleave/2", [1]).json()["CleavedLabel"]
    s.post(f"{labels}/renumber", [100, 4])
    s.get(f"{g}/info?wait=true")
    s.get(f"{g}/subgraph", "json_unordered")
    s.get(f"{g}/property/{new}/colour", "bytes")
