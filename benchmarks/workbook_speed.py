"""Reading and writing workbooks, beside fastexcel where it is installed.

    python benchmarks/workbook_speed.py [ROWS]

Each reading runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
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


def measure(name: str, path: str) -> None:
    code = (
        f"import json, time\npath = {path!r}\nstart = time.process_time()\n{CODE[name]}\n"
        "print(json.dumps([n, time.process_time() - start, int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024]))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{name:20} not measured: {done.stderr.strip().splitlines()[-1]}")
        return
    n_rows, cpu_seconds, peak_mib = json.loads(done.stdout)
    print(f"{name:20} {n_rows:>9} rows {cpu_seconds:7.2f} CPU s {time.perf_counter() - start:7.2f} s wall {peak_mib:>6} MiB peak")


def main() -> None:
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory() as directory:
        import pyarrow.parquet as pq

        source = str(Path(directory) / "rows.parquet")
        pq.write_table(rows_of(n_rows), source)
        measure("crm_engine write", source)
        for name in ("crm_engine read", "fastexcel read"):
            measure(name, source + ".xlsx")


if __name__ == "__main__":
    main()
