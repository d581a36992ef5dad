"""The library's messages name its parameters, those of a command its options, and one place translates."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import click
import pyarrow as pa
import pytest
from base_samples import people, table

import crm_engine as crm
from crm_engine.cli import crm_engine as commands
from crm_engine.cli import run
from crm_engine.cli.wording import as_options

LIBRARY = Path(crm.__file__).parent
#: What a command is called by may stand in a message of the library as it is.
_A_COMMAND = re.compile(r"crm-engine [a-z]+|run verify")


def messages() -> list[tuple[str, str]]:
    """Every text of the library that may be shown: (where it stands, the text)."""
    found = []
    for path in sorted(LIBRARY.rglob("*.py")):
        if "cli" in path.parts:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body and isinstance(node.body[0], ast.Expr)
        }
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        found += [(f"{path.name}:{node.lineno}", str(node.value)) for node in texts if id(node) not in documentation]
    assert len(found) > 1_000
    return found


def test_the_library_names_no_option_of_the_command_line() -> None:
    named = [where for where, text in messages() if re.search(r"(^|[\s(`])--[a-z]", text) and not _A_COMMAND.search(text)]
    assert named == []


def test_every_parameter_that_a_message_names_is_one_of_the_library() -> None:
    parameters = {
        argument.arg
        for path in LIBRARY.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    }
    named = {name for _, text in messages() for name in re.findall(r"\b([a-z_]+)=(?:True|\.\.\.)", text)}
    assert {"allow_large_merges", "date_order", "go_on", "key", "where"} <= named <= parameters


def test_a_parameter_becomes_the_option_of_the_command_that_runs() -> None:
    text = "say source_name=... or allow_large_merges=True"
    for name, said in (("import", "say --source or --allow-large-merges"), ("dedupe", "say --source-name or --allow-large-merges")):
        command = commands.get_command(click.Context(commands), name)
        assert as_options(text, command) == said
    assert as_options("a cell says x=1, city='Riga' and y=yes") == "a cell says x=1, city='Riga' and y=yes"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    with crm.Base.create(tmp_path / "base") as made:
        for source in ("erp", "crm"):
            made.import_contacts(table(people(5)), source_name=source)
        ids = made.table("records", ["record_id"]).read_all()["record_id"].to_pylist()
        made.decide([(ids[0], ids[1])], "different")
    return tmp_path / "base"


def test_errors_and_warnings_name_options(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "orders.csv").write_text("order_no,customer_no\n1,1\n", "utf-8")
    (tmp_path / "calls.csv").write_text("call_id,length\n1,7\n", "utf-8")
    (tmp_path / "people.csv").write_text("code,name,birth_date\n1,Anna Ozola,03/04/1985\n2,Ilze Liepa,05/06/1990\n", "utf-8")
    given = ["--base", str(base)]
    for command, code, said in (
        (["set", "city=Ogre", *given], 2, "by a rule (--where), or by their ids (--contact)"),
        (["undo", "1", *given], 2, "or say --go-on to leave them"),
        (["verify", str(base), "--dry-run"], 2, "--dry-run tells what --repair would change"),
        (["compact", "--keep-days", "1e9", *given], 2, "--keep-days is a number of days"),
        (["import", str(tmp_path / "orders.csv"), "--table", "orders", *given], 2, "say with --source which source's keys"),
        (["import", str(tmp_path / "orders.csv"), "--table", "orders", "--row-key", "no", *given], 1, "no column 'no' for --row-key"),
        (["import", str(tmp_path / "calls.csv"), "--table", "calls", *given], 0, "name it with --contact-key"),
    ):
        assert run(command) == code, command
        told = capfd.readouterr().err
        assert said in told
        assert not re.search(r"[a-z]+_[a-z]+=|=\.\.\.|=True", told), command
    assert run(["import", str(tmp_path / "calls.csv"), "--table", "calls", *given, "--json"]) == 0
    assert "name it with --contact-key" in json.loads(capfd.readouterr().out)["warnings"][0]
    assert run(["profile", str(tmp_path / "people.csv")]) == 0
    assert "say which with --date-order" in capfd.readouterr().out
    assert run(["profile", str(tmp_path / "people.csv"), "--json"]) == 0
    assert "say which with --date-order" in json.dumps(json.loads(capfd.readouterr().out)["tables"][0]["problems"])


def test_errors_of_the_library_name_parameters(base: Path) -> None:
    with crm.Base.open(base) as opened:
        with pytest.raises(crm.ConfigError, match=r"by a rule \(where=\.\.\.\), or by their ids \(contacts=\.\.\.\)"):
            opened.set({"city": "Ogre"})
        with pytest.raises(crm.ConfigError, match=r"say with source_name=\.\.\. which"):
            opened.import_related("orders", pa.table({"order_no": ["1"], "customer_no": ["1"]}))
        with pytest.raises(crm.ConfigError, match=r"keep_days=\.\.\. is a number of days"):
            opened.compact(keep_days=-1)
