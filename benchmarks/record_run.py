"""Runs a command and writes what it printed to a dated record with the machine and the versions it ran on.

    python benchmarks/record_run.py NAME -- COMMAND [ARGUMENT ...]

The record is ``benchmarks/runs/<date>-NAME.txt``; the command's exit code is passed on.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

RUNS = Path(__file__).parent / "runs"
PEERS = [
    "crm_engine",
    "numpy",
    "pyarrow",
    "duckdb",
    "polars",
    "pandas",
    "chdb",
    "splink",
    "fastexcel",
    "clevercsv",
    "charset-normalizer",
    "chardet",
]


def machine() -> dict[str, str]:
    """What a figure depends on: processor, cores, memory, system, interpreter and installed versions."""
    model = next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    memory = next((int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    versions = {}
    for name in PEERS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory} MiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def header(command: str) -> str:
    """The first lines of a record."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return "\n".join(
        [f"date: {now}", f"commit: {commit}", *(f"{key}: {value}" for key, value in machine().items()), f"command: {command}", ""]
    )


def record_path(name: str) -> Path:
    """Where a run of today is recorded."""
    RUNS.mkdir(exist_ok=True)
    return RUNS / f"{datetime.date.today().isoformat()}-{name}.txt"


def main() -> int:
    """Runs and records the command of ``sys.argv``."""
    name, separator, *command = sys.argv[1:] or ["", ""]
    if separator != "--" or not command:
        print(__doc__, file=sys.stderr)
        return 2
    shown = shlex.join([Path(command[0]).name, *command[1:]])
    with record_path(name).open("w") as record:
        record.write(header(shown) + "\n")
        record.flush()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            record.write(line)
        code = process.wait()
        record.write(f"\nexit code: {code}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
