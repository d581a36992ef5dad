"""Polluted files of known truth, read by crm_engine and by other tools with their defaults.

    python benchmarks/pollution.py [--share 0.05] [--every 1] [--kinds]

Three collections, made in the test tree: tables polluted in all the ways we know (`pollution.py`), one pollution per file in every row and
column (`pollution_single.py`, of whose damaged rows ``--share`` is taken), and whole files as they are published (`published.py`).

Per tool: files loaded exactly (header and every cell), damage told (an error, a reject or a warning), and silent damage; and a score from
0 to 10 as the Pollock study scores: loaded at all, and precision, recall and F1 of header cells, records and cells. Undecidable files
count in the score alone. Tools that are not installed are left out.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import pollution
import pollution_single
import published
from pollution_single import Polluted
from table_score import score

Table = tuple[list[str] | None, list[list[str]], bool]


def text(cell: object) -> str:
    return "" if cell is None or cell != cell else str(cell)


def ours(path: str) -> Table:
    from crm_engine import _core

    (table,) = _core.open_file(path, "{}")
    rows: list[list[str]] = []
    while (batch := table.next_batch()) is not None:
        rows += [[text(cell) for cell in row] for row in zip(*[column.to_pylist() for column in batch[0].columns], strict=True)]
    report = json.loads(table.report)
    return table.column_names if report["header_row"] else None, rows, bool(report["warnings"] or table.drain_rejects())


def duckdb(path: str) -> Table:
    import duckdb as tool

    table = tool.connect().sql(f"select * from read_csv('{path}', all_varchar=true)").to_arrow_table()
    return table.column_names, [[text(cell) for cell in row.values()] for row in table.to_pylist()], False


def pandas(path: str) -> Table:
    import pandas as tool

    frame = tool.read_csv(path, dtype=str, keep_default_na=False)
    return list(frame.columns), [[text(cell) for cell in row] for row in frame.to_numpy().tolist()], False


def polars(path: str) -> Table:
    import polars as tool

    frame = tool.read_csv(path, infer_schema=False)
    return frame.columns, [[text(cell) for cell in row] for row in frame.rows()], False


def pyarrow(path: str) -> Table:
    import pyarrow as pa
    import pyarrow.csv as tool

    table = tool.read_csv(path)
    columns = [column.cast(pa.string()).to_pylist() for column in table.columns]
    return table.column_names, [[text(cell) for cell in row] for row in zip(*columns, strict=True)], False


def clevercsv(path: str) -> Table:
    import clevercsv as tool

    content = Path(path).read_bytes()
    rows = list(tool.reader(io.StringIO(content.decode("utf-8")), tool.Sniffer().sniff(content.decode("utf-8"))))
    return rows[0] if rows else None, rows[1:], False


def python_csv(path: str) -> Table:
    content = Path(path).read_bytes().decode("utf-8")
    rows = list(csv.reader(io.StringIO(content), csv.Sniffer().sniff(content[:4096])))
    return rows[0] if rows else None, rows[1:], False


TOOLS: dict[str, Callable[[str], Table]] = {
    "crm_engine": ours,
    "duckdb": duckdb,
    "pandas": pandas,
    "polars": polars,
    "pyarrow": pyarrow,
    "clevercsv": clevercsv,
    "csv.Sniffer": python_csv,
}


def collections(share: float) -> dict[str, list[Polluted]]:
    first = [Polluted(case.name, case.kind, case.content, [(case.header, case.rows)], case.decidable) for case in pollution.cases(True)]
    return {"all pollutions": first, "one pollution": list(pollution_single.files(share)), "published": list(published.files(5))}


def compare(files: list[Polluted], with_kinds: bool) -> None:
    """Prints the table of one collection."""
    n_decidable = sum(file.decidable for file in files)
    print(f"{len(files):,} files, {n_decidable:,} of them decidable\n")
    print("| tool | exact | told | silent | score of 10 | mean of kinds | not loaded |\n|---|---|---|---|---|---|---|")
    ours_by_kind: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        for tool, read in TOOLS.items():
            outcomes: Counter[str] = Counter()
            kinds: dict[str, list[float]] = {}
            try:
                for file in files:
                    path.write_bytes(file.content)
                    outcome, best = outcome_of(file, read, str(path))
                    kinds.setdefault(file.kind, []).append(best)
                    outcomes["not loaded"] += best == 0
                    outcomes[outcome] += file.decidable
            except ModuleNotFoundError:
                continue
            if tool == "crm_engine":
                ours_by_kind = kinds
            mean = sum(map(sum, kinds.values())) / len(files)
            of_kinds = sum(sum(found) / len(found) for found in kinds.values()) / len(kinds)
            counts = " | ".join(str(outcomes[name]) for name in ("exact", "told", "silent"))
            print(f"| {tool} | {counts} | {mean:.2f} | {of_kinds:.2f} | {outcomes['not loaded']} |", flush=True)
    if with_kinds:
        print("\n| kind | files | score, crm_engine |\n|---|---|---|")
        for kind, found in sorted(ours_by_kind.items()):
            print(f"| {kind} | {len(found)} | {sum(found) / len(found):.3f} |")
    print()


def outcome_of(file: Polluted, read: Callable[[str], Table], path: str) -> tuple[str, float]:
    """Exact, told or silent, and the score under the reading that fits best."""
    try:
        header, rows, told = read(path)
    except ModuleNotFoundError:
        raise
    except Exception:
        # Each library has errors of its own, and whichever it is: the damage was told.
        return "told", 0.0
    best = max(score(reading, (header, rows)) for reading in file.readings)
    is_exact = any((header == names or names is None) and rows == wanted for names, wanted in file.readings)
    return "exact" if is_exact else "told" if told else "silent", best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--every", type=int, default=1, help="every N-th file only: some tools take seconds per file")
    parser.add_argument("--kinds", action="store_true", help="per kind of pollution too")
    arguments = parser.parse_args()
    for name, files in collections(arguments.share).items():
        print(f"## {name}\n")
        compare(files[:: arguments.every], arguments.kinds)


if __name__ == "__main__":
    main()
