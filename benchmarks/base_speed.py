"""How fast a whole base is, store included: first import beside ``dedupe``, imports into it, finding, streaming its contacts.

    python benchmarks/base_speed.py people_10000000.csv --more people_1000000.parquet --new 10000 --new 1000000

The files hold made-up people. New rows are, for three quarters, people of ``--more``; the others are copies of the base's own rows under
new keys, most of them with cells emptied or mistyped. Every command runs in a process of its own, its start included: CPU seconds (user and
system), wall seconds, peak memory (which counts the pages of mapped files too). ``--keep`` uses a base that is there.
"""

from __future__ import annotations

import argparse
import csv
import glob
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROLES = {
    "first_name": "given_name", "last_name": "family_name", "middle_name": "middle_name", "email": "email", "phone": "phone",
    "company": "company_name", "city": "city", "street": "street", "postcode": "postcode", "birth_date": "birth_date",
}  # fmt: skip
_MOST_COPIES = 250_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="what founds the base: CSV or Parquet")
    parser.add_argument("--more", type=Path, help="Parquet of people who come new")
    parser.add_argument("--new", type=int, action="append", default=[], help="rows of an import into the base, may be given several times")
    parser.add_argument("--no-dedupe", action="store_true", help="leave out the comparison with dedupe")
    parser.add_argument("--keep", type=Path, help="the base's folder, kept and used again")
    parser.add_argument("--step", choices=["find", "contacts"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        {"find": find_contacts, "contacts": stream_contacts}[arguments.step](arguments.file)
        return
    with tempfile.TemporaryDirectory(prefix="base-speed-") as scratch:
        measure(arguments, Path(scratch))


def measure(arguments: argparse.Namespace, scratch: Path) -> None:
    base = arguments.keep or scratch / "base"
    if not base.exists():
        engine("init", str(base))
        first = report("first import", engine("import", str(arguments.file), "--base", str(base), "--json"))
        if not arguments.no_dedupe:
            plain = report("dedupe", engine("dedupe", str(arguments.file), "-o", str(scratch / "deduped"), "--json"))
            print(f"    first import / dedupe: {first['cpu'] / plain['cpu']:.2f} CPU, {first['wall'] / plain['wall']:.2f} wall", flush=True)
            shutil.rmtree(scratch / "deduped")
    for number, n in enumerate(arguments.new):
        rows = scratch / f"new_{n}.csv"
        write_newcomers(base, arguments.more, n, f"{time.time_ns():x}-{number}", rows)
        report(f"{n:,} new rows", engine("import", str(rows), "--base", str(base), "--source", "fresh", "--json"))
        rows.unlink()
    for step in ("find", "contacts"):
        run = measured([sys.executable, __file__, str(base), "--step", step])
        print(run["printed"], end="", flush=True)
    size = sum(path.stat().st_size for path in base.rglob("*") if path.is_file())
    print(f"  the base takes {size / 1e6:,.0f} MB")


def engine(*arguments: str) -> dict[str, Any]:
    return measured([str(Path(sys.executable).with_name("crm-engine")), *arguments])


def measured(command: list[str]) -> dict[str, Any]:
    """Runs a command; what it printed and what it took."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    cpu = usage.ru_utime + usage.ru_stime
    return {"printed": printed, "cpu": cpu, "wall": time.perf_counter() - start, "mib": usage.ru_maxrss / 1024}


def report(what: str, run: dict[str, Any]) -> dict[str, Any]:
    told = json.loads(run["printed"])
    names = ("new", "contacts_created", "contacts_updated", "contacts_merged", "contacts")
    counts = ", ".join(f"{name} {told[name]:,}" for name in names if isinstance(told.get(name), int))
    print(f"  {what}: {run['cpu']:.2f} s CPU, {run['wall']:.2f} s wall, {run['mib']:,.0f} MiB; {counts}", flush=True)
    return run


def write_newcomers(base: Path, more: Path, n: int, prefix: str, out: Path) -> None:
    """A CSV of ``n`` rows: people of ``more``, and changed copies of rows of the base."""
    import pyarrow.parquet as pq

    rng = random.Random(n)
    copies = min(n // 4, _MOST_COPIES)
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", *_ROLES, "updated_at", "source"])
        number = 0
        for row in changed(contacts_of(base, copies), rng):
            writer.writerow([f"{prefix}-{number}", *(row[role] or "" for role in _ROLES.values()), "2025-01-01", "fresh"])
            number += 1
        for batch in pq.ParquetFile(more).iter_batches(columns=[*_ROLES, "updated_at"]):
            for row in batch.slice(0, n - number).to_pylist():
                writer.writerow([f"{prefix}-{number}", *(row[name] for name in _ROLES), row["updated_at"], "fresh"])
                number += 1
            if number >= n:
                return


def contacts_of(base: Path, n: int) -> Iterator[dict[str, Any]]:
    """Some golden records, spread over the base."""
    import crm_engine as crm

    with crm.Base.open(base) as opened:
        every = max(1, opened.tables()["contacts"] // max(n, 1))
        given = 0
        for batch in opened.contacts(list(_ROLES.values())):
            for row in every_nth(batch, every):
                if given >= n:
                    return
                given += 1
                yield {role: value[0] if isinstance(value, list) and value else value or None for role, value in row.items()}


def every_nth(batch: Any, n: int) -> list[dict[str, Any]]:
    """Rows of a batch; only these become Python objects."""
    rows: list[dict[str, Any]] = batch.take(list(range(0, len(batch), n))).to_pylist()
    return rows


def changed(rows: Iterator[dict[str, Any]], rng: random.Random) -> Iterator[dict[str, Any]]:
    for row in rows:
        for _ in range(rng.choice((0, 1, 1, 2))):
            role = rng.choice(list(row))
            text = row[role] or ""
            place = rng.randrange(max(len(text) - 1, 1))
            row[role] = "" if rng.random() < 0.4 else text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
        yield row


def find_contacts(folder: Path) -> None:
    """Opening a base and finding in it, as a service does."""
    import crm_engine as crm

    start = time.perf_counter()
    base = crm.Base.open(folder)
    opened = time.perf_counter() - start
    base.find({"email": "warm@up.example"})
    first = time.perf_counter() - start
    print(f"  opened in {opened * 1000:,.0f} ms, first answer after {first * 1000:,.0f} ms")
    asked = [row for batch in base.contacts(list(_ROLES.values())) for row in every_nth(batch, max(len(batch) // 20, 1))]
    random.Random(1).shuffle(asked)
    for what, roles in (
        ("phone", ["phone"]),
        ("e-mail", ["email"]),
        ("name", ["given_name", "family_name"]),
        ("card", list(_ROLES.values())),
    ):
        times, used = [], []
        for row in asked:
            query = {role: row[role] for role in roles if row[role]}
            if len(query) < min(len(roles), 2) or len(times) >= 1_000:
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            base.find(query)
            times.append((time.perf_counter() - wall) * 1000)
            used.append((time.process_time() - cpu) * 1000)
        (p50, p99), (cpu50, cpu99) = ([statistics.quantiles(values, n=100)[at] for at in (49, 98)] for values in (times, used))
        print(f"  find by {what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms; CPU p50 {cpu50:.2f} ms, p99 {cpu99:.2f} ms; {len(times):,} queries")


def stream_contacts(folder: Path) -> None:
    """``base.contacts()`` beside pyarrow on the same files."""
    import pyarrow.parquet as pq

    import crm_engine as crm

    files = glob.glob(str(folder / "data" / "main" / "contacts" / "*.parquet"))
    base = crm.Base.open(folder)
    base.contacts(["contact_id"]).read_next_batch()
    for what, batches in (
        ("pyarrow, iter_batches", (batch for file in files for batch in pq.ParquetFile(file).iter_batches(65_536))),
        ("base.contacts()", base.contacts()),
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        n = sum(batch.num_rows for batch in batches)
        print(f"  {what}: {n:,} rows, {time.process_time() - cpu:.2f} s CPU, {time.perf_counter() - wall:.2f} s wall")


if __name__ == "__main__":
    main()
