"""Undo: a base is as if the run had never been. Random sequences are compared with bases in which the run never was."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from base_samples import Template, content, people, record_ids, take_in
from conftest import LONG

import crm_engine as crm
from crm_engine.cli.history import told


def orders(rng: random.Random, own: str) -> pa.Table:
    rows = [(str(rng.randrange(12)), str(rng.randrange(45)), str(rng.randrange(3))) for _ in range(5)] + [(own, "0", "1")]
    return pa.table(dict(zip(("order_no", "customer_no", "amount"), map(list, zip(*rows, strict=True)), strict=True)))


def random_steps(rng: random.Random, n: int) -> list[tuple[str, Any]]:
    """What is done to a base; each step means the same whatever was done before.

    Each has something of its own: a step of which all was said before would be no run, and so nothing to undo.
    """
    pool = people(40, seed=rng.randrange(1000))
    changed = [{**row, "city": rng.choice(["Riga", "Cēsis", None])} for row in pool]
    steps: list[tuple[str, Any]] = []
    for _ in range(n):
        kind = rng.choice(["import", "import", "snapshot", "decide", "orders"])
        if kind in ("import", "snapshot"):
            own = {"id": f"own {len(steps)}", "name": rng.choice(pool)["name"], "email": f"own{len(steps)}@inbox.lv"}
            steps.append((kind, [*rng.sample(rng.choice([pool, changed]), rng.randrange(1, 20)), own]))
        elif kind == "decide":
            fresh = (39 - len(steps), rng.randrange(39 - len(steps)))
            pairs = [sorted(pair) for pair in (fresh, *(rng.sample(range(34), 2) for _ in range(rng.randrange(3))))]
            steps.append((kind, [(*map(str, pair), rng.choice(["same", "different", "later", "none"])) for pair in pairs]))
        else:
            steps.append((kind, orders(rng, f"own {len(steps)}")))
    return steps


def take_step(base: crm.Base, step: tuple[str, Any]) -> int:
    kind, given = step
    if kind in ("import", "snapshot"):
        return take_in(base, given, snapshot=kind == "snapshot").run_id
    if kind == "orders":
        return base.import_related("orders", given, source_name="erp", contact_key="customer_no", row_key="order_no").run_id
    sides = {side: [row[place] for row in given] for place, side in enumerate(("source_key_a", "source_key_b", "decision"))}
    return base.decide(pa.table({**sides, "source_a": ["erp"] * len(given), "source_b": ["erp"] * len(given)})).run_id


def skip_step(base: crm.Base) -> None:
    """A run that does nothing, so that later ones have the same number."""
    with base._writing("nothing"):
        pass


def test_undo_leaves_a_base_in_which_the_run_never_was(template: Template) -> None:
    for case in range(400 if LONG else 3):
        rng = random.Random(case)
        steps = random_steps(rng, rng.randrange(2, 6))
        undone = rng.sample(range(len(steps)), rng.randrange(1, min(3, len(steps))))
        with template.copy() as base, template.copy() as never:
            for place, step in enumerate(steps):
                assert take_step(base, step) == place + 1
                if place in undone:
                    skip_step(never)
                else:
                    take_step(never, step)
            for place in undone:
                base.undo(place + 1, go_on=True)
            assert content(base) == content(never), (case, [kind for kind, _ in steps], undone)
            assert base.verify()["problems"] == [], case


def test_undo_in_the_midst_of_later_runs(template: Template) -> None:
    """The same, with steps after the undo."""
    for case in range(200 if LONG else 2):
        rng = random.Random(1000 + case)
        steps = random_steps(rng, 4)
        with template.copy() as base, template.copy() as never:
            take_step(base, steps[0])
            skip_step(never)
            take_step(base, steps[1])
            take_step(never, steps[1])
            base.undo(1, go_on=True)
            skip_step(never)
            for step in steps[2:]:
                take_step(base, step)
                take_step(never, step)
            assert content(base) == content(never), (case, [kind for kind, _ in steps])


def take_word_of_people(base: crm.Base, kind: str, rng: random.Random) -> None:
    """A run that depends on the state that it meets: values set, a contact split, the model fitted anew."""
    contacts = sorted(base.contacts(["contact_id", "n_records"]).read_all().to_pylist(), key=lambda row: str(row["contact_id"]))
    several = [row["contact_id"] for row in contacts if row["n_records"] > 1]
    one = str(rng.choice(contacts)["contact_id"])
    run = None
    if kind == "set":
        run = base.set({"city": rng.choice(["Cēsis", "Valka", None])}, where=f"city = '{rng.choice(['Riga', 'Jelgava'])}'")
    elif kind == "edit":
        run = base.edit([{"contact_id": one, "column": "email", "value": f"set{rng.randrange(9)}@inbox.lv"}])
    elif kind == "split" and several:
        base.split(rng.choice(several))
    elif kind == "refit":
        base.refit()
    else:
        skip_step(base)
    if run is not None and run.nothing_new:
        skip_step(base)


def test_undo_of_what_people_said_and_of_a_refit_among_later_runs(template: Template) -> None:
    """All runs that set, edit, split or refit are undone, in any order; imports, decisions and orders between them stay."""
    for case in range(200 if LONG else 2):
        rng = random.Random(5000 + case)
        first = people(40, seed=case)
        steps: list[Any] = list(random_steps(rng, 2))
        for kind in [*rng.sample(["set", "set", "edit", "split", "split"], 3), "refit"]:
            steps.insert(rng.randrange(len(steps) + 1), kind)
        with template.copy() as base, template.copy() as never:
            take_in(base, first)
            take_in(never, first)
            undone = [place for place, step in enumerate(steps, 2) if isinstance(step, str)]
            for step in steps:
                if isinstance(step, str):
                    take_word_of_people(base, step, rng)
                    skip_step(never)
                else:
                    take_step(base, step)
                    take_step(never, step)
            kinds = {row["run_id"]: row["kind"] for row in base.runs().to_pylist()}
            for run_id in rng.sample(undone, len(undone)):
                if kinds[run_id] != "nothing":
                    base.undo(run_id, go_on=True)
            assert content(base) == content(never), (case, [step if isinstance(step, str) else step[0] for step in steps])
            assert base.verify()["problems"] == [], case


def test_the_history_counts_in_words() -> None:
    counts = {"rows_in": 1, "unchanged": 1, "contacts_merged": 1, "contacts_updated": 2, "contacts_split": 0, "columns": ["city"]}
    assert told(counts) == "1 row in, 1 unchanged, 1 contact merged, 2 contacts updated"


def test_runs_that_depend_are_named(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(6))
        ids = record_ids(base)
        base.decide([(ids["0"], ids["1"])], "same")
        before = content(base)
        with pytest.raises(crm.ConfigError, match=r"run 2 \(decides on records that it brought\).*go_on=True"):
            base.undo(1)
        assert content(base) == before
        base.undo(2)
        base.undo(1)
        assert base.contacts().read_all().num_rows == 0


def test_what_cannot_be_undone_says_so(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(6))
        take_in(base, people(8))
        undo = base.undo(2)
        for run_id, message in ((2, "was undone already, by run 3"), (3, "kind undo"), (9, "there is no run 9; the runs are 1 to 3")):
            with pytest.raises(crm.ConfigError, match=message):
                base.undo(run_id)
        assert undo.undoes == 2
        runs = {row["run_id"]: row for row in base.runs().to_pylist()}
        assert (runs[2]["undone_by"], runs[3]["undoes"], runs[1]["undone_by"]) == (3, 2, None)


def test_runs_and_changes_only_ever_grow(template: Template) -> None:
    with template.copy() as base:
        rng = random.Random(3)
        runs: list[Any] = []
        changes: list[Any] = []
        for step in random_steps(rng, 5):
            take_step(base, step)
            base.undo(base.runs().num_rows, go_on=True)
            now = [{**row, "undone_by": None} for row in base.runs().to_pylist()]
            assert now[: len(runs)] == runs
            feed = base.changes().to_pylist()
            assert feed[: len(changes)] == changes
            runs, changes = now, feed


def test_the_feed_leads_from_one_state_to_the_next(template: Template) -> None:
    """Whoever follows the changes alone has the contacts that the base has."""
    with template.copy() as base:
        known: set[str] = set()
        since = 0
        rng = random.Random(11)
        for step in random_steps(rng, 6):
            since_run = since
            since = take_step(base, step)
            for row in base.changes(since=since_run).to_pylist():
                if row["change"] in ("created", "split"):
                    assert row["contact_id"] not in known
                    known.add(row["contact_id"])
                elif row["change"] in ("merged", "gone", "erased"):
                    known.remove(row["contact_id"])
                else:
                    assert row["contact_id"] in known
                    assert row["fields"]
            assert known == set(base.contacts().read_all()["contact_id"].to_pylist())


def test_the_only_import_undone_takes_its_model_with_it(tmp_path: Any) -> None:
    with crm.Base.create(tmp_path / "base") as base:
        empty = content(base)
        take_in(base, people(50))
        base.undo(1)
        assert content(base) == empty
        assert base.model is None
        assert base.verify()["problems"] == []
        take_in(base, people(30))
        assert base.model is not None


def test_refit_is_a_run_that_is_previewed_and_undone(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(60))
        before, model = content(base), base.model
        assert model is not None
        preview = base.refit(dry_run=True)
        assert content(base) == before
        run = base.refit()
        assert run.counts == preview.counts
        assert base.model is not None
        assert base.model.text != model.text
        assert base.verify()["problems"] == []
        base.undo(run.run_id)
        assert base.model.text == model.text
        assert content(base) == before
