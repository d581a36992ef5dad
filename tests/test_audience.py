"""Audiences: consent, suppression lists, and an account in which every member is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.cli import crm_engine as command_line

PEOPLE = pa.table(
    {
        "contact_id": ["c1", "c2", "c3", "c4", "c5", "c6"],
        "city": ["Riga", "Riga", "Riga", "Riga", "Oslo", "Riga"],
        "email": [["a.b@gmail.com"], ["x@one.lv", "y@one.lv"], [], None, ["o@o.no"], ["z@z.lv"]],
        "phone": ["+371 29123456", "+371 26 111 222", "29 765 432", "+7 912 345-67-89", "2611 1333", "n/a"],
        "marketing_consent": ["yes", "yes", "no", None, "yes", "yes"],
    }
)
RULES = {"segments": {"riga": "city = 'Riga'", "oslo": "city = 'Oslo'"}}


def test_every_member_is_in_or_left_out_for_one_reason() -> None:
    members = crm.segment(PEOPLE, RULES)
    chosen = crm.audience(PEOPLE, members, ["riga"], purpose="marketing", suppress=[["Y@ONE.LV", "no such thing"]])
    assert chosen.table["contact_id"].to_pylist() == ["c1", "c6"]
    assert chosen.table.column_names == PEOPLE.column_names
    assert chosen.left_out.to_pylist() == [
        {"contact_id": "c2", "reason": "suppressed"},
        {"contact_id": "c3", "reason": "consent_refused"},
        {"contact_id": "c4", "reason": "consent_unknown"},
    ]
    summary = chosen.summary
    assert summary["members"] == summary["audience"] + sum(summary["left_out"].values()) == 5
    assert summary["suppression"] == {"entries": 2, "unreadable": 1, "contacts": 1}


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ("A.B+news@googlemail.com", "c1"),
        ("Anna <ab@gmail.com>", "c1"),
        ("+37129123456", "c1"),
        ("0037129765432", "c3"),
        ("+7 (912) 345 67 89", "c4"),
        ("c5", "c5"),
    ],
)
def test_entries_are_compared_as_contacts_are(entry: str, who: str) -> None:
    assert crm.audience(PEOPLE, suppress=[[entry]]).left_out["contact_id"].to_pylist() == [who]


def test_without_a_purpose_everybody_may_be_exported_but_the_suppressed() -> None:
    members = crm.segment(PEOPLE, RULES)
    assert crm.audience(PEOPLE, members, ["riga", "oslo"]).table.equals(PEOPLE)
    suppressed = pa.table({"contact_id": ["c5"], "address": ["x@one.lv"]})
    assert crm.audience(PEOPLE, suppress=[suppressed]).left_out["contact_id"].to_pylist() == ["c2", "c5"]


def test_members_are_found_by_key_where_the_rows_come_in_another_order() -> None:
    members = crm.segment(PEOPLE, RULES)
    turned = PEOPLE.take([5, 4, 3, 2, 1, 0])
    assert crm.audience(turned, members, ["riga"]).table["contact_id"].to_pylist() == ["c6", "c4", "c3", "c2", "c1"]


def test_a_column_that_says_who_opted_out_is_understood() -> None:
    people = pa.table({"id": [1, 2], "HasOptedOutOfEmail": ["true", "false"], "E-mail": ["a@a.lv", "b@b.lv"]})
    chosen = crm.audience(people, purpose="marketing", columns={"marketing_consent": "HasOptedOutOfEmail"})
    assert chosen.table["id"].to_pylist() == [2]


def test_refusal_in_any_column_wins() -> None:
    people = pa.table({"id": [1, 2], "news": [True, True], "sms": [True, False]})
    chosen = crm.audience(people, purpose="marketing", columns={"marketing_consent": ["news", "sms"]})
    assert (chosen.table["id"].to_pylist(), chosen.counts["consent_refused"]) == ([1], 1)


def test_marketing_without_a_column_of_consent_is_refused() -> None:
    with pytest.raises(crm.SchemaError, match="nobody may be written to"):
        crm.audience(PEOPLE.drop(["marketing_consent"]), purpose="marketing")


def test_what_makes_no_sense_is_told() -> None:
    members = crm.segment(PEOPLE, RULES)
    for wrong in (
        lambda: crm.audience(PEOPLE, members),
        lambda: crm.audience(PEOPLE, None, ["riga"]),
        lambda: crm.audience(PEOPLE, members, ["nowhere"]),
        lambda: crm.audience(PEOPLE, purpose="fishing"),
        lambda: crm.audience(PEOPLE, suppress=["/no/such/file.csv"]),
        lambda: crm.audience(PEOPLE, columns={"phone": "fax"}),
        lambda: crm.audience(PEOPLE.slice(1), members, ["riga"]),
    ):
        with pytest.raises((crm.ConfigError, crm.SchemaError)):
            wrong()


def call(*arguments: Any) -> click.testing.Result:
    return click.testing.CliRunner().invoke(command_line, [str(argument) for argument in arguments], obj={})


def test_the_command_writes_the_audience_and_tells_who_is_missing(tmp_path: Path) -> None:
    pq.write_table(PEOPLE, tmp_path / "people.parquet")
    (tmp_path / "rules.yaml").write_text("segments: {riga: \"city = 'Riga'\"}", "utf-8")
    # A list without a header, as people send it.
    (tmp_path / "stop.csv").write_text("y@one.lv\nz@z.lv\n", "utf-8")
    arguments = ("export", tmp_path / "people.parquet", tmp_path / "rules.yaml", "--segment", "riga", "--purpose", "marketing")
    arguments += ("--suppress", tmp_path / "stop.csv", "-o", tmp_path / "out.csv", "--left-out", tmp_path / "left.csv")
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["left_out"] == {"suppressed": 2, "consent_refused": 1, "consent_unknown": 1}
    assert (summary["members"], summary["audience"]) == (5, 1)
    assert "a.b@gmail.com" in (tmp_path / "out.csv").read_text("utf-8")
    assert "c2,suppressed" in (tmp_path / "left.csv").read_text("utf-8")
    shown = call(*arguments)
    assert "on the suppression list" in shown.output
    assert "never gave consent" in shown.output
    assert call("export", tmp_path / "people.parquet", "--segment", "riga", "-o", tmp_path / "x.csv").exit_code == 2


@pytest.mark.parametrize("lines", [["c1", "c2"], ["c1"], ["contact_id", "c1"], ["c1", "", "c2"]])
def test_a_list_of_ids_without_a_header_loses_nobody(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "stop.csv").write_text("\n".join(lines) + "\n", "utf-8")
    chosen = crm.audience(PEOPLE, suppress=[tmp_path / "stop.csv"])
    listed = [line for line in lines if line.startswith("c") and line != "contact_id"]
    assert chosen.left_out["contact_id"].to_pylist() == listed
    assert (chosen.suppression["entries"], chosen.suppression["unreadable"]) == (len(listed), 0)


def test_an_empty_list_suppresses_nobody(tmp_path: Path) -> None:
    (tmp_path / "stop.csv").write_text("email\n", "utf-8")
    assert crm.audience(PEOPLE, suppress=[tmp_path / "stop.csv"]).suppression == {"entries": 0, "unreadable": 0, "contacts": 0}


def test_ids_that_a_merge_took_away_are_followed() -> None:
    suppressed = pa.table({"contact_id": ["old7", "c5"]})
    chosen = crm.audience(PEOPLE, suppress=[suppressed, ["old8"]], aliases={"old7": "c2", "old8": "c3"})
    assert chosen.left_out["contact_id"].to_pylist() == ["c2", "c3", "c5"]
