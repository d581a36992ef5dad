"""Speed of the two funnels beside the best peers, in one run.

    python benchmarks/funnels_speed.py --peers ../shared/peers/segments_funnels --data DIR --python PYTHON

The data come from the peers' own generator (`gen.py --tables contacts,deals,events --ipc`); ``--python`` is an interpreter that has
polars and chdb. Printed are CPU seconds, wall seconds, the peak of memory over the loaded input, and the ratio of CPU seconds to the best peer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import crm_engine as crm

STAGES = ["qualification", "presentation", "proposal", "contracting", "won"]
STEPS = ["visit", "view_pricing", "request_quote", "trial_start", "purchase"]


def read(path: Path) -> pa.Table:
    """An Arrow file into memory (not mapped), as the peers hold it."""
    with path.open("rb") as file:
        return pa.ipc.open_file(pa.py_buffer(file.read())).read_all()


def memory_mib(field: str) -> float:
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(field))


def timed(run: Any, runs: int) -> dict[str, Any]:
    loaded = memory_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    cpu, wall = [], []
    for _ in range(runs):
        start, busy = time.perf_counter(), time.process_time()
        check = run()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    return {
        "cpu_s": round(min(cpu), 3),
        "wall_s": round(min(wall), 3),
        "over_input_mib": round(memory_mib("VmHWM") - loaded),
        "check": check,
    }


def pipeline(data: Path, size: int, runs: int) -> dict[str, Any]:
    deals, stages = read(data / f"deals_{size}m.arrow"), read(data / f"stage_events_{size}m.arrow")

    def run() -> Any:
        funnel = crm.pipeline_funnel(deals, stages, {"by": ["manager_id", "channel", "month"]})
        return [pc.sum(pc.filter(funnel.stages["reached"], pc.equal(funnel.stages["stage"], stage))).as_py() for stage in STAGES]

    return {"task": "pipeline", "engine": "crm_engine", **timed(run, runs)}


def events(data: Path, size: int, n_contacts: int, runs: int, breakdowns: int = 0) -> dict[str, Any]:
    table, contacts = read(data / f"events_{size}m.arrow"), read(data / f"contacts_{n_contacts}m.arrow")
    config: dict[str, Any] = {
        "contact": "contact_id", "time": "ts", "window": "7 days", "by": ["channel"], "contacts_key": "id",
        "steps": [{"name": step, "where": f"name = '{step}'"} for step in STEPS],
    }  # fmt: skip
    if breakdowns:
        columns = ["country", "level", "manager_id", "consent", "channel"]
        config["breakdowns"] = [[columns[n % 5]] if n < 5 else [columns[n % 5], columns[(n // 5 + n) % 5]] for n in range(breakdowns)]
        config["breakdowns"] = [by if len(set(by)) == len(by) else by[:1] for by in config["breakdowns"]]

    def run() -> Any:
        return crm.event_funnel(table, config, contacts=contacts).totals["contacts"].to_pylist()

    return {"task": f"events, {size} M" + (f", {breakdowns} breakdowns" if breakdowns else ""), "engine": "crm_engine", **timed(run, runs)}


def peer(arguments: argparse.Namespace, script: str, engine: str, *more: str) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as out:
        environment = {**os.environ, "BENCH_OUT": out.name, "BENCH_DATA": str(arguments.data), "BENCH_THREADS": "2"}
        command = [arguments.python, str(Path(arguments.peers) / script), "--engine", engine, "--runs", str(arguments.runs), *more]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = json.loads(out.read().splitlines()[-1])
    return {
        "engine": engine,
        "cpu_s": found["cpu_s"],
        "wall_s": found["min_s"],
        "over_input_mib": found["rss_peak_mb"] - found["rss_loaded_mb"],
        "check": found["check"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peers", type=Path, default=Path("../shared/peers/segments_funnels"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--engines", default="polars,chdb")
    parser.add_argument("--pipeline", type=int, default=10, help="millions of contacts behind the deals; 0 leaves it out")
    parser.add_argument("--events", type=int, default=10, help="millions of events; 0 leaves it out")
    parser.add_argument("--contacts", type=int, default=1, help="millions of contacts of the events")
    parser.add_argument("--breakdowns", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", choices=("pipeline", "events", "breakdowns"), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        found = {
            "pipeline": lambda: pipeline(a.data, a.pipeline, a.runs),
            "events": lambda: events(a.data, a.events, a.contacts, a.runs),
            "breakdowns": lambda: events(a.data, a.events, a.contacts, a.runs, a.breakdowns),
        }[a.one]()
        print(json.dumps(found))
        return
    engines = [engine for engine in a.engines.split(",") if engine]
    for task, wanted in (("pipeline", a.pipeline), ("events", a.events), ("breakdowns", a.events if a.breakdowns else 0)):
        if not wanted:
            continue
        own_command = [sys.executable, __file__, *sys.argv[1:], "--one", task]
        rows = [json.loads(subprocess.run(own_command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])]
        name = rows[0].pop("task")
        for engine in engines if task != "breakdowns" else []:
            more = ["--n", str(a.pipeline)] if task == "pipeline" else ["--n", str(a.contacts), "--events", str(a.events)]
            rows.append(peer(a, "bench_deal.py" if task == "pipeline" else "bench_event.py", engine, *more))
        best = min((row["cpu_s"] for row in rows[1:]), default=None)
        print(f"\n{name}\n  {'engine':<12}{'CPU s':>9}{'wall s':>9}{'MiB over input':>16}")
        for row in rows:
            print(
                f"  {row['engine']:<12}{row['cpu_s']:>9.3f}{row['wall_s']:>9.3f}{row['over_input_mib']:>16.0f}   {json.dumps(row['check'])[:90]}"
            )
        if best:
            print(f"  ratio of CPU seconds to the best peer: {best / rows[0]['cpu_s']:.1f}")
    print(f"\nload average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
