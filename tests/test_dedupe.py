"""``crm.dedupe`` from rows to tables: accounting, order, decisions, memory, files, threads, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from conftest import LONG
from dedupe_samples import ROWS, check_whole, golden, partition, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine.demo import write_demo

COMMAND = [sys.executable, "-c", "import sys; from crm_engine.cli import main; sys.argv[0] = 'crm-engine'; main()"]


def test_the_same_person_twice_is_one_contact() -> None:
    result = crm.dedupe(table())
    check_whole(result)
    assert partition(result) == {frozenset("12"), frozenset("34"), frozenset("5"), frozenset("6")}
    anna = next(row for row in result.contacts.to_pylist() if row["family_name"].lower() == "ozola")
    assert anna["n_records"] == 2
    assert anna["email"] == ["anna.ozola@inbox.lv"]
    assert anna["level"] == "gold"
    assert anna["updated_at"].startswith("2024-06-01")
    lineage = next(row for row in result.lineage.to_pylist() if row["contact_id"] == anna["contact_id"])
    ids = dict(zip(result.records["source_key"].to_pylist(), result.records["record_id"].to_pylist(), strict=True))
    assert lineage["level"] == ids["1"]
    assert lineage["city"] == ids["2"]


def test_a_damaged_model_is_refused_with_the_place(tmp_path: Path) -> None:
    crm.dedupe(table()).model.save(tmp_path / "model.json")
    model = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    model["rules"][0]["parts"][0]["form"] = {"derived": 200}
    (tmp_path / "model.json").write_text(json.dumps(model), encoding="utf-8")
    with pytest.raises(crm.ConfigError, match=r"the model is damaged at rules\[0\].parts\[0\]: it asks for derived key 200"):
        crm.dedupe(table(), model=crm.Model.load(tmp_path / "model.json"))


def test_rows_without_keys_and_rows_that_share_one_get_ids_of_their_own() -> None:
    rows = [["1", "a@x.lv"], ["1", "b@x.lv"], ["", "c@x.lv"], ["", "c@x.lv"], ["", "d@x.lv"]]
    result = crm.dedupe(table(rows, ["source_key", "email"]), {"mapping": {"source_key": "source_key"}})
    check_whole(result)
    assert result.summary["shared_record_ids"] == 2
    assert any("repeat another row" in warning for warning in result.summary["warnings"])


@settings(max_examples=200 if LONG else 15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(ROWS), st.integers(0, len(ROWS)))
def test_any_order_of_rows_and_files_gives_the_same_contacts(rows: list[list[str]], cut: int) -> None:
    expected = crm.dedupe(table())
    # One source throughout: the name of a source is part of what a record is known by.
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    whole = pa.concat_tables([table(part) for part in parts])
    found = crm.dedupe(whole)
    assert partition(found) == partition(expected)
    assert golden(found) == golden(expected)
    pairs = ["record_id_a", "record_id_b", "match_weight", "decision"]
    assert found.pairs.select(pairs).to_pylist() == expected.pairs.select(pairs).to_pylist()


def test_batches_of_any_size_give_the_same_tables() -> None:
    rows = [[str(number), *ROWS[number % 6][1:]] for number in range(300)]
    whole = table(rows)
    expected = crm.dedupe(whole)
    for size in (1, 7, 299):
        found = crm.dedupe(pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches(max_chunksize=size)))
        for name in ("contacts", "records", "lineage", "pairs"):
            assert getattr(found, name).equals(getattr(expected, name)), f"{name} in batches of {size}"


def test_any_number_of_threads_gives_the_same_bytes(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    subprocess.run([*COMMAND, "demo", "-o", str(demo), "--rows", "1500"], check=True, capture_output=True)
    exports = [str(path) for path in sorted(demo.iterdir()) if path.name.startswith(("hubspot", "bitrix24", "klienti", "webshop"))]
    outputs = []
    for threads in (1, 2, 5):
        out = tmp_path / f"out{threads}"
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        subprocess.run([*COMMAND, "dedupe", *exports, "-o", str(out)], check=True, capture_output=True, env=environment)
        outputs.append({path.name: path.read_bytes() for path in out.iterdir() if path.suffix in {".parquet"} or path.name == "model.json"})
    assert len(outputs[0]) == 7
    assert outputs[0] == outputs[1] == outputs[2]


def test_a_table_without_contacts_is_told() -> None:
    orders = pa.table({"order_no": ["A1", "A2"], "amount": ["12.50", "8.00"], "status": ["paid", "open"]})
    warnings = crm.dedupe([table(), orders]).summary["warnings"]
    assert sum("no column tells a name" in warning for warning in warnings) == 1
    assert not any("no column tells a name" in warning for warning in crm.dedupe(table()).summary["warnings"])


def test_a_memory_limit_spools_and_changes_nothing(tmp_path: Path) -> None:
    rows = [[str(number), f"Name{number % 977}", *ROWS[number % 6][2:]] for number in range(40_000)]
    whole = table(rows)
    free, limited = crm.dedupe(whole), crm.dedupe(whole, memory_limit="24MiB", tmp_dir=tmp_path)
    assert free.summary["spooled_bytes"] == 0
    assert limited.summary["spooled_bytes"] > 0
    for name in ("contacts", "records", "lineage", "pairs"):
        assert getattr(limited, name).equals(getattr(free, name)), name
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_an_error() -> None:
    rows = [[str(number), f"Name{number}", *ROWS[number % 6][2:]] for number in range(20_000)]
    with pytest.raises(crm.LimitError, match="memory limit"):
        crm.dedupe(table(rows), memory_limit="100KiB")


def test_a_cluster_that_takes_too_large_a_share_stops_the_run() -> None:
    with pytest.raises(crm.LimitError, match="max_cluster_share"):
        crm.dedupe(table(), max_cluster_share=0.2)


def test_written_files_hold_what_the_tables_hold(tmp_path: Path) -> None:
    result = crm.dedupe(table())
    out = tmp_path / "out"
    stages = set()
    result.write(out, progress=lambda stage, done, total: stages.add(stage))
    for name in ("contacts", "records", "lineage", "pairs", "rejects", "skipped"):
        assert pq.read_table(out / f"{name}.parquet").equals(getattr(result, name)), name
    assert json.loads((out / "summary.json").read_text()) == result.summary
    assert stages == {"writing"}
    again = crm.dedupe(table(), model=crm.Model.load(out / "model.json"))
    assert again.contacts.equals(result.contacts)


def pair_weights(result: crm.DedupeResult) -> dict[frozenset[int], float]:
    return {frozenset((row["record_id_a"], row["record_id_b"])): row["match_weight"] for row in result.pairs.to_pylist()}


def test_a_model_decides_on_a_part_as_it_did_on_the_whole(tmp_path: Path) -> None:
    write_demo(tmp_path, rows=2_000, seed=11)
    export = pa_csv.read_csv(tmp_path / "hubspot_contacts.csv", convert_options=pa_csv.ConvertOptions(null_values=[""]))
    whole = crm.dedupe(export, source_name="crm")
    mapping = whole.summary["sources"][0]["roles"]
    weights = pair_weights(whole)
    assert len(weights) > 20
    for remainder in range(2):
        part = export.take([row for row in range(export.num_rows) if row % 2 == remainder])
        alone = crm.dedupe(part, mapping=mapping, source_name="crm", model=whole.model)
        ids = set(alone.records["record_id"].to_pylist())
        assert pair_weights(alone) == {pair: weight for pair, weight in weights.items() if pair <= ids}
        golden = {row["contact_id"]: row for row in whole.contacts.to_pylist()}
        single = [row for row in alone.contacts.to_pylist() if golden.get(row["contact_id"], {}).get("n_records") == 1]
        assert single
        assert all(row == golden[row["contact_id"]] for row in single)


def ids_by_key(result: crm.DedupeResult) -> dict[str, int]:
    return dict(zip(result.records["source_key"].to_pylist(), result.records["record_id"].to_pylist(), strict=True))


def test_decisions_hold_whatever_the_weights_say(tmp_path: Path) -> None:
    ids = ids_by_key(crm.dedupe(table()))
    told = [(ids["1"], ids["2"], "different"), (ids["6"], ids["5"], "same"), (ids["3"], ids["4"], "later"), (1, 2, "same")]
    result = crm.dedupe(table(), decisions=told)
    assert partition(result) == {frozenset("1"), frozenset("2"), frozenset("34"), frozenset("56")}
    assert result.summary["decisions"] == {"same": 1, "different": 1, "unknown": 1, "not_followed": 0}
    assert any("1 decisions name records" in warning for warning in result.summary["warnings"])
    words = {frozenset((row["record_id_a"], row["record_id_b"])): row["decision"] for row in result.pairs.to_pylist()}
    assert words[frozenset((ids["1"], ids["2"]))] == "different"
    assert words[frozenset((ids["5"], ids["6"]))] == "same"
    # The pairs of that run, handed back as a file, decide the same again.
    pq.write_table(result.pairs, tmp_path / "pairs.parquet")
    assert partition(crm.dedupe(table(), decisions=tmp_path / "pairs.parquet")) == partition(result)
    check_whole(result)


def test_a_decision_that_contradicts_others_is_told() -> None:
    ids = ids_by_key(crm.dedupe(table()))
    pairs = [("1", "5", "same"), ("5", "6", "same"), ("1", "6", "different")]
    result = crm.dedupe(table(), decisions=[(ids[a], ids[b], word) for a, b, word in pairs])
    assert result.summary["decisions"]["not_followed"] == 1
    assert any("decided to be the same are apart" in warning for warning in result.summary["warnings"])


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([(1, 2, "sane")], "did you mean 'same'"),
        ([(1, 1, "same")], "names one record twice"),
        ([(1, "x", "same")], "no whole number"),
        ([(1, 2)], "not two record ids and a word"),
        (7, "neither a file"),
        (pa.table({"record_id_a": [1], "record_id_b": [2], "decison": ["same"]}), "did you mean 'decison'"),
    ],
)
def test_wrong_decisions_are_refused(decisions: Any, message: str) -> None:
    with pytest.raises(crm.CrmError, match=message):
        crm.dedupe(table(), decisions=decisions)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = crm.dedupe(table())

    def fail(name: str) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result, "batches", fail)
    with pytest.raises(OSError, match="No space left"):
        result.write(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("producer", ["table", "batch reader", "polars", "pandas", "duckdb", "list"])
def test_anything_that_offers_arrow_is_taken(producer: str, tmp_path: Path) -> None:
    data: Any = table()
    if producer == "batch reader":
        data = data.to_reader()
    elif producer in ("polars", "pandas"):
        library = pytest.importorskip(producer)
        data = library.from_arrow(data) if producer == "polars" else data.to_pandas()
    elif producer == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        arrow = data  # noqa: F841 found by name
        data = duckdb.sql("select * from arrow")
    elif producer == "list":
        pq.write_table(table(ROWS[3:]), tmp_path / "table_1.parquet")
        data = [table(ROWS[:3]), tmp_path / "table_1.parquet"]
    result = crm.dedupe(data)
    check_whole(result)
    assert len(partition(result)) == 4


def test_empty_input_says_so(tmp_path: Path) -> None:
    with pytest.raises(crm.FileFormatError, match="no rows"):
        crm.dedupe(table([]))
    with pytest.raises(FileNotFoundError):
        crm.dedupe(tmp_path / "absent.csv")
    with pytest.raises(crm.ConfigError):
        crm.dedupe([])


def test_two_threads_at_once_do_not_disturb_each_other() -> None:
    rows = [[str(number), *ROWS[number % 6][1:]] for number in range(3_000)]
    expected = crm.dedupe(table(rows)).contacts
    found: list[pa.Table] = []
    threads = [threading.Thread(target=lambda: found.append(crm.dedupe(table(rows)).contacts)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [contacts.equals(expected) for contacts in found] == [True, True]


def test_a_progress_callback_that_raises_ends_the_run() -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        crm.dedupe(table(), progress=stop)


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal, sys
        import pyarrow as pa
        import crm_engine as crm
        # Where the tests run in the background the shell has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        n = 200_000
        data = pa.table({"email": [f"a{i % 150_000}@x{i % 97}.lv" for i in range(n)], "family_name": [f"n{i % 5_000}" for i in range(n)]})
        def interrupt(stage, done, total):
            if stage == sys.argv[2]:
                os.kill(os.getpid(), signal.SIGINT)
        result = crm.dedupe(data, progress=interrupt)
        result.write(sys.argv[1], progress=interrupt)
        """)
    )
    for stage in ("reading", "writing"):
        out = tmp_path / "results" / stage
        (tmp_path / "results").mkdir(exist_ok=True)
        done = subprocess.run([sys.executable, script, out, stage], capture_output=True, text=True, timeout=120)
        assert done.returncode in (1, 130, -signal.SIGINT), done.stderr
        assert "KeyboardInterrupt" in done.stderr
        assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("folder", ["csv-spectrum", "rust-csv", "duckdb-csv", "parquet-testing"])
def test_every_corpus_file_that_can_be_read_is_accounted_for(shared: Path, folder: str) -> None:
    files = sorted(path for path in (shared / "corpora" / folder).rglob("*") if path.suffix in (".csv", ".tsv", ".parquet"))
    assert files
    n_read = 0
    for file in files if LONG else files[::7]:
        if file.stat().st_size > 2_000_000:
            continue
        try:
            result = crm.dedupe(file)
        except (crm.CrmError, OSError):
            continue
        check_whole(result)
        n_read += 1
    assert n_read > 0
