"""The polluted files of `tests/pollution.py` read by crm_engine and by other tools with their defaults.

    python benchmarks/pollution.py [--kinds]

Per tool: files loaded exactly (header and every cell), damage told (an error, a reject or a warning), and silent damage; and a score from
0 to 10 as the Pollock study scores: loaded at all, and precision, recall and F1 of header cells, records and cells. Tools that are not
installed are left out.
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

    table = tool.connect().execute(f"select * from read_csv('{path}', all_varchar=true)").fetch_arrow_table()
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
    content = Path(path).read_text(encoding="utf-8", newline="")
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


def overlap(found: Counter, wanted: Counter) -> list[float]:
    n_both = sum((found & wanted).values())
    precision = n_both / sum(found.values()) if found else float(not wanted)
    recall = n_both / sum(wanted.values()) if wanted else float(not found)
    return [precision, recall, 2 * precision * recall / (precision + recall) if n_both or not wanted else 0.0]


def score(case: pollution.Case, header: list[str] | None, rows: list[list[str]]) -> float:
    names, wanted = header or [], case.header or []
    if case.header is None:
        names = wanted = []
    cells = Counter(cell for row in rows for cell in row)
    return 1 + sum(
        overlap(Counter(names), Counter(wanted))
        + overlap(Counter(map(tuple, rows)), Counter(map(tuple, case.rows)))
        + overlap(cells, Counter(cell for row in case.rows for cell in row))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", action="store_true", help="per kind of pollution too")
    arguments = parser.parse_args()
    cases = list(pollution.cases(long=True))
    decidable = [case for case in cases if case.decidable]
    print(f"{len(cases)} files, {len(decidable)} of them decidable; the figures are of those\n")
    print("| tool | exact | told | silent | score of 10 |\n|---|---|---|---|---|")
    kinds: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as folder:
        for tool, read in TOOLS.items():
            outcomes: Counter = Counter()
            total = 0.0
            try:
                for number, case in enumerate(decidable):
                    path = Path(folder) / f"{number}.csv"
                    path.write_bytes(case.content)
                    try:
                        header, rows, told = read(str(path))
                    except ModuleNotFoundError:
                        raise
                    except Exception:
                        outcome = "told"
                    else:
                        exact = (header == case.header or case.header is None) and rows == case.rows
                        outcome = "exact" if exact else "told" if told else "silent"
                        total += score(case, header, rows)
                    outcomes[outcome] += 1
                    kinds.setdefault(case.kind, Counter())[tool, outcome] += 1
            except ModuleNotFoundError:
                continue
            print(f"| {tool} | {outcomes['exact']} | {outcomes['told']} | {outcomes['silent']} | {total / len(decidable):.2f} |")
    if arguments.kinds:
        print("\n| kind | exact / told / silent, crm_engine |\n|---|---|")
        for kind, counts in sorted(kinds.items()):
            print(f"| {kind} | {' / '.join(str(counts['crm_engine', outcome]) for outcome in ('exact', 'told', 'silent'))} |")


if __name__ == "__main__":
    main()
