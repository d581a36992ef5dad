"""Every file of the public corpora (or of other folders) opened in a child of its own: within 2 GiB, 20 s and 512 MiB, and adding up.

    python benchmarks/corpora_bounds.py FOLDER [FOLDER ...]

Each child may ask for 2 GiB of addresses beyond what it starts with and use 20 s of processor; its peak of memory is its own. It reads
every table to its end and checks that rows in = yielded + rejected + skipped. Prints the counts, and every file that was not read or
refused.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections import Counter
from pathlib import Path

from crm_engine import _core
from crm_engine.errors import CrmError, InternalError
from crm_engine.sources import open_sources

MAX_SECONDS, MAX_PEAK_MIB, ADDRESS_BYTES = 20, 512, 2 << 30


def read(path: str) -> str:
    """``read``, ``refused`` (a clear error), or what went wrong."""
    try:
        for source in open_sources([path]):
            n_rows = 0
            for text in source.batches():
                n_rows += text.batch.num_rows
            counts = source.report()["counts"]
            n_left_out = len(source.rejects) + len(source.skipped)
            if counts["rows_in"] != n_rows + n_left_out or counts["yielded"] != n_rows:
                return f"does not add up: {json.dumps(counts)}, {n_rows} rows, {n_left_out} left out"
    except InternalError as error:
        return f"panic: {error}"
    except (CrmError, OSError):
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def in_child(path: str) -> tuple[str, int]:
    """The outcome and the peak of memory in MiB, of a fork of this process."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_BYTES, used + ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        os.write(sending, read(path).encode()[:4000])
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        outcome = pipe.read().decode()
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        outcome = f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"ended with {status}"
    return outcome, usage.ru_maxrss // 1024


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    _core.role_names()
    outcomes: Counter[str] = Counter()
    highest, worst = 0, ""
    bad = []
    for folder in sys.argv[1:]:
        files = sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())
        here: Counter[str] = Counter()
        for path in files:
            outcome, peak = in_child(path)
            if peak > highest:
                highest, worst = peak, os.path.relpath(path, folder)
            if outcome not in ("read", "refused") or peak > MAX_PEAK_MIB:
                bad.append(f"{os.path.relpath(path, folder)}: {outcome}, {peak} MiB")
                outcome = "broken"
            here[outcome] += 1
        print(
            f"{Path(folder).name}: {len(files)} files, {here['read']} read, {here['refused']} refused, {here['broken']} broken", flush=True
        )
        outcomes += here
    print(f"all: {sum(outcomes.values())} files, {outcomes['read']} read, {outcomes['refused']} refused, {outcomes['broken']} broken")
    print(f"highest peak: {highest} MiB ({worst}), with the interpreter and pyarrow")
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
