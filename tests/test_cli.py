"""The command line as a user meets it: exit codes, one message, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crm_engine.cli import run as run_within
from crm_engine.demo import write_demo

COMMAND = [sys.executable, "-c", "import sys; from crm_engine.cli import main; sys.argv[0] = 'crm-engine'; main()"]


QUICK = """
import sys
from crm_engine.cli import run
run(['--help'])
print('pyarrow' in sys.modules, 'rich' in sys.modules)
"""


def run(*args: object, stdin: bytes | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, args)], input=stdin, capture_output=True, cwd=cwd, check=False)
    result = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "exports"
    write_demo(folder, rows=400, seed=2)
    return folder


@pytest.fixture(scope="module")
def exports(demo: Path) -> list[Path]:
    return [demo / name for name in ("hubspot_contacts.csv", "bitrix24_контакты.csv", "klienti.xlsx", "webshop_customers.parquet")]


@pytest.fixture(scope="module")
def out(exports: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result") / "out"
    done = run("dedupe", *exports, "-o", folder)
    assert done.returncode == 0, done.stderr
    for part in ("rows in", "rejected", "contacts out", "merged", "to review", "time"):
        assert part in done.stdout
    return folder


def test_a_folder_has_everything(out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    tables = {f"{name}.parquet" for name in ("contacts", "records", "lineage", "pairs", "rejects", "skipped")}
    assert names == tables | {"summary.json", "model.json"}
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["rows_in"] == summary["records"] + summary["skipped"] + summary["rejected"]
    assert pq.read_metadata(out / "contacts.parquet").num_rows == summary["contacts"]


def test_help_is_quick_and_shows_examples() -> None:
    listed = run("--help")
    assert listed.returncode == 0
    for command in ("profile", "dedupe", "explain", "evaluate", "demo"):
        assert command in listed.stdout
        assert f"crm-engine {command}" in run(command, "--help").stdout
    loaded = subprocess.run(
        [sys.executable, "-c", QUICK],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert loaded.stdout.splitlines()[-1] == "False False"


def test_json_is_one_object_on_stdout(exports: list[Path], tmp_path: Path) -> None:
    done = run("dedupe", exports[0], "-o", tmp_path / "out", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["contacts"] > 0
    profile = run("profile", exports[2], "--json")
    assert json.loads(profile.stdout)["tables"][0]["columns"][0]["role"] == "source_key"


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".xlsx", ".arrow", ".jsonl"])
def test_one_file_in_any_format(exports: list[Path], tmp_path: Path, suffix: str) -> None:
    done = run("dedupe", exports[0], "-o", tmp_path / f"contacts{suffix}")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [f"contacts{suffix}"]


def test_standard_input_and_globs(exports: list[Path], demo: Path, tmp_path: Path) -> None:
    piped = json.loads(run("dedupe", "-", "--json", stdin=exports[0].read_bytes()).stdout)
    named = json.loads(run("dedupe", exports[0], "--json").stdout)
    assert piped["contacts"] == named["contacts"]
    assert json.loads(run("dedupe", demo / "hub*.csv", "--json").stdout)["contacts"] == named["contacts"]


def bad_inputs(folder: Path, demo: Path) -> dict[str, tuple[list[object], int, str]]:
    (folder / "empty.csv").write_bytes(b"")
    (folder / "header.csv").write_text("name,email\n")
    (folder / "notes").mkdir()
    (folder / "fake.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    (folder / "fake.parquet").write_bytes(b"PAR1 nothing PAR1")
    (folder / "used").mkdir()
    (folder / "used" / "letter.txt").write_text("mine")
    (folder / "bad.yaml").write_text("seed: 1\nmatch_treshold: 1\n")
    (folder / "map.yaml").write_text('columns:\n  "Emial": email\n')
    csv = demo / "hubspot_contacts.csv"
    new = folder / "new"
    return {
        "missing file": (["dedupe", folder / "nope.csv", "-o", new], 2, "no such file"),
        "missing file, near": (["dedupe", folder / "emty.csv", "-o", new], 2, "did you mean"),
        "no match": (["dedupe", folder / "x*.csv", "-o", new], 2, "no file matches"),
        "empty file": (["dedupe", folder / "empty.csv", "-o", new], 1, "empty.csv"),
        "no rows": (["dedupe", folder / "header.csv", "-o", new], 1, "no rows"),
        "profile no rows": (["profile", folder / "header.csv"], 1, "no rows"),
        "folder without parquet": (["dedupe", folder / "notes", "-o", new], 1, "without tables"),
        "no workbook": (["dedupe", folder / "fake.xlsx", "-o", new], 1, "fake.xlsx"),
        "no parquet": (["dedupe", folder / "fake.parquet", "-o", new], 1, "fake.parquet"),
        "unknown option": (["dedupe", csv, "--frobnicate"], 2, "--frobnicate"),
        "unknown command": (["dedup", csv], 2, "did you mean 'dedupe'"),
        "no files": (["dedupe"], 2, "FILES"),
        "unknown format": (["dedupe", csv, "-o", folder / "a.docx"], 2, ".docx"),
        "missing output folder": (["dedupe", csv, "-o", folder / "no" / "a.csv"], 2, "does not exist"),
        "folder in use": (["dedupe", csv, "-o", folder / "used"], 2, "--overwrite"),
        "output is input": (["dedupe", csv, "-o", csv], 2, "input"),
        "bad config": (["dedupe", csv, "-o", new, "--config", folder / "bad.yaml"], 2, "line 2"),
        "missing config": (["dedupe", csv, "-o", new, "--config", folder / "no.yaml"], 2, "no.yaml"),
        "bad mapping": (["dedupe", csv, "-o", new, "--mapping", folder / "map.yaml"], 2, "did you mean 'Email'"),
        "bad threshold": (["dedupe", csv, "-o", new, "--match-threshold", "7"], 2, "match_threshold"),
        "bad size": (["dedupe", csv, "-o", new, "--memory-limit", "many"], 2, "--memory-limit"),
        "bad model": (["dedupe", csv, "-o", new, "--model", csv], 2, "no saved model"),
        "unreadable sheet": (["dedupe", demo / "klienti.xlsx", "-o", new, "--mapping", sheet_mapping(folder)], 2, "Nosuch"),
        "explain nothing": (["explain", folder / "notes", "1", "2"], 2, "no result"),
        "evaluate nothing": (["evaluate", folder / "gone", csv], 2, "no such folder"),
        "cannot write": (["dedupe", csv, "-o", "/proc/nowhere/out"], 1, "/proc"),
    }


def sheet_mapping(folder: Path) -> Path:
    (folder / "sheet.yaml").write_text("sheet: Nosuch\n")
    return folder / "sheet.yaml"


NAMES = """missing file; missing file, near; no match; empty file; no rows; profile no rows; folder without parquet; no workbook
no parquet; unknown option; unknown command; no files; unknown format; missing output folder; folder in use; output is input; bad config
missing config; bad mapping; bad threshold; bad size; bad model; unreadable sheet; explain nothing; evaluate nothing; cannot write"""


@pytest.mark.parametrize("name", NAMES.replace("\n", "; ").split("; "))
def test_bad_input_is_one_message_and_an_exit_code(name: str, demo: Path, tmp_path: Path) -> None:
    args, code, message = bad_inputs(tmp_path, demo)[name]
    before = sorted(tmp_path.rglob("*"))
    done = run(*args)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""
    assert sum(line.startswith("error:") for line in done.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_an_earlier_result_is_replaced_and_other_files_stay(exports: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert run("dedupe", exports[0], "-o", folder).returncode == 0
    first = (folder / "summary.json").read_bytes()
    assert run("dedupe", exports[0], "-o", folder).returncode == 0
    assert json.loads(first)["contacts"] == json.loads((folder / "summary.json").read_bytes())["contacts"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    assert run("dedupe", exports[0], "-o", tmp_path / "mine", "--overwrite").returncode == 0
    assert (tmp_path / "mine" / "letter.txt").read_text() == "mine"


def test_strict_ends_with_3_and_still_writes(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    rows = [json.dumps({"id": str(n), "name": f"name {n}", "email": f"n{n}@example.com"}) for n in range(30)]
    rows[7] = '{"id": "7", "name": '
    source.write_text("\n".join(rows) + "\n")
    done = run("dedupe", source, "-o", tmp_path / "out", "--strict")
    assert done.returncode == 3, done.stderr
    assert "rejected" in done.stderr
    assert pq.read_metadata(tmp_path / "out" / "rejects.parquet").num_rows == 1
    assert run("dedupe", source, "-o", tmp_path / "out").returncode == 0


def test_a_full_disk_is_told(exports: list[Path]) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "profile", str(exports[0]), "--json"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"no space left" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("name", ["out", "contacts.xlsx", "contacts.csv", "contacts.parquet"])
def test_a_disk_that_fills_up_keeps_what_was_there(name: str, exports: list[Path], tiny_disk: Path) -> None:
    (tiny_disk / "mine.txt").write_text("mine")
    done = run("dedupe", *exports, "-o", tiny_disk / name)
    assert done.returncode == 1, done.stderr
    assert "no space left" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert [path.name for path in tiny_disk.rglob("*")] == ["mine.txt"]
    assert (tiny_disk / "mine.txt").read_text() == "mine"


def test_a_closed_pipe_is_quiet(exports: list[Path]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "profile", str(exports[0]), "--json"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupting_leaves_nothing(tmp_path: Path, signal_number: signal.Signals, code: int) -> None:
    # Standard input that never ends keeps the run reading until the signal comes.
    process = subprocess.Popen(
        [*COMMAND, "dedupe", "-", "-o", str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where the tests run in the background the shell has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(b"id,name,email\n" + b"".join(b"%d,name %d,n%d@example.com\n" % (n, n, n) for n in range(100_000)))
    # A pipe holds less than this: once all is written, the run has begun to read.
    process.stdin.flush()
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_command_within_a_program_leaves_its_handlers_as_they_were(capfd: pytest.CaptureFixture[str]) -> None:
    def own(_signal: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, own)
    try:
        for arguments, code in ((["--version"], 0), (["profile", "nowhere.csv"], 2), (["undo"], 2)):
            assert run_within(arguments) == code
            assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_explain_and_evaluate_read_the_folder(out: Path, demo: Path) -> None:
    pair = pq.read_table(out / "pairs.parquet").slice(0, 1).to_pylist()[0]
    a, b = pair["record_id_a"], pair["record_id_b"]
    explained = json.loads(run("explain", out, a, b, "--json").stdout)
    assert explained["match_weight"] == pytest.approx(pair["match_weight"], abs=0.01)
    assert {"comparison", "level", "value_a", "value_b", "weight"} <= set(explained["comparisons"][0])
    readable = run("explain", out, a, b)
    assert "match probability" in readable.stdout
    by_place = run("explain", out, explained["source_a"], explained["source_b"], "--json")
    assert json.loads(by_place.stdout)["record_id_a"] == a
    assert run("explain", out, a, a).returncode == 2
    assert run("explain", out, "12", "Anna").returncode == 2
    figures = json.loads(run("evaluate", out, demo / "truth.csv", "--json").stdout)
    assert figures["f1"] > 0.8
    assert figures["unknown"] == 0
    assert "B-cubed" in run("evaluate", out, demo / "truth.csv").stdout


def test_profile_masks_what_is_personal(demo: Path) -> None:
    masked = run("profile", demo / "hubspot_contacts.csv").stdout
    shown = run("profile", demo / "hubspot_contacts.csv", "--show-values").stdout
    assert "@" in shown
    assert "•" in masked
    assert ".com" not in masked.replace("crm", "")


def test_a_written_mapping_is_read_back(demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    assert run("profile", demo / "klienti.xlsx", "--write-mapping", path).returncode == 0
    text = path.read_text(encoding="utf-8").replace("# header_row", "header_row").replace("# sheet", "sheet")
    path.write_text(text, encoding="utf-8")
    before = json.loads(run("profile", demo / "klienti.xlsx", "--json").stdout)["tables"][0]["columns"]
    after = json.loads(run("profile", demo / "klienti.xlsx", "--mapping", path, "--json").stdout)["tables"][0]["columns"]
    assert [column["role"] for column in before] == [column["role"] for column in after]


def test_completion_knows_commands_and_options() -> None:
    env = {**os.environ, "_CRM_ENGINE_COMPLETE": "bash_complete", "COMP_WORDS": "crm-engine ded", "COMP_CWORD": "1"}
    done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, check=False)
    assert "dedupe" in done.stdout


def test_decisions_written_into_the_pairs_are_followed(tmp_path: Path) -> None:
    people = "id,name,email\n1,Anna Ozola,anna@inbox.lv\n2,OZOLA ANNA,Anna@Inbox.lv\n3,Jānis Bērziņš,janis@inbox.lv\n"
    source = tmp_path / "people.csv"
    source.write_text(people, encoding="utf-8")
    first = json.loads(run("dedupe", source, "-o", tmp_path / "first", "--json").stdout)
    assert first["contacts"] == 2
    pairs = pq.read_table(tmp_path / "first" / "pairs.parquet").to_pylist()
    edited = tmp_path / "decided.csv"
    lines = [f"{pair['record_id_a']},{pair['record_id_b']},different" for pair in pairs]
    edited.write_text("\n".join(["record_id_a,record_id_b,decision", *lines]) + "\n", encoding="utf-8")
    again = json.loads(run("dedupe", source, "-o", tmp_path / "second", "--decisions", edited, "--json").stdout)
    assert again["contacts"] == 3
    assert again["decisions"] == {"same": 0, "different": 1, "unknown": 0, "not_followed": 0}
    # Word by word the same mistake as in any other file: one message, exit code 2.
    edited.write_text("record_id_a,record_id_b,decision\n1,2,perhaps\n", encoding="utf-8")
    wrong = run("dedupe", source, "-o", tmp_path / "third", "--decisions", edited)
    assert wrong.returncode == 2
    assert "perhaps" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert not (tmp_path / "third").exists()


def test_the_command_line_does_without_pandas(tmp_path: Path) -> None:
    """pyarrow would import it with its first array, which takes longer than many a command."""
    (tmp_path / "pandas.py").write_text("raise RuntimeError('pandas was imported')\n", "utf-8")
    (tmp_path / "people.csv").write_text("name,email\nAnna Ozola,anna@x.lv\n", "utf-8")
    script = "from crm_engine.cli import main; main()"
    command = [sys.executable, "-c", script, "dedupe", str(tmp_path / "people.csv"), "-o", str(tmp_path / "out"), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False)
    assert (ran.returncode, json.loads(ran.stdout)["contacts"]) == (0, 1), ran.stderr
