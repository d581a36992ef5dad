"""The index of a base: the same partition whatever the order of imports, removal without a trace, files that may be damaged."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from conftest import LONG

from crm_engine import _core
from crm_engine.errors import ConfigError, StoreError

COLUMNS: list[tuple[str, str | None]] = [
    ("no", "source_key"),
    ("given", "given_name"),
    ("family", "family_name"),
    ("born", "birth_date"),
    ("mail", "email"),
    ("phone", "phone"),
    ("city", "city"),
    ("changed", "updated_at"),
    ("club", None),
]


def rows_of(n: int, seed: int) -> list[list[str | None]]:
    """Made-up people, every third with a second record that a typo, a missing cell or an update makes different."""
    draw = random.Random(seed)
    given = ["Anna", "Jānis", "Пётр", "Maria", "John", "Ilze", "Olga", "Andris", "Peter", "Emma"]
    family = ["Ozols", "Bērziņš", "Иванов", "Smith", "Kalniņš", "Petrov", "Liepa", "Brown", "Сидоров", "Jansons"]
    rows: list[list[str | None]] = []
    while len(rows) < n:
        number = len(rows)
        person: list[str | None] = [
            f"k{number}",
            draw.choice(given),
            draw.choice(family) + draw.choice(["", "a", "s"]),
            f"19{draw.randrange(50, 99)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}",
            f"person{draw.randrange(n)}@mail{draw.randrange(3)}.lv",
            f"+371 2{draw.randrange(10**6, 10**7)}",
            draw.choice(["Rīga", "Liepāja", "Москва", "London"]),
            f"2024-{draw.randrange(1, 13):02}-11",
            draw.choice(["gold", "silver", None]),
        ]
        rows.append(person)
        if number % 3 == 0:
            twin = [*person]
            twin[0] = f"k{number}t"
            name = str(twin[2])
            twin[2] = name[:-2] + name[-1]
            twin[draw.choice([3, 4, 5, 6])] = None
            rows.append(twin)
    return rows[:n]


def batch(rows: Sequence[Sequence[str | None]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([row[place] for row in rows], pa.string()) for place in range(len(COLUMNS))], names=[name for name, _ in COLUMNS]
    )


class Index:
    """An index with its golden rows, kept as a store would keep them."""

    def __init__(self, folder: Path, model: str | None = None, options: str = "{}") -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.native = _core.BaseIndex.create(folder, options, model)
        self.golden: dict[str, dict[str, Any]] = {}
        self.lineage: dict[str, dict[str, Any]] = {}
        self.contact_of: dict[int, str] = {}
        self.edges: dict[tuple[int, int], float] = {}
        self.aliases: dict[str, str] = {}
        self.counts: dict[str, Any] = {}
        self.run = 0

    def commit(self, change: Any) -> list[str]:
        """Resolves, applies to the tables, writes and goes on."""
        outcome = change.resolve()
        table = lambda name: outcome.table(name).to_pylist()  # noqa: E731
        for row in table("gone_contacts"):
            del self.golden[row["contact_id"]]
            self.lineage.pop(row["contact_id"], None)
        while (portion := outcome.next_contacts()) is not None:
            for row in portion[0].to_pylist():
                self.golden[row["contact_id"]] = {name: value for name, value in row.items() if value is not None}
                self.lineage.pop(row["contact_id"], None)
            for row in portion[1].to_pylist():
                self.lineage[row["contact_id"]] = {name: value for name, value in row.items() if value is not None}
        for row in table("gone_records"):
            del self.contact_of[row["record_id"]]
        self.contact_of |= {row["record_id"]: row["contact_id"] for row in table("record_contact")}
        for row in table("edges_removed"):
            del self.edges[row["record_id_a"], row["record_id_b"]]
        for row in table("edges_added"):
            assert (row["record_id_a"], row["record_id_b"]) not in self.edges
            self.edges[row["record_id_a"], row["record_id_b"]] = row["match_weight"]
        for row in table("aliases_removed"):
            del self.aliases[row["alias"]]
        self.aliases |= {row["alias"]: row["contact_id"] for row in table("aliases_added")}
        self.counts = json.loads(outcome.counts())
        files: list[str] = outcome.write()
        self.native.refresh(self.native.segments() + files)
        assert set(self.golden) == set(self.contact_of.values())
        assert json.loads(self.native.counts()) == {"records": len(self.contact_of), "contacts": len(self.golden)}
        return files

    def change(self) -> Any:
        self.run += 1
        return self.native.change(self.run)

    def add(self, rows: Sequence[Sequence[str | None]], source: str = "crm") -> pa.RecordBatch:
        change = self.change()
        pushed = change.push(change.declare(source, COLUMNS), batch(rows))
        self.commit(change)
        return pushed

    def state(self) -> dict[str, Any]:
        return {name: dict(vars(self)[name]) for name in ("golden", "lineage", "contact_of", "edges", "aliases")}

    def partition(self) -> dict[frozenset[int], dict[str, Any]]:
        """Records of each contact, and its values, whatever it is called."""
        members: dict[str, set[int]] = {}
        for record, contact in self.contact_of.items():
            members.setdefault(contact, set()).add(record)
        return {frozenset(records): {**self.golden[contact], "contact_id": None} for contact, records in members.items()}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> str:
    index = Index(tmp_path_factory.mktemp("fitted"))
    index.add(rows_of(1500, 1))
    model = index.native.model()
    assert model is not None
    return model


def test_any_split_and_order_gives_what_one_import_gives(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(400, 2)
    whole = Index(tmp_path / "whole", fitted)
    whole.add(rows)
    assert len(whole.golden) < 330
    for seed in range(60 if LONG else 4):
        draw = random.Random(seed)
        shuffled = draw.sample(rows, len(rows))
        parts = Index(tmp_path / f"parts{seed}", fitted)
        while shuffled:
            n = draw.randrange(1, 200)
            parts.add(shuffled[:n])
            shuffled = shuffled[n:]
        assert parts.partition() == whole.partition()
        assert parts.edges == whole.edges
        parts.native.verify()


def test_thousands_of_splits_of_few_rows_give_what_one_import_gives(tmp_path: Path, fitted: str) -> None:
    """Few rows, so that there are many cases; some rows come twice."""
    for seed in range(2_000 if LONG else 15):
        draw = random.Random(seed)
        rows = rows_of(draw.randrange(3, 40), seed)
        whole = Index(tmp_path / f"whole{seed}", fitted)
        whole.add(rows)
        shuffled = draw.sample(rows, len(rows))
        parts = Index(tmp_path / f"parts{seed}", fitted)
        while shuffled:
            n = draw.randrange(1, 12)
            # What came before may come again, and says nothing new.
            parts.add([*shuffled[:n], *draw.sample(rows, 2)] if draw.random() < 0.3 else shuffled[:n])
            shuffled = shuffled[n:]
        assert parts.partition() == whole.partition(), seed
        assert parts.edges == whole.edges, seed


def test_historical_people_in_ten_shuffled_imports(tmp_path: Path, shared: Path) -> None:
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(["id", "dob", "postcode_fake"], pa.string()), strings_can_be_null=True)
    table = pa.csv.read_csv(shared / "data" / "historical_50k" / "records.csv", convert_options=text)
    table = table.slice(0, None if LONG else 4_000)
    table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
    columns = [(found["column"], found["role"]) for found in json.loads(_core.detect_roles(table))]

    def imported(folder: Path, parts: list[pa.Table], model: str | None) -> Index:
        index = Index(folder, model)
        for part in parts:
            change = index.change()
            layout = change.declare("historical", columns)
            for rows in part.combine_chunks().to_batches(max_chunksize=10_000):
                change.push(layout, rows)
            index.commit(change)
        return index

    whole = imported(tmp_path / "whole", [table], None)
    order = random.Random(5).sample(range(len(table)), len(table))
    parts = [table.take(order[start::10]) for start in range(10)]
    split = imported(tmp_path / "split", parts, whole.native.model())
    assert split.edges == whole.edges
    assert split.partition() == whole.partition()


def test_statuses_tell_new_updated_unchanged_older_and_repeated_rows(tmp_path: Path, fitted: str) -> None:
    index = Index(tmp_path / "base", fitted)
    rows = rows_of(30, 3)
    assert set(index.add(rows).column("status").to_pylist()) == {"new"}
    assert index.commit(_pushing(index, rows)) == [], "the same rows again write nothing"
    newer, older, same_key = [*rows[0]], [*rows[1]], [*rows[2]]
    newer[6], newer[7] = "Ventspils", "2025-01-01"
    older[6], older[7] = "Ventspils", "2020-01-01"
    same_key[7] = "2025-01-01"
    pushed = index.add([newer, older, rows[3], rows[4], rows[4], rows[2], same_key])
    assert pushed.column("status").to_pylist() == [
        "updated", "older", "unchanged", "unchanged", "duplicate", "unchanged", "replaces",
    ]  # fmt: skip
    known = index.native.lookup(pa.array([*pushed.column("record_id").to_pylist()[:2], 5], pa.int64())).to_pylist()
    assert [row["is_known"] for row in known] == [True, True, False]
    assert known[0]["run"] == 3
    assert known[0]["first_run"] == 1
    assert known[1]["run"] == 1
    stored = index.native.rows(pushed.column("record_id").slice(0, 1))
    assert stored[0][0] == "crm"
    assert stored[0][2].column("city").to_pylist() == ["Ventspils"]


def _pushing(index: Index, rows: Sequence[Sequence[str | None]]) -> Any:
    change = index.change()
    change.push(change.declare("crm", COLUMNS), batch(rows))
    return change


def test_removed_records_leave_no_trace(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(300, 4)
    straight, detour = Index(tmp_path / "straight", fitted), Index(tmp_path / "detour", fitted)
    for index in (straight, detour):
        index.add(rows[::2])
    before = detour.state()
    passing = detour.add(rows[1::2])
    assert detour.counts["joined"] > 10
    change = detour.change()
    change.remove(passing.column("record_id"))
    detour.commit(change)
    assert detour.state() == before
    detour.run = straight.run
    for index in (straight, detour):
        index.add(rows[1::4])
    assert detour.state() == straight.state()


def test_a_version_that_is_taken_back_leaves_no_trace(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(120, 6)
    index = Index(tmp_path / "base", fitted)
    first = index.add(rows)
    before = index.state()
    changed = [[row[0], "Zelma", "Zariņa", *row[3:7], "2030-01-01", row[8]] for row in rows[:20]]
    index.add(changed)
    assert index.state() != before
    change = index.change()
    some = first.slice(0, 20)
    ones = pa.array([1] * 20, pa.int64())
    ids, hashes, times = some.column("record_id"), some.column("version_hash"), some.column("updated_at")
    change.restore(change.declare("crm", COLUMNS), batch(rows[:20]), ids, hashes, times, ones, ones)
    index.commit(change)
    assert index.state() == before


def test_decisions_hold_whatever_comes_and_can_be_taken_back(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(60, 7)
    index = Index(tmp_path / "base", fitted)
    index.add(rows)
    before = index.state()
    together = next(records for records in index.partition() if len(records) == 2)
    alone = [next(iter(records)) for records in index.partition() if len(records) == 1][:2]

    def decide(pairs: list[tuple[int, int, str]]) -> None:
        change = index.change()
        for a, b, verdict in pairs:
            change.decide(pa.array([a], pa.int64()), pa.array([b], pa.int64()), verdict)
        index.commit(change)

    a, b = sorted(together)
    decide([(a, b, "different"), (alone[0], alone[1], "same"), (a, 12345, "same")])
    assert index.contact_of[a] != index.contact_of[b]
    assert index.contact_of[alone[0]] == index.contact_of[alone[1]]
    assert index.counts["merged_contacts"] == 1
    assert index.counts["split_contacts"] == 1
    assert len(index.aliases) == 1
    index.add(rows_of(90, 8)[60:])
    assert index.contact_of[a] != index.contact_of[b]
    change = index.change()
    with pytest.raises(ConfigError, match="no verdict"):
        change.decide(pa.array([a], pa.int64()), pa.array([b], pa.int64()), "perhaps")
    added = [record for record in index.contact_of if record not in before["contact_of"]]
    change = index.change()
    change.remove(pa.array(added, pa.int64()))
    index.commit(change)
    decide([(a, b, "none"), (alone[1], alone[0], "none"), (a, 12345, "none")])
    assert index.state() == before


def test_edits_win_over_sources_and_can_be_taken_back(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(60, 9)
    index = Index(tmp_path / "base", fitted)
    index.add(rows)
    before = index.state()
    pair = sorted(next(records for records in index.partition() if len(records) == 2))
    lone = next(next(iter(records)) for records in index.partition() if len(records) == 1)
    ids = lambda *records: pa.array(records, pa.int64())  # noqa: E731
    texts = lambda *values: pa.array(values, pa.string())  # noqa: E731
    change = index.change()
    change.edit(ids(pair[1], pair[0], lone, lone), texts("city", "city", "owner", "email"), texts("Cēsis", "Valka", "ivanov", None),
                texts("a.xlsx", "b.xlsx", "set", "set"), ids(5, 6, 7, 8))  # fmt: skip
    index.commit(change)
    contact = index.contact_of[pair[0]]
    assert index.golden[contact]["city"] == "Valka"
    assert json.loads(index.lineage[contact]["edited"]) == {"city": "b.xlsx"}
    assert "city" not in index.lineage[contact]
    assert "family_name" in index.lineage[contact]
    assert index.golden[index.contact_of[lone]]["owner"] == "ivanov"
    assert "email" not in index.golden[index.contact_of[lone]]
    index.add([[*rows[0][:7], "2030-01-01", rows[0][8]]])
    found = json.loads(index.native.find(json.dumps({"email": rows[0][4]}), 1))
    assert found[0]["contact"] == {**dict.fromkeys(found[0]["contact"]), **index.golden[found[0]["contact_id"]]}
    change = index.change()
    change.unedit(ids(pair[1], pair[0], lone, lone), texts("city", "city", "owner", "email"), ids(5, 6, 7, 8))
    index.commit(change)
    change = index.change()
    whole = index.native.lookup(pa.array([*before["contact_of"]], pa.int64())).to_pylist()
    updated = [row["record_id"] for row in whole if row["run"] == 3]
    ones = pa.array([1], pa.int64())
    first = Index(tmp_path / "first", fitted).add(rows[:1])
    change.restore(
        change.declare("crm", COLUMNS), batch(rows[:1]), pa.array(updated, pa.int64()), first.column("version_hash"),
        first.column("updated_at"), ones, ones,
    )  # fmt: skip
    index.commit(change)
    assert index.state() == before


def test_find_ranks_contacts_and_says_why(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(400, 10)
    index = Index(tmp_path / "base", fitted)
    index.add(rows)
    wanted = rows[40]
    key = index.native.lookup(_core_ids(index, [wanted])).to_pylist()[0]["contact_id"]
    for query in ({"phone": wanted[5]}, {"email": str(wanted[4]).upper()}, {"name": f"{wanted[1]} {wanted[2]}", "birth_date": wanted[3]}):
        found = json.loads(index.native.find(json.dumps(query), 5))
        assert found[0]["contact_id"] == key, query
        assert 1 <= len(found) <= 5
        assert [row["match_weight"] for row in found] == sorted((row["match_weight"] for row in found), reverse=True)
        assert any(line["level"] == "exact" for line in found[0]["comparisons"])
    assert json.loads(index.native.find('{"email": "nobody@nowhere.example"}')) == []
    with pytest.raises(ConfigError, match="did you mean 'phone'"):
        index.native.find('{"phon": "1"}')
    with pytest.raises(ConfigError, match="at least one value"):
        index.native.find("{}")
    answers: list[str] = []
    query = json.dumps({"phone": wanted[5]})
    threads = [threading.Thread(target=lambda: answers.extend(index.native.find(query) for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 80
    assert len(set(answers)) == 1


def _core_ids(index: Index, rows: list[list[str | None]]) -> pa.Array:
    change = index.native.change(99)
    return change.push(change.declare("crm", COLUMNS), batch(rows)).column("record_id")


def test_compaction_keeps_all_that_counts_and_erasure_no_byte(tmp_path: Path, fitted: str) -> None:
    rows = rows_of(200, 11)
    canary = ["k-canary-77", "Canaria", "Serinusova", "1971-02-03", "canary@serinus.example", "+371 29999999", "Rīga", "2024-01-01", None]
    index = Index(tmp_path / "base", fitted)
    index.add([*rows[:100], canary])
    index.add(rows[100:])
    record = _core_ids(index, [canary])
    change = index.change()
    change.remove(record)
    index.commit(change)
    before = index.state()
    asked = json.dumps({"phone": rows[7][5]})
    found = index.native.find(asked)
    old = index.native.segments()
    new = index.native.compact(record)
    index.native.refresh(new)
    for name in old:
        (index.folder / name).unlink()
    index.native.verify()
    assert index.native.find(asked) == found
    written = b"".join(path.read_bytes() for path in index.folder.iterdir())
    assert b"erinus" not in written
    assert b"k-canary" not in written
    again = Index(tmp_path / "again", fitted)
    again.add(rows)
    for both in (index, again):
        both.add(rows_of(260, 11)[190:])
    assert index.partition() == again.partition()
    assert set(before["contact_of"]) <= set(index.contact_of)
    assert [path.stat().st_mode & 0o777 for path in index.folder.iterdir()] == [0o600] * len(list(index.folder.iterdir()))


def test_damaged_missing_and_foreign_files_are_store_errors(tmp_path: Path, fitted: str) -> None:
    index = Index(tmp_path / "base", fitted)
    index.add(rows_of(80, 12))
    names = index.native.segments()
    whole = (index.folder / names[-1]).read_bytes()
    draw = random.Random(13)
    other = tmp_path / "other"
    other.mkdir()
    for name in names[:-1]:
        (other / name).write_bytes((index.folder / name).read_bytes())
    n_refused = 0
    for _ in range(400 if LONG else 40):
        broken = bytearray(whole)
        if draw.random() < 0.3:
            broken = broken[: draw.randrange(len(broken))]
        else:
            for _ in range(draw.choice([1, 1, 50])):
                broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
        (other / "0000000001-x.idx").write_bytes(broken)
        try:
            opened = _core.BaseIndex.open(other, [*names[:-1], "0000000001-x.idx"])
            try:
                opened.verify()
            except StoreError:
                # Whoever goes on all the same meets errors at most.
                change = opened.change(2)
                change.push(change.declare("crm", COLUMNS), batch(rows_of(40, 12)))
                change.resolve()
                opened.find('{"city": "Rīga", "family_name": "Ozols"}')
        except StoreError:
            n_refused += 1
    assert n_refused > 10
    with pytest.raises(StoreError, match="missing"):
        _core.BaseIndex.open(index.folder, [*names, "nothing.idx"])
    with pytest.raises(StoreError, match="not the name"):
        _core.BaseIndex.open(index.folder, ["../" + names[0]])


def test_an_unwritten_change_leaves_no_file(tmp_path: Path, fitted: str) -> None:
    index = Index(tmp_path / "base", fitted)
    change = _pushing(index, rows_of(50, 14))
    change.resolve()
    del change
    assert sorted(path.name for path in index.folder.iterdir()) == sorted(index.native.segments())


def test_columns_of_sources_that_went_are_gone(tmp_path: Path, fitted: str) -> None:
    index = Index(tmp_path / "base", fitted)
    index.add(rows_of(30, 15))
    change = index.change()
    columns: list[tuple[str, str | None]] = [("id", "source_key"), ("email", "email"), ("points", None)]
    rows = pa.table({"id": ["1", "2"], "email": ["a@b.lv", None], "points": ["7", "8"]}).to_batches()[0]
    pushed = change.push(change.declare("shop", columns), rows)
    index.commit(change)
    assert any("points" in row for row in index.golden.values())
    change = index.change()
    change.remove(pushed.column("record_id"))
    outcome = change.resolve()
    portion = outcome.next_contacts()
    assert portion is not None
    assert "points" not in portion[0].schema.names
