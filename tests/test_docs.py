"""What README and docs show is run as a reader would: every command ends well, every example of Python runs, every YAML file is taken.

Each page has a folder of its own with the demo's exports, and with stand-ins under the names that the page uses.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import glob
import io
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from doc_blocks import PAGES, ROOT, Block, Command, blocks, commands, same_but_for_blanks

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.config import load_config, load_mapping
from crm_engine.demo import write_demo
from crm_engine.output import write_table
from crm_engine.table_files import read_text
from crm_engine.yaml_tree import plain_yaml

#: Which of the demo's exports stands for a file of the pages.
_STAND_INS = {
    "hubspot_contacts.csv": ("a.csv", "export.csv", "hubspot.csv", "exports/hubspot.csv"),
    "klienti.xlsx": ("b.xlsx", "clients.xlsx", "contacts.xlsx", "erp.xlsx", "crm.xlsx", "exports/klienti.xlsx"),
    "webshop_customers.parquet": ("c.parquet", "shop.parquet"),
}
#: Files that pages name and no command of theirs writes.
_SMALL_FILES = {
    "crm.yaml": "match_threshold: 0.95\n",
    "segments.yaml": "segments: {vip: \"city = 'Riga'\"}\n",
    "rules.yaml": "segments: {riga: \"city = 'Riga'\"}\n",
    "stop.csv": "someone@example.com\n",
    "unsubscribed.csv": "someone@example.com\n",
    "calls.csv": "contact_id,kind,occurred_at\nc0001,quote_request,2026-10-01\n",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "exports", rows=400, seed=1)
    return folder / "exports"


class Reader:
    """A reader of one page, in a folder with what the page takes for granted."""

    def __init__(self, folder: Path, demo: Path, commands_of_demo: bool) -> None:
        self.folder, self.demo = folder, demo
        (folder / "exports").mkdir()
        for name, others in _STAND_INS.items():
            for other in others:
                shutil.copy(demo / name, folder / other)
        for name, text in _SMALL_FILES.items():
            (folder / name).write_text(text, "utf-8")
        write_table(read_text(demo / "klienti.xlsx"), folder / "crm.csv")
        orders = read_text(demo / "orders.csv")
        write_table(orders.append_column("contact_id", pa.array(["c0001"] * len(orders))), folder / "orders.csv")
        if not commands_of_demo:
            shutil.copytree(demo, folder / "demo" / "exports")
        self._contacts()
        #: What is made when a command names it and it is not there yet.
        self.makers: dict[str, Callable[[], None]] = {
            "labels.csv": self._labels,
            "truth.csv": self._labels,
            "reviewed_pairs.xlsx": self._reviewed,
            "base": self._base,
            "out": self._out,
        }

    def make(self, text: str) -> None:
        """What a command or an example names and nobody has made before."""
        for name, maker in self.makers.items():
            if re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w.-])", text) and not (self.folder / name).exists():
                maker()

    def run(self, command: Command) -> str:
        """What a command prints, which must end well."""
        words = [self.word(word) for word in command.words]
        if words[0] == "rm":
            shutil.rmtree(self.folder / words[-1], ignore_errors=True)
            return ""
        assert words[0] == "crm-engine", f"{command.place}: {words[0]} is not run"
        output = io.StringIO()
        if ">" in words:
            words = words[: words.index(">")]
        if words[1] == "init":
            shutil.rmtree(self.folder / words[2], ignore_errors=True)
        elif "init" not in words and not {"-o", "--output"} & set(words):
            self.make(" ".join(words))
        else:
            self.make(" ".join(word for place, word in enumerate(words) if words[place - 1] not in ("-o", "--output")))
        arguments = [found for word in words[1:] for found in (sorted(glob.glob(word)) if "*" in word else [word])]
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = run(arguments)
        assert code == 0, f"{command.place}: crm-engine {' '.join(words[1:])}: exit code {code}\n{output.getvalue()}"
        return output.getvalue()

    def word(self, word: str) -> str:
        """A word of a command, with an id of the data where the page has a made-up one."""
        if word in ("RECORD_A", "RECORD_B", "A", "B"):
            records = self._records()
            return str(records[0 if word.endswith("A") else 1])
        return word

    def _records(self) -> list[int]:
        self.make("out")
        found: list[int] = pq.read_table(self.folder / "out" / "records.parquet")["record_id"].to_pylist()
        return found

    def _out(self) -> None:
        crm.dedupe([self.folder / name for name in ("hubspot.csv", "contacts.xlsx", "shop.parquet")]).write(self.folder / "out")

    def _contacts(self) -> None:
        """Golden contacts and their orders, as the pages on segments have them."""
        n_contacts = 40
        ids = [f"c{number:04}" for number in range(n_contacts - 1)] + ["c7f3a"]
        contacts = {
            "contact_id": ids,
            "full_name": [f"Person {number}" for number in range(n_contacts)],
            "city": ["Riga", "Rīga", "Oslo", None] * 10,
            "tags": [["retail"], []] * 20,
            "email": [[f"p{number}@example.com"] if number % 3 else None for number in range(n_contacts)],
            "phone": [None, ["+37120000000"]] * 20,
            "marketing_consent": ["yes", "no", None, "yes"] * 10,
            "created_at": [dt.date(2026, 1, 1)] * n_contacts,
        }
        orders = {
            "contact_id": ids,
            "amount": [20_000.0] * n_contacts,
            "status": ["paid", "paid", "cancelled", "paid"] * 10,
            "placed_at": [dt.datetime(2026, 9, 1)] * n_contacts,
        }
        pq.write_table(pa.table(contacts), self.folder / "contacts.parquet")
        pq.write_table(pa.table(orders), self.folder / "orders.parquet")

    def _base(self) -> None:
        with crm.Base.create(self.folder / "base") as base:
            hubspot = read_text(self.folder / "hubspot.csv")
            limits = pa.array([str(100 * row) for row in range(len(hubspot))])
            base.import_contacts(hubspot.append_column("credit_limit", limits), source_name="hubspot")
            for name in ("crm.csv", "shop.parquet"):
                base.import_contacts(self.folder / name, source_name=Path(name).stem)
            base.import_related("orders", self.folder / "orders.csv", source_name="shop", contact_key="customer_no")

    def _labels(self) -> None:
        truth = pacsv.read_csv(self.demo / "truth.csv")
        for name in ("labels.csv", "truth.csv"):
            parts = []
            for export, others in _STAND_INS.items():
                for other in others:
                    own = truth.filter(pa.compute.equal(truth["source_file"], export))
                    parts.append(own.set_column(0, "source_file", pa.array([other] * len(own), pa.string())))
            pacsv.write_csv(pa.concat_tables(parts), self.folder / name)

    def _reviewed(self) -> None:
        self.make("out")
        pairs = pq.read_table(self.folder / "out" / "pairs.parquet").slice(0, 20)
        labels = pa.array(["same"] * len(pairs))
        write_table(pairs.select(["record_id_a", "record_id_b"]).append_column("label", labels), self.folder / "reviewed_pairs.xlsx")


def recipe(command: Command) -> list[Command]:
    """A command; `make demo` as the commands that the Makefile has for it, whose prints are taken together."""
    if command.words != ["make", "demo"]:
        return [command]
    lines = (ROOT / "Makefile").read_text("utf-8").partition("\ndemo: build\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    found = [Command("Makefile", shlex.split(line.strip()), []) for line in lines.splitlines() if line.startswith("\t$(BIN)/crm-engine")]
    for each in found:
        each.words[0] = "crm-engine"
    dedupe, evaluate = found[1:]
    at = next(place for place, line in enumerate(command.output) if "precision" in line)
    dedupe.output, evaluate.output = command.output[:at], command.output[at:]
    return found


def runnable(command: Command) -> bool:
    """Whether a line of a shell block is for us: setting up the machine is not."""
    return command.words[0] not in ("pip", "make", "eval", "cargo", "python")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_blocks_of_a_page_run(path: Path, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    page = blocks(path)
    makes_demo = any("crm-engine demo -o demo/exports" in block.text or "make demo" in block.text for block in page)
    reader = Reader(tmp_path, demo, makes_demo)
    for block in page:
        if block.language == "yaml":
            keep(block, reader.folder)
    names: dict[str, Any] = {}
    for block in page:
        if block.language in ("", "sh", "console"):
            for command in (shown for each in commands(block) for shown in recipe(each)):
                if runnable(command):
                    printed = reader.run(command)
                    holds(command, printed)
        elif block.language == "python":
            example(block, reader, names)


#: How a file is read where no command of its page does it.
_LOADERS: dict[str, Callable[[Path], Any]] = {
    "crm.yaml": load_config,
    "map.yaml": load_mapping,
    "tree.yaml": lambda path: crm.load_rules({"segments": {"tree": plain_yaml(path.read_bytes(), "tree")["where"]}}),
}


def keep(block: Block, folder: Path) -> None:
    """A YAML block is a file that a command of the page reads; some are also read here, as no command does."""
    name = block.file_name
    assert name, f"{block.place}: name the file in the first line of this block, such as '# rules.yaml'"
    (folder / name).write_text(block.text, "utf-8")
    if name in _LOADERS:
        _LOADERS[name](folder / name)


def holds(command: Command, printed: str) -> None:
    """The lines that a page shows are printed, in this order and with these figures."""
    lines = iter([same_but_for_blanks(line) for line in printed.splitlines()])
    for shown in command.output:
        wanted = same_but_for_blanks(shown)
        assert wanted in lines, f"{command.place}: {' '.join(command.words)} does not print: {shown}\nbut:\n{printed}"


#: What an example takes for granted: an object that the reader has.
_GIVEN: dict[str, Callable[[Reader], Any]] = {
    "arrow_table": lambda reader: pq.read_table(reader.folder / "c.parquet"),
    "base": lambda reader: crm.Base.open("base"),
    "contacts": lambda reader: pq.read_table("contacts.parquet"),
    "orders": lambda reader: pq.read_table("orders.parquet"),
    "table": lambda reader: pq.read_table("contacts.parquet"),
    "a": lambda reader: pa.table({"email": ["x@example.com"]}),
    "b": lambda reader: pa.table({"email": ["x@example.com"], "email_differs": [True], "decision": [None]}),
    "record_id_a": lambda reader: pq.read_table(reader.folder / "out" / "records.parquet")["record_id"][0].as_py(),
    "record_id_b": lambda reader: pq.read_table(reader.folder / "out" / "records.parquet")["record_id"][1].as_py(),
}


def example(block: Block, reader: Reader, names: dict[str, Any]) -> None:
    """An example of Python, which goes on from those before it on the page."""
    if "Base.create" in block.text:
        shutil.rmtree("base", ignore_errors=True)
    else:
        reader.make(block.text)
    code = compile(block.text, block.place, "exec")
    for name in set(code.co_names) & set(_GIVEN) - set(names):
        if not re.search(rf"^{name}\b.* = ", block.text, re.M):
            reader.make("base") if name == "base" else None
            names[name] = _GIVEN[name](reader)
    names.setdefault("crm", crm)
    exec(code, names)
