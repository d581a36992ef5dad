"""Every command that changes a base has `--dry-run` and `--wait`, and what a dry run tells is all that it does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from base_samples import Template, people, record_ids, take_in, whole

import crm_engine as crm
from crm_engine.cli import crm_engine as commands
from crm_engine.cli import run

#: The commands that only read, make a new base or need none.
_READING = {
    "profile", "dedupe", "explain", "evaluate", "reconcile", "review", "init", "find", "changes", "history", "funnel", "analyze", "plan",
    "demo",
}  # fmt: skip


def fill(made: crm.Base) -> None:
    take_in(made, people(30))
    take_in(made, people(20, seed=3), source="crm")
    contact = made.contacts(["contact_id"]).read_all()["contact_id"][0].as_py()
    made.set({"city": "Valka"}, contacts=[contact])


@pytest.fixture
def base(template: Template, tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text("segments:\n  rigans: city = 'Riga'\n", "utf-8")
    (tmp_path / "more.csv").write_text("id,name,email\n901,Jauna Persona,jauna@inbox.lv\n", "utf-8")
    path = tmp_path / "base"
    shutil.copytree(template.filled("dry_runs", fill), path)
    return path


def changing_commands(base: Path, tmp_path: Path) -> dict[str, list[str]]:
    """One call of each command that changes a base."""
    with crm.Base.open(base) as opened:
        ids = sorted(record_ids(opened).values())
        contacts = opened.contacts(["contact_id", "n_records"]).read_all().to_pylist()
    of_two = next(row["contact_id"] for row in contacts if row["n_records"] > 1)
    given = ["--base", str(base)]
    return {
        "import": ["import", str(tmp_path / "more.csv"), *given],
        "decide": ["decide", "--pair", str(ids[0]), str(ids[1]), "--as", "later", *given],
        "split": ["split", of_two, *given],
        "set": ["set", "city=Ogre", "--where", "city is not null", *given],
        "undo": ["undo", "2", *given],
        "refit": ["refit", *given],
        "erase": ["erase", of_two, *given],
        "compact": ["compact", *given, "--keep-days", "0"],
        "verify": ["verify", *given, "--repair"],
        "segment": ["segment", str(base), str(tmp_path / "rules.yaml"), "-o", str(tmp_path / "members.parquet")],
        "export": ["export", *given, "-o", str(tmp_path / "contacts.xlsx"), "--left-out", str(tmp_path / "left.csv")],
    }


def state(base: Path) -> dict[str, Any]:
    """What a base says and which data files it has."""
    with crm.Base.open(base) as opened:
        tables: dict[str, Any] = whole(opened)
        with opened._lake.reading() as cursor:
            tables["memberships"] = sorted(map(str, cursor.rows("SELECT * FROM memberships")))
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (base / "data").rglob("*") if path.is_file()}
    return {**tables, "files": files}


def marks(base: Path) -> Any:
    """The number of the catalog's last state, and the data files: what is written to a base shows in these."""
    with contextlib.closing(sqlite3.connect(base / "catalog.sqlite")) as catalog:
        last = catalog.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()
    return last, sorted((str(path), path.stat().st_size) for path in (base / "data").rglob("*") if path.is_file())


def test_no_changing_command_is_without_dry_run_and_wait(base: Path, tmp_path: Path) -> None:
    changing = changing_commands(base, tmp_path)
    every = set(commands.list_commands(None))  # type: ignore[arg-type]
    assert every == _READING | set(changing)
    for name in changing:
        options = {option for parameter in commands.get_command(None, name).params for option in parameter.opts}  # type: ignore[arg-type,union-attr]
        assert {"--dry-run", "--wait"} <= options, name


