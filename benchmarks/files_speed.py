"""Reading one CSV into Arrow, all columns as text: crm_engine beside DuckDB, pyarrow, polars and pandas, each in a process of its own.

    python benchmarks/files_speed.py people_1000000.csv [--rounds 3]

`gen_people.py` of the shared peers makes the file. Peers that are not installed are left out. CPU seconds count on a busy machine; wall
time is shown beside them. The file is also written as cp1251, which crm_engine reads alone, and packed with gzip and Zstandard, which
DuckDB reads too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow

_HEAD = """
import json, resource, sys, time
path = sys.argv[1]
def done(n_rows):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime - before
    # ru_maxrss would hold what the parent held when it forked; this peak begins with the process.
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({"rows": n_rows, "cpu": cpu, "wall": time.time() - began, "mib": int(peak.split()[1]) // 1024}))
def start():
    global before, began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before, began = usage.ru_utime + usage.ru_stime, time.time()
"""
READERS = {
    "crm_engine": """
from crm_engine import _core
start()
(table,) = _core.open_file(path, '{}')
n = 0
while (text := table.next_batch()) is not None:
    n += text[0].num_rows
done(n)
""",
    "duckdb": """
import duckdb
con = duckdb.connect()
start()
done(sum(batch.num_rows for batch in con.execute(f"select * from read_csv('{path}', all_varchar=true)").to_arrow_reader(65536)))
""",
    "pyarrow": """
import csv, pyarrow as pa, pyarrow.csv
names = next(csv.reader(open(path, encoding="utf-8")))
start()
convert = pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in names})
done(sum(batch.num_rows for batch in pyarrow.csv.open_csv(path, convert_options=convert)))
""",
    "polars": """
import polars
start()
done(polars.read_csv(path, infer_schema=False).to_arrow().num_rows)
""",
    "pandas": """
import pandas, pyarrow
start()
done(pyarrow.Table.from_pandas(pandas.read_csv(path, dtype=str, keep_default_na=False)).num_rows)
""",
}


def run(reader: str, path: Path) -> dict[str, float] | None:
    child = subprocess.run([sys.executable, "-c", _HEAD + READERS[reader], str(path)], capture_output=True, text=True, check=False)
    if child.returncode != 0:
        if "ModuleNotFoundError" not in child.stderr:
            print(f"{reader}: {child.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    measured: dict[str, float] = json.loads(child.stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    content = arguments.file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        jobs = [(reader, reader, arguments.file) for reader in READERS]
        ruled = Path(folder) / "cp1251.csv"
        # Cyrillic in every row, so that decoding has work to do.
        lines = content.decode("utf-8").splitlines()
        named = [f"{line},{'Имя' if idx == 0 else 'Иван Щукин'}" for idx, line in enumerate(lines)]
        ruled.write_bytes("\n".join(named).encode("cp1251", "replace"))
        jobs.append(("crm_engine, cp1251", "crm_engine", ruled))
        packed = Path(folder) / "packed.csv.gz"
        packed.write_bytes(gzip.compress(content, 6))
        squeezed = Path(folder) / "packed.csv.zst"
        with pyarrow.output_stream(str(squeezed), compression="zstd") as out:
            out.write(content)
        for kind, file in (("gzip", packed), ("zstd", squeezed)):
            jobs += [(f"{reader}, {kind}", reader, file) for reader in ("crm_engine", "duckdb")]
        print(f"{arguments.file.name}: {len(content) / 1e6:.0f} MB; the best of {arguments.rounds} rounds by CPU seconds\n")
        print("| reader | CPU s | wall s | MB per CPU s | peak MiB |\n|---|---|---|---|---|")
        for name, reader, path in jobs:
            results = [result for _ in range(arguments.rounds) if (result := run(reader, path))]
            if results:
                best = min(results, key=lambda result: result["cpu"])
                speed = len(content) / 1e6 / best["cpu"]
                print(f"| {name} | {best['cpu']:.2f} | {best['wall']:.2f} | {speed:.0f} | {best['mib']:.0f} |")


if __name__ == "__main__":
    main()
