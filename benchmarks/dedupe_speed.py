"""Measures `dedupe`, file to all outputs as Parquet, beside DuckDB's read of the same file in the same run.

    python benchmarks/dedupe_speed.py [FILE ...] [--memory-limit 2.5GiB] [--splink] [--normalize] [--repeat N]

Without a file it makes one of a million rows (`gen_people.py` of the shared folder, or this project's demo) and keeps a dated record in
`benchmarks/runs`. For each file: CPU seconds (user and system, all threads), wall seconds and peak resident memory of a process of its
own, what each stage took, and the ratio to DuckDB's aggregate over all columns. The files are `gen_people` CSVs, whose `true_id` takes
no part: it is the answer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record_run import header, record_path


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    times = os.times()
    return times.user + times.system


def measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Runs `work` and adds what it cost this process."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    figures = work()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"cpu_s": round(cpu_seconds() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2), "peak_mib": peak_mib, **figures}


def run_dedupe(file: str, memory_limit: str | None) -> dict[str, Any]:
    """Our own run, stage by stage."""
    import crm_engine as crm

    stages: dict[str, float] = {}
    at = {"stage": "opening", "cpu": cpu_seconds()}

    def progress(stage: str, done: int, total: int) -> None:
        if stage != at["stage"]:
            now = cpu_seconds()
            stages[at["stage"]] = round(stages.get(at["stage"], 0.0) + now - at["cpu"], 2)
            at.update(stage=stage, cpu=now)

    out = tempfile.mkdtemp(prefix="dedupe-speed-")
    try:
        with open(file, encoding="utf-8") as lines:
            has_truth = "true_id" in lines.readline()
        config = {"mapping": {"true_id": None}, "ignore": ["true_id"]} if has_truth else {}
        result = crm.dedupe(file, config, progress=progress, memory_limit=memory_limit)
        result.write(out, progress=progress)
        progress("end", 0, 0)
        written_mb = sum(path.stat().st_size for path in Path(out).iterdir()) / 1e6
    finally:
        shutil.rmtree(out, ignore_errors=True)
    summary = result.summary
    return {
        "records": summary["records"],
        "contacts": summary["contacts"],
        "pairs_compared": summary["matching"]["compared"],
        "written_mb": round(written_mb),
        "spooled_mb": round(summary["spooled_bytes"] / 1e6),
        "stages_cpu_s": stages,
    }


def run_duckdb(file: str) -> dict[str, Any]:
    """DuckDB's read of all columns into an aggregate."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    source = "read_csv(?, all_varchar = true)"
    columns = [name for name, *_ in connection.execute(f"describe select * from {source}", [file]).fetchall()]
    aggregates = ", ".join(f'max("{name}"), count("{name}")' for name in columns)
    connection.execute(f"select {aggregates} from {source}", [file]).fetchall()
    return {}


#: What a careful analyst would clean in SQL before linking `gen_people` rows; the columns are Splink's input.
CLEANED_PEOPLE = """
select id as unique_id, true_id, nullif(strip_accents(lower(trim(first_name))), '') as first_name,
  nullif(strip_accents(lower(trim(last_name))), '') as last_name,
  nullif(strip_accents(lower(trim(company))), '') as company,
  nullif(lower(trim(email)), '') as email, nullif(trim(postcode), '') as postcode,
  nullif(right(regexp_replace(split_part(phone, ' ext', 1), '[^0-9]', '', 'g'),
    case when phone like '%371%' or length(regexp_replace(phone, '[^0-9]', '', 'g')) = 8 then 8 else 10 end), '') as phone,
  cast(case source when 'bitrix24' then try_strptime(birth_date, '%d.%m.%Y') when 'salesforce' then try_strptime(birth_date, '%m/%d/%Y')
    else try_strptime(birth_date, '%Y-%m-%d') end as date)::varchar as dob
from read_csv(?, all_varchar = true, header = true)
"""

#: Pairwise F1 of Splink's clusters against `true_id`, from the sizes of clusters, of entities, and of what both share.
PAIRS_OF_CLUSTERS = """
with joined as (select c.cluster_id, r.true_id from {clusters} c join records r using (unique_id)),
sizes as (select (select sum(n * (n - 1) / 2) from (select count(*) n from joined group by cluster_id)) as found,
  (select sum(n * (n - 1) / 2) from (select count(*) n from joined group by true_id)) as true_pairs,
  (select sum(n * (n - 1) / 2) from (select count(*) n from joined group by cluster_id, true_id)) as shared)
select 2 * shared / (found + true_pairs) from sizes
"""


