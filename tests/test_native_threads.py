"""The native module where processes fork, threads are scarce, and several Python threads meet in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PEOPLE = """
import io, os, sys
import pyarrow as pa
import crm_engine as crm
from crm_engine import _core

def people(n=3000):
    return pa.table({
        "name": [f"Anna Kalnina{i % 700}" for i in range(n)],
        "email": [f"anna{i % 900}@example.com" for i in range(n)],
        "phone": [f"+37120{i % 900:06d}" for i in range(n)],
    })

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script: str, *arguments: str, timeout: float = 60, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PEOPLE + script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_kernels_run_in_a_forked_child_and_in_its_child() -> None:
    script = """
expected = crm.dedupe(people()).summary["contacts"]

def again():
    assert crm.dedupe(people()).summary["contacts"] == expected

def nested():
    again()
    assert in_child(again) == 0

for _ in range(3):
    assert in_child(nested) == 0
again()
"""
    done = run(script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_base_opened_before_a_fork_is_searched_in_the_child(tmp_path: Path) -> None:
    script = """
base = crm.Base.create(sys.argv[1])
base.import_contacts(people(300), source_name="crm")
query = '{"phone": "+37120000007"}'
expected = base._index.opened().find(query)
assert "anna7@example.com" in expected

def search():
    assert base._index.opened().find(query) == expected

assert in_child(search) == 0
"""
    done = run(script, str(tmp_path / "base"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("_core.open_file('people.csv', '{}')[0]", "it.next_batch()"),
        ("_core.DedupeRun('{\"tmp_dir\": \"/tmp\"}', [('crm', 'crm.csv', [('email', 'email')])])", "it.finish()"),
    ],
)
def test_what_has_threads_does_not_pass_into_a_child(tmp_path: Path, made: str, used: str) -> None:
    (tmp_path / "people.csv").write_text("name,email\n" + "Anna,anna@example.com\n" * 400_000)
    script = f"""
it = {made}

def use():
    try:
        {used}
    except crm.ConfigError as error:
        assert "open it in the process that uses it" in str(error), error
    else:
        raise AssertionError("no error")

assert in_child(use) == 0
"""
    done = run(script, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_is_told_while_another_thread_reads_a_python_stream() -> None:
    """The reading thread holds the reader and needs the GIL for the stream; who asks meanwhile must not keep it."""
    script = """
import threading

text = b"name,email\\n" + b"Anna,anna@example.com\\n" * 20_000
source, sink = os.pipe()

def write():
    # A pipe holds less than this: whoever reads waits for the writer, who needs the GIL for each piece.
    with os.fdopen(sink, "wb", buffering=0) as stream:
        for at in range(0, len(text), 512):
            stream.write(text[at:at + 512])

threading.Thread(target=write).start()
table = _core.open_file("people.csv", '{"threads": 1, "batch_rows": 1000}', os.fdopen(source, "rb", buffering=0))[0]
reading = threading.Thread(target=lambda: [None for _ in iter(table.next_batch, None)])
reading.start()
while reading.is_alive():
    table.report, table.drain_rejects(), table.drain_skipped()
reading.join()
"""
    done = run(script, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to whom the limit applies")
def test_no_threads_to_be_had_is_a_clear_error() -> None:
    script = """
import resource
_core.parse_byte_size("1MB")
os.setuid(54321)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
for _ in range(2):
    try:
        _core.contact_ids(pa.array([1], pa.int64()))
    except crm.LimitError as error:
        assert "ulimit -u" in str(error), error
    else:
        raise AssertionError("no error")
"""
    done = run(script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_many_calls_at_a_time_have_threads_within_reason() -> None:
    script = """
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

N = 12
counts = []

def count():
    counts.append(sum(Path(task, "comm").read_text().startswith("crm-") for task in Path("/proc/self/task").iterdir()))

# All calls are in a kernel, each with threads that no other has, when the last of them comes here.
together = threading.Barrier(N, count)
table, arrived = people(300), threading.local()

def progress(stage, done, total):
    if stage != "reading" and not hasattr(arrived, "there"):
        arrived.there = True
        together.wait(60)

with ThreadPoolExecutor(N) as calls:
    found = {result.summary["contacts"] for result in calls.map(lambda _: crm.dedupe(table, progress=progress), range(N))}
assert found == {crm.dedupe(table).summary["contacts"]}
# A run borrows threads twice, for the call and for what takes its rows in: the first four loans are of as many threads as there are
# processors, the others share as many again.
n_processors = len(os.sched_getaffinity(0))
most = 4 * n_processors + sum(max(1, 4 * n_processors // nth) for nth in range(5, 2 * N + 1))
assert N <= counts[0] <= most, (counts, most)
"""
    environment = {name: value for name, value in os.environ.items() if name != "RAYON_NUM_THREADS"}
    done = run(script, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
