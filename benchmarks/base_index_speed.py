"""How fast the index of a base is: the first import beside ``dedupe``, imports into a base that is there, opening, finding.

    python benchmarks/base_index_speed.py people_10000000.parquet --records 1000000 --new 10000 --new 100000

The file holds made-up people (``crm-engine demo`` makes such, ``--records`` of its first rows found the base, the rows after them come
new). Each figure comes from a process of its own, start included: CPU seconds (user and system), wall seconds, peak memory.
What a store adds (Parquet files, the catalog) is not in it: see `base_speed.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PUSHED_ROWS = 65_536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000, help="rows that found the base")
    parser.add_argument("--new", type=int, action="append", help="rows of an import into it, may be given several times")
    parser.add_argument("--no-dedupe", action="store_true", help="leave out the comparison with dedupe")
    parser.add_argument("--keep", type=Path, help="folder of the index, kept and used again")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments.step[0], arguments.file, Path(arguments.step[1]), [int(number) for number in arguments.step[2:]])
        return
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="base-index-speed-"))
    try:
        measure(arguments, folder)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder)


def measure(arguments: argparse.Namespace, folder: Path) -> None:
    n = arguments.records
    folder.mkdir(exist_ok=True)
    if not (folder / "segments.json").exists():
        print(f"{n:,} records")
        first = run(arguments.file, "import", folder, 0, n, 1)
        if not arguments.no_dedupe:
            plain = run(arguments.file, "dedupe", folder, 0, n)
            print(f"    first import / dedupe: {first['cpu'] / plain['cpu']:.2f} CPU, {first['wall'] / plain['wall']:.2f} wall")
    for new in arguments.new or [10_000]:
        run(arguments.file, "import", folder, n, new, 0)
    run(arguments.file, "find", folder, n)


def run(file: Path, name: str, folder: Path, *numbers: int) -> dict[str, Any]:
    """Runs a step in a process of its own and prints what it took."""
    start = time.perf_counter()
    command = [sys.executable, __file__, str(file), "--step", name, str(folder), *map(str, numbers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(process.returncode)
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    result |= {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall}
    print(f"  {name} {numbers[1] if len(numbers) > 1 else numbers[0]:,}: {result['cpu']:.2f} s CPU, {wall:.2f} s wall, "
          f"{usage.ru_maxrss / 1024:,.0f} MiB; {result['told']}", flush=True)  # fmt: skip
    return result


def step(name: str, file: Path, folder: Path, numbers: list[int]) -> None:
    {"import": import_rows, "dedupe": dedupe_rows, "find": find_contacts}[name](file, folder, *numbers)


def rows_of(file: Path, start: int, n: int) -> Any:
    """Record batches of some rows of a Parquet file, read as they are needed."""
    import pyarrow.parquet as pq

    source = pq.ParquetFile(file)
    at = 0
    for group in range(source.num_row_groups):
        size = source.metadata.row_group(group).num_rows
        if at + size > start and at < start + n:
            table = source.read_row_group(group)
            first, last = max(start - at, 0), min(start + n - at, size)
            yield from table.slice(first, last - first).combine_chunks().to_batches(max_chunksize=PUSHED_ROWS)
        at += size


def roles_of(file: Path) -> list[tuple[str, str | None]]:
    import pyarrow as pa

    from crm_engine import _core

    first = next(rows_of(file, 0, 10_000))
    columns = json.loads(_core.detect_roles(pa.Table.from_batches([first])))
    return [(column["column"], column["role"]) for column in columns if column["column"] != "true_id"]


def import_rows(file: Path, folder: Path, start: int, n: int, is_first: int) -> None:
    from crm_engine import _core

    registered = folder / "segments.json"
    spent: dict[str, float] = {}

    def lap(name: str) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent[name] = round(used.ru_utime + used.ru_stime - sum(spent.values()), 2)

    roles = roles_of(file)
    lap("start")
    index = _core.BaseIndex.create(folder, "{}") if is_first else _core.BaseIndex.open(folder, json.loads(registered.read_text()))
    change = index.change(1 if is_first else 2)
    layout = change.declare("people", roles)
    names = [name for name, _ in roles]
    for batch in rows_of(file, start, n):
        change.push(layout, batch.select(names))
    lap("push")
    outcome = change.resolve()
    lap("resolve")
    while outcome.next_contacts() is not None:
        pass
    lap("golden")
    files = outcome.write()
    lap("write")
    if is_first:
        registered.write_text(json.dumps(index.segments() + files))
    size = sum((folder / name).stat().st_size for name in files)
    counts = json.loads(outcome.counts())
    told = ", ".join(f"{name} {seconds}" for name, seconds in spent.items())
    told += f"; {size / n:.0f} bytes per record; "
    told += f"joined {counts['joined']:,}, new {counts['new_contacts']:,}, merged {counts['merged_contacts']:,}"
    print(json.dumps({"told": told}))


def dedupe_rows(file: Path, folder: Path, start: int, n: int) -> None:
    import pyarrow as pa

    import crm_engine as crm

    names = [name for name, _ in roles_of(file)]
    schema = pa.schema([(name, pa.string()) for name in names])
    batches = (batch.select(names) for batch in rows_of(file, start, n))
    result = crm.dedupe(pa.RecordBatchReader.from_batches(schema, batches))
    print(json.dumps({"told": f"{result.contacts.num_rows:,} contacts"}))


def find_contacts(file: Path, folder: Path, n: int) -> None:
    from crm_engine import _core

    start = time.perf_counter()
    index = _core.BaseIndex.open(folder, json.loads((folder / "segments.json").read_text()))
    opened = time.perf_counter() - start
    index.find(json.dumps({"email": "warm@up.example"}))
    first = time.perf_counter() - start
    asked = next(rows_of(file, n // 2, 4_000)).to_pylist()
    random.Random(1).shuffle(asked)
    told = []
    for what, columns in (("phone", ["phone"]), ("e-mail", ["email"]), ("name", ["first_name", "last_name"]), ("card", [])):
        roles = {name: role for name, role in roles_of(file) if role and role not in ("source", "source_key", "updated_at")}
        chosen = columns or list(roles)
        times = []
        for row in asked:
            query = {roles[name]: row[name] for name in chosen if row[name]}
            if len(query) < len(columns) or len(times) >= 500:
                continue
            start = time.perf_counter()
            index.find(json.dumps(query))
            times.append((time.perf_counter() - start) * 1000)
        cuts = statistics.quantiles(times, n=100)
        told.append(f"{what} p50 {cuts[49]:.2f} ms p99 {cuts[98]:.2f} ms")
    print(json.dumps({"told": f"opened in {opened * 1000:.1f} ms, first answer after {first * 1000:.0f} ms; " + "; ".join(told)}))


if __name__ == "__main__":
    main()
