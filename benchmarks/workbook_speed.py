"""Reading and writing workbooks, beside fastexcel where it is installed and the bare writer library where cargo is there.

    python benchmarks/workbook_speed.py [ROWS] [--rounds 3]

Each run has a process of its own, so that its peak of memory is its own; the least CPU of the rounds counts. The bare writer
(``rust/crm-files/examples/bare_writer.rs``) writes the same cells with nothing around them: no styles, widths, checks of the texts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE = {
    "crm_engine read": "from crm_engine.sources import open_sources; t = open_sources([path])[0].reader().read_all(); n = t.num_rows",
    "fastexcel read": "import fastexcel; t = fastexcel.read_excel(path).load_sheet(0, dtypes='string').to_arrow(); n = t.num_rows",
    "crm_engine write": "import pyarrow.parquet as pq; from crm_engine.output import write_table; t = pq.read_table(path);"
    " start = time.process_time(); write_table(t, path + '.xlsx'); n = t.num_rows",
}


def rows_of(n_rows: int) -> object:
    import pyarrow as pa

    columns: dict[str, list[object]] = {
        "record_id": [str(row) for row in range(n_rows)],
        "family_name": [f"Family{row % 20_000}" for row in range(n_rows)],
        "given_name": [f"Given{row % 3_000}" for row in range(n_rows)],
        "email": [f"person{row}@example{row % 500}.test" for row in range(n_rows)],
        "phone": [f"+7912{row % 10_000_000:07}" for row in range(n_rows)],
        "company_name": [f"Company {row % 50_000} Ltd" for row in range(n_rows)],
        "city": [f"City{row % 700}" for row in range(n_rows)],
        "street": [f"Street {row % 9_000}, {row % 200}" for row in range(n_rows)],
        "postcode": [f"{row % 100_000:05}" for row in range(n_rows)],
        "amount": [row * 1.25 for row in range(n_rows)],
        "orders": [row % 40 for row in range(n_rows)],
        "score": [(row * 7919) % 1000 for row in range(n_rows)],
    }
    return pa.table(columns)


def measure(name: str, path: str, rounds: int) -> float | None:
    """Runs one of `CODE` in processes of its own, prints and gives the least CPU seconds."""
    code = (
        f"import json, time\npath = {path!r}\nstart = time.process_time()\n{CODE[name]}\n"
        "print(json.dumps([n, time.process_time() - start, int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024]))"
    )
    results = []
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{name:20} not measured: {done.stderr.strip().splitlines()[-1]}")
            return None
        n_rows, cpu_seconds, peak_mib = json.loads(done.stdout)
        results.append((cpu_seconds, time.perf_counter() - start, peak_mib, n_rows))
    return show(name, min(results))


def measure_bare(n_rows: int, path: str, rounds: int) -> float | None:
    """The bare writer library on the same cells; `None` without cargo."""
    if shutil.which("cargo") is None:
        print(f"{'rust_xlsxwriter':20} not measured: no cargo")
        return None
    root = Path(__file__).resolve().parent.parent
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "crm-files", "--example", "bare_writer"], cwd=root, check=True)
    results = []
    for _ in range(rounds):
        start = time.perf_counter()
        child = subprocess.Popen([root / "target" / "release" / "examples" / "bare_writer", str(n_rows), path])
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit("the bare writer failed")
        results.append((usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss // 1024, n_rows))
    return show("rust_xlsxwriter", min(results))


def show(name: str, result: tuple[float, float, int, int]) -> float:
    cpu_seconds, wall_seconds, peak_mib, n_rows = result
    print(f"{name:20} {n_rows:>9} rows {cpu_seconds:7.2f} CPU s {wall_seconds:7.2f} s wall {peak_mib:>6} MiB peak")
    return cpu_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        import pyarrow.parquet as pq

        source = str(Path(directory) / "rows.parquet")
        pq.write_table(rows_of(arguments.rows), source)
        written = measure("crm_engine write", source, arguments.rounds)
        bare = measure_bare(arguments.rows, str(Path(directory) / "bare.xlsx"), arguments.rounds)
        if written and bare:
            print(f"    crm_engine / rust_xlsxwriter: {written / bare:.2f} of the CPU")
        read, peer = (measure(name, source + ".xlsx", arguments.rounds) for name in ("crm_engine read", "fastexcel read"))
        if read and peer:
            print(f"    crm_engine / fastexcel: {read / peer:.2f} of the CPU")


if __name__ == "__main__":
    main()