def test_a_dry_run_of_each_command_changes_nothing(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, marked = state(base), marks(base)
    for name, command in changing_commands(base, tmp_path).items():
        capfd.readouterr()
        assert run([*command, "--dry-run", "--json"]) == 0, (name, capfd.readouterr().err)
        assert json.loads(capfd.readouterr().out)["dry_run"] is True, name
        assert marks(base) == marked, name
    assert state(base) == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["more.csv", "rules.yaml"]


def test_a_dry_run_has_no_run_id_that_another_run_could_get(base: Path, tmp_path: Path) -> None:
    orders = pa.table({"order_no": ["1"], "customer_no": ["0"]})
    with crm.Base.open(base) as opened:
        ids = sorted(record_ids(opened).values())
        of_two = next(row["contact_id"] for row in opened.contacts().read_all().to_pylist() if row["n_records"] > 1)
        previews: list[Callable[..., crm.Run]] = [
            partial(opened.import_contacts, tmp_path / "more.csv"),
            partial(opened.import_related, "orders", orders, source_name="erp"),
            partial(opened.decide, [(ids[0], ids[1])], "later"),
            partial(opened.split, of_two),
            partial(opened.set, {"city": "Ogre"}, contacts=[of_two]),
            partial(opened.edit, [{"contact_id": of_two, "column": "city", "value": "Ogre"}]),
            partial(opened.undo, 2),
            partial(opened.erase, of_two),
            partial(opened.compact),
            partial(opened.refit),
        ]
        before = opened.runs()
        for preview in previews:
            run = preview(dry_run=True)
            assert (run.run_id, run.summary["run_id"], run.dry_run) == (None, None, True), run.kind
            with pytest.raises(crm.ConfigError, match="nothing to undo"):
                opened.undo(run.run_id)
        assert opened.runs() == before
        made = opened.compact()
        assert made.run_id == made.summary["run_id"] == before.num_rows + 1


def test_each_command_says_that_the_base_is_locked_or_waits(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, command in changing_commands(base, tmp_path).items():
        with crm.Base.open(base) as holder, holder._lock.held("a long import"):
            code = run([*command, "--wait", "0.1"])
        said = capfd.readouterr().err
        if name == "export":
            # The file is written all the same; the note in the history is what must wait.
            assert code == 0
            assert "could not be noted" in said
        else:
            assert (code, "is locked by" in said) == (4, True), (name, said)


def test_dry_runs_tell_what_would_happen(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with crm.Base.open(base) as opened:
        contacts = opened.contacts(["contact_id"]).read_all().num_rows
        told = opened.compact(keep_days=0, dry_run=True).counts
        assert told["states_to_forget"] > 0
        done = opened.compact(keep_days=0).counts
        assert told["files_before"] == done["files_before"]
        assert opened.compact(keep_days=0, dry_run=True).counts["files_with_deleted_rows"] == 0
        # What is broken shows as what a repair would change.
        with opened._writing("damage") as writing:
            writing.transaction.execute("DELETE FROM contacts WHERE contact_id = (SELECT min(contact_id) FROM contacts)")
        report = opened.verify(repair=True, dry_run=True)
        assert (report["repaired"], bool(report["problems"])) == (False, True)
        assert opened.contacts(["contact_id"]).read_all().num_rows == contacts - 1
        assert opened.verify(repair=True)["repaired"]
    assert run(["export", "--base", str(base), "-o", str(tmp_path / "c.csv"), "--dry-run", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["audience"] == contacts


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (["--columns", "nonsense", "-o", "c.csv"], "no column 'nonsense'"),
        (["--table", "nonsense", "-o", "c.csv"], "no table 'nonsense'"),
        (["-o", "c.foo"], "is no output format"),
        (["-o", "nowhere/c.csv"], "nowhere does not exist"),
        (["-o", "c.csv", "--left-out", "nowhere/left.csv"], "nowhere does not exist"),
        (["-o", "taken"], "is no output format"),
        (["-o", "taken.csv"], "is a directory"),
    ],
)
def test_an_export_is_refused_alike_with_and_without_dry_run(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], refused: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.csv").mkdir()
    outcomes = []
    for preview in ([], ["--dry-run"]):
        code = run(["export", "--base", str(base), *refused, *preview])
        outcomes.append((code, capfd.readouterr().err))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] in (1, 2)
    assert said in outcomes[0][1]


def test_a_segment_whose_file_cannot_be_written_keeps_no_memberships(base: Path, tmp_path: Path) -> None:
    before = state(base)
    for preview in ([], ["--dry-run"]):
        assert run(["segment", str(base), str(tmp_path / "rules.yaml"), "-o", str(tmp_path / "nowhere" / "m.csv"), *preview]) == 2
    assert state(base) == before


def test_verify_refuses_a_dry_run_of_nothing(base: Path) -> None:
    with crm.Base.open(base) as opened, pytest.raises(crm.ConfigError, match="dry_run=True tells what repair=True would change"):
        opened.verify(dry_run=True)


@pytest.mark.parametrize("preview", [False, True])
def test_setting_nobodys_values_is_told_and_makes_no_run(base: Path, capfd: pytest.CaptureFixture[str], preview: bool) -> None:
    with crm.Base.open(base) as opened:
        before = opened.runs()
        for chosen in ({"where": "city = 'Nowhere'"}, {"contacts": []}):
            made = opened.set({"city": "Ogre"}, **chosen, dry_run=preview)  # type: ignore[arg-type]
            assert (made.run_id, made.nothing_new, made.counts["selected"]) == (None, True, 0)
            assert "so nothing was set" in made.warnings[0]
        command = ["set", "city=Ogre", "--base", str(base), "--where", "city = 'Nowhere'"]
        assert run([*command, *(["--dry-run"] if preview else [])]) == 0
        assert "no contact fits the rule, so nothing was set" in capfd.readouterr().err
        assert opened.runs() == before


def test_options_that_say_nothing_there_are_refused(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "more.csv")
    rules = str(tmp_path / "rules.yaml")
    for command, told in (
        (["export", "--base", str(base), "-o", "c.csv", "--key", "id"], "--key is for a file"),
        (["export", "--base", str(base), rules, "--segment", "rigans", "-o", "c.csv", "--related", f"orders={file}"], "--related is for"),
        (["export", file, "-o", "c.csv", "--wait", "3"], "--wait is for a base"),
        (["segment", file, rules, "--wait", "3"], "--wait is for a base"),
        (["verify", str(base), "--dry-run"], "--dry-run tells what --repair would change"),
    ):
        assert run(command) == 2
        assert told in capfd.readouterr().err
