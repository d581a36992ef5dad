"""Segments against Polars, chdb and DuckDB: CPU seconds in one run, and the same members counted by all.

    python benchmarks/segments_speed.py --data DIR --peer-python PYTHON [--million 1] [--peers polars,chdb]

The generator, the rules and the peers' scripts are those of ``peers/segments_funnels`` in the shared material (``CRM_SHARED``, or a
folder ``shared`` beside the checkout); DIR holds what ``gen.py --out DIR --contacts N --tables contacts,orders,events --ipc`` wrote.
PYTHON has the peers installed (polars, chdb, duckdb); this interpreter has crm_engine. Each figure is the best of the runs.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import crm_engine as crm


def shared() -> Path:
    """The shared material."""
    given = os.environ.get("CRM_SHARED")
    places = [Path(given)] if given else [parent / "shared" for parent in Path(__file__).resolve().parents]
    for place in places:
        if (place / "peers" / "segments_funnels").is_dir():
            return place
    sys.exit("the shared material was not found; set CRM_SHARED")


def timed(work: Callable[[], Any], runs: int) -> tuple[float, float, Any]:
    """Least CPU and wall seconds of some runs, and the last result."""
    cpu, wall, result = [], [], None
    for _ in range(runs):
        result = None
        wall_from, cpu_from = time.perf_counter(), time.process_time()
        result = work()
        cpu.append(time.process_time() - cpu_from)
        wall.append(time.perf_counter() - wall_from)
    return min(cpu), min(wall), result


def tally(result: crm.SegmentResult) -> int:
    """All memberships counted, the bits of every segment made."""
    for name in result.segments:
        result._mask(name)
    return sum(result.counts.values())


def decode(path: Path, columns: list[str]) -> int:
    """Reads the columns as pyarrow does, and nothing more."""
    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches(131_072, columns=columns))


def peer(python: str, script: Path, data: Path, *arguments: str) -> tuple[float, float, int]:
    """A peer's CPU and wall seconds and its number of memberships."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        environment = os.environ | {"BENCH_DATA": str(data), "BENCH_OUT": str(out), "POLARS_MAX_THREADS": "2"}
        done = subprocess.run([python, str(script), *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{script.name} {' '.join(arguments)}: {done.stderr[-2_000:]}")
        line = json.loads(out.read_text().splitlines()[-1])
    return line["cpu_s"], line["min_s"], line["check"][0] if isinstance(line["check"], list) else int(str(line["check"]).split(",")[0])


def related_rules(gen: Any) -> dict[str, Any]:
    """The twenty rules of ``bench_rel.py`` in the rule language."""
    import numpy as np

    random = np.random.default_rng(5)
    products = [gen.PRODUCTS[i] for i in (0, 1, 2, 5, 9, 20)]
    since = lambda days: f"timestamp '{gen.TODAY - np.timedelta64(days, 'D')} 00:00:00'"  # noqa: E731
    quoted = lambda values: ", ".join(f"'{value}'" for value in values)  # noqa: E731
    conditions = {0: "", 1: f" and city in ({quoted(gen.CITIES[:5])})", 2: " and channel in ('ads', 'referral')", 3: " and consent"}
    bought = "status in ('paid', 'shipped')"
    segments = {}
    for k in range(16):
        d, least, s, p, c = (
            int(random.choice([30, 90, 180, 365])),
            int(random.integers(1, 4)),
            int(random.choice([100, 300, 500, 1000])),
            str(random.choice(products)),
            int(random.integers(0, 4)),
        )
        recent = f"filter (where {bought} and placed_at >= {since(d)})"
        segments[f"r{k}"] = (
            f"count(orders) {recent} >= {least} and sum(orders.amount) {recent} > {s} and "
            f"count(orders) filter (where {bought} and product = '{p}' and placed_at >= {since(365)}) = 0{conditions[c]}"
        )
    asked, ordered = "max(events.ts) filter (where name = 'request_quote')", f"max(orders.placed_at) filter (where {bought})"
    for k, d in enumerate([7, 14, 30, 60]):
        segments[f"r{16 + k}"] = f"{asked} >= {since(d)} and ({ordered} is null or {ordered} < {asked}){conditions[k]}"
    return {"segments": segments, "tables": {"orders": {"time": "placed_at"}, "events": {"time": "ts"}}}


def main() -> None:
    """Runs every work and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--peers", default="polars")
    parser.add_argument("--million", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", default="200,20,200-parquet,related")
    arguments = parser.parse_args()
    scripts = shared() / "peers" / "segments_funnels"
    sys.path.insert(0, str(scripts))
    rules, gen = importlib.import_module("rules"), importlib.import_module("gen")
    n, data, runs = arguments.million, arguments.data, arguments.runs
    peers = arguments.peers.split(",")
    today = str(gen.TODAY)

    def in_memory(name: str, columns: list[str] | None = None) -> pa.Table:
        with pa.memory_map(str(data / name)) as source:
            table = pa.ipc.open_file(source).read_all()
            return table.select(columns) if columns else table

    print(f"{'work':<34}{'ours CPU s':>12}{'wall s':>9}  {'best peer CPU s':>24}{'ratio':>8}")
    for work in arguments.work.split(","):
        name = f"{n} M x {work}"
        if work == "related":
            spec = related_rules(gen)
            related = {
                "orders": in_memory(f"orders_{n}m.arrow", ["contact_id", "amount", "placed_at", "product", "status"]),
                "events": in_memory(f"events_{10 * n}m.arrow"),
            }
            contacts: Any = in_memory(f"contacts_{n}m.arrow", ["id", "city", "channel", "consent"])
            ours = timed(lambda: tally(crm.segment(contacts, spec, related, today=today, threads=2)), runs)  # noqa: B023
            theirs = {one: peer(arguments.peer_python, scripts / "bench_rel.py", data, "--engine", one, "--n", str(n)) for one in peers}
        else:
            count, parquet = int(work.split("-")[0]), work.endswith("parquet")
            pool, trees = rules.make(count)
            spec = {"segments": {f"r{k}": sql for k, sql in enumerate(rules.sql_rules(pool, trees, "duckdb"))}}
            columns = sorted({pool[i]["col"] for i in rules.used(trees)} | {"id"})
            contacts = data / f"contacts_{n}m.parquet" if parquet else in_memory(f"contacts_{n}m.arrow", columns)
            ours = timed(lambda: tally(crm.segment(contacts, spec, today=today, threads=2)), runs)  # noqa: B023
            # From Parquet the measure is pyarrow's decoding and a share of the peer's time in memory.
            flags = ["--rules", str(count), "--n", str(n)]
            forms = {"polars": ["regex", "aho", "lower"], "chdb": ["bitmap"], "duckdb": ["layered"]}
            theirs = {
                f"{one} {form}": peer(arguments.peer_python, scripts / "bench_seg.py", data, "--engine", one, *flags, "--form", form)
                for one in peers
                for form in forms[one]
            }
        best = min(theirs, key=lambda one: theirs[one][0])
        agreed = all(found[2] == ours[2] for found in theirs.values())
        ratio = theirs[best][0] / ours[0]
        print(f"{name:<34}{ours[0]:>12.3f}{ours[1]:>9.3f}  {best + ' ' + format(theirs[best][0], '.3f'):>24}{ratio:>8.1f}", flush=True)
        if work.endswith("parquet"):
            decoding, _, _ = timed(functools.partial(decode, contacts, columns), runs)
            for share in (8, 15):
                print(f"    pyarrow's decoding {decoding:.3f} + 1/{share} of {best} = {decoding + theirs[best][0] / share:.3f}")
        print(
            f"    memberships: ours {ours[2]:,}; "
            + ("all agree" if agreed else f"PEERS DIFFER: { {one: found[2] for one, found in theirs.items()} }")
        )


if __name__ == "__main__":
    main()
