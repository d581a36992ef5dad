"""An import within a memory limit: rows wait on disk, the base is the same; what cannot be held is refused and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from base_samples import Template, content, people, take_in
from click.testing import CliRunner

import crm_engine as crm
from crm_engine.cli import crm_engine as command


def test_the_base_is_the_same_with_and_without_a_limit(template: Template, tmp_path: Path) -> None:
    rows = people(1_200, seed=3)
    with template.copy() as base:
        take_in(base, rows)
        expected = content(base)
    spool = tmp_path / "spool"
    spooled: list[str] = []

    def watch(stage: str, done: int, total: int) -> None:
        if spool.exists():
            spooled.extend(path.name for path in spool.iterdir())

    with template.copy() as base:
        take_in(base, rows, memory_limit="1MiB", tmp_dir=spool, progress=watch)
        assert content(base) == expected
        assert base.verify()["problems"] == []
    assert spooled, "rows beyond an eighth of the limit wait in the folder"
    assert not list(spool.iterdir()), "and leave nothing there"


def test_duckdb_keeps_to_its_share_during_the_import_and_no_longer(template: Template) -> None:
    seen: set[str] = set()
    with template.copy() as base:

        def setting() -> str:
            with base._lake.reading() as cursor:
                return str(cursor.value("SELECT current_setting('memory_limit')"))

        before = setting()
        take_in(base, people(50), memory_limit="1GiB", progress=lambda *_: seen.add(setting()))
        assert seen == {"512.0 MiB"}
        assert setting() == before


def test_what_cannot_be_held_is_refused_and_changes_nothing(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(50))
        before = content(base)
        with pytest.raises(crm.LimitError, match=r"memory limit of 0 MiB is reached after 1,?500 rows; give the import more memory"):
            take_in(base, people(1_500, seed=5), source="other", memory_limit=500_000)
        assert content(base) == before


def test_the_command_takes_a_limit(template: Template, tmp_path: Path) -> None:
    with template.copy() as base:
        path = base.path
    file = tmp_path / "people.csv"
    file.write_text("id,name,email\n1,Anna Ozola,anna@x.lv\n")
    arguments: list[Any] = ["import", str(file), "--base", str(path), "--memory-limit", "1GiB", "--tmp-dir", str(tmp_path / "spool")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    refused = CliRunner().invoke(command, [*arguments, "--table", "orders"])
    assert refused.exit_code == 2
    assert "--memory-limit and --tmp-dir belong to contacts" in refused.output