def run_splink(file: str) -> dict[str, Any]:
    """Splink 5 with loose blocking, where it can be imported: cleaning, training, prediction and clusters."""
    import logging

    import duckdb
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    connection.execute("set preserve_insertion_order = false")
    cleaned = f"create table records as select *, first_name || ' ' || last_name as first_last from ({CLEANED_PEOPLE})"
    connection.execute(cleaned, [file])
    rules = [
        block_on("email"),
        block_on("phone"),
        block_on("first_name", "last_name"),
        block_on("last_name", "dob"),
        block_on("first_name", "dob"),
    ]
    comparisons = [
        cl.ForenameSurnameComparison("first_name", "last_name", forename_surname_concat_col_name="first_last"),
        cl.EmailComparison("email"),
        cl.DamerauLevenshteinAtThresholds("phone", [1]),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        cl.JaroWinklerAtThresholds("company", [0.9]),
    ]
    settings = SettingsCreator(link_type="dedupe_only", blocking_rules_to_generate_predictions=rules, comparisons=comparisons)
    linker = Linker(DuckDBAPI(connection=connection).register("records"), settings, log_level=logging.WARNING)
    sure = [block_on("email", "last_name"), block_on("phone", "last_name"), block_on("first_name", "last_name", "dob")]
    linker.training.estimate_probability_two_random_records_match(sure, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e7, seed=2)
    for rule in [block_on("phone"), block_on("first_name", "last_name", "postcode")]:
        linker.training.estimate_parameters_using_expectation_maximisation(rule, estimate_without_term_frequencies=True)
    predictions = linker.inference.predict(threshold_match_probability=0.05)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold_match_probability=0.95).physical_name
    counted = connection.execute(f"select count(distinct cluster_id) from {clusters}").fetchall()[0][0]
    f1 = connection.execute(PAIRS_OF_CLUSTERS.format(clusters=clusters)).fetchall()[0][0]
    return {"contacts": counted, "f1": round(float(f1), 4)}


def in_own_process(what: str, file: str, memory_limit: str | None) -> dict[str, Any]:
    """Runs one of the above in a process of its own, so that peaks of memory are its own."""
    command = [sys.executable, __file__, "--inner", what, file, *(["--memory-limit", memory_limit] if memory_limit else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{what} failed on {file}:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> int:
    """Measures the files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--memory-limit")
    parser.add_argument("--splink", action="store_true", help="measure Splink too, where it is installed")
    parser.add_argument("--normalize", action="store_true", help="measure how many full contacts a core normalizes; needs cargo")
    parser.add_argument("--repeat", type=int, default=1, help="take the best of N runs")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inner:
        runs: dict[str, Callable[[], dict[str, Any]]] = {
            "dedupe": lambda: run_dedupe(arguments.files[0], arguments.memory_limit),
            "duckdb": lambda: run_duckdb(arguments.files[0]),
            "splink": lambda: run_splink(arguments.files[0]),
        }
        print(json.dumps(measured(runs[arguments.inner])))
        return 0
    if arguments.files:
        measure(arguments, arguments.files, lambda line: print(line, flush=True))
        return 0
    with tempfile.TemporaryDirectory(prefix="dedupe-speed-") as folder, record_path("dedupe-speed").open("w") as record:
        record.write(header("dedupe_speed.py " + " ".join(sys.argv[1:])) + "\n")

        def both(line: str) -> None:
            print(line, flush=True)
            record.write(line + "\n")

        measure(arguments, [million_people(Path(folder))], both)
    return 0


def million_people(folder: Path) -> str:
    """A CSV of a million people with known duplicates."""
    shared = Path(os.environ.get("CRM_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    generator = shared / "peers" / "matching" / "gen_people.py"
    if generator.exists():
        subprocess.run([sys.executable, str(generator), "1000000", "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
        return str(folder / "people_1000000.csv")
    subprocess.run([str(Path(sys.executable).with_name("crm-engine")), "demo", "-o", str(folder), "--rows", "1000000"], check=True)
    return str(max(folder.glob("*.csv"), key=lambda path: path.stat().st_size))


def measure(arguments: argparse.Namespace, files: list[str], say: Callable[[str], None]) -> None:
    """Measures each file and says what came out."""
    if arguments.normalize:
        command = ["cargo", "run", "--release", "--quiet", "-p", "crm-resolve", "--example", "normalize_speed"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[1])
        say(done.stdout.strip().splitlines()[-1] if done.returncode == 0 else f"normalize_speed failed: {done.stderr[-300:]}")
    for file in files:
        say(f"{Path(file).name}, {os.path.getsize(file) / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}")
        best: dict[str, dict[str, Any]] = {}
        for what in ("duckdb", "dedupe", *(("splink",) if arguments.splink else ())):
            limit = arguments.memory_limit if what == "dedupe" else None
            tries = [in_own_process(what, file, limit) for _ in range(arguments.repeat)]
            best[what] = min(tries, key=lambda figures: figures["cpu_s"])
            say(f"  {what:8} {json.dumps(best[what])}")
        ours, read = best["dedupe"], best["duckdb"]
        per_million = ours["cpu_s"] / ours["records"] * 1e6
        stages = ours["stages_cpu_s"]
        say(
            f"  {ours['pairs_compared'] / 1e6 / stages['compare']:.2f} M pairs per CPU second of the stage that lays out blocks, finds "
            "each record's candidates and compares them"
        )
        if "splink" in best:
            peer = best["splink"]
            say(f"  {ours['wall_s'] / peer['wall_s']:.3f} of Splink's time (wall), {ours['cpu_s'] / peer['cpu_s']:.3f} (CPU)")
        say(f"  {per_million:.1f} CPU s per million rows; {ours['wall_s'] / read['wall_s']:.1f} times DuckDB's read (wall)")


if __name__ == "__main__":
    sys.exit(main())
