"""What ``crm.dedupe`` makes of cells: columns kept, golden values, what cannot be read, explanations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dedupe_samples import HEADER, ROWS, check_whole, golden, table

import crm_engine as crm
from crm_engine.explain import explain_pair
from crm_engine.output import write_sheets


def test_records_keep_every_column_and_say_where_they_came_from(tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    file.write_text("email,odd column\na@x.lv,00123\nb@x.lv,NA\n", encoding="utf-8")
    records = crm.dedupe(file).records
    assert records.schema.names == ["email", "odd column", "record_id", "contact_id", "source_file", "source_row"]
    assert records["odd column"].to_pylist() == ["00123", "NA"]
    assert records["source_file"].to_pylist() == [str(file)] * 2
    assert records["source_row"].to_pylist() == [2, 3]


def test_own_columns_do_not_hide_those_of_the_input() -> None:
    result = crm.dedupe(pa.table({"email": ["a@x.lv"], "contact_id": ["old-1"]}))
    assert result.records["contact_id_original"].to_pylist() == ["old-1"]
    assert result.records["contact_id"].to_pylist() == result.contacts["contact_id"].to_pylist()


def test_columns_of_our_names_do_not_take_each_others() -> None:
    source = {"email": ["a@x.lv"], "contact_id": ["c1"], "contact_id_original": ["q1"], "n_records": ["5"], "n_records_original": ["q2"]}
    result = crm.dedupe(pa.table(source))
    for given, name in ((result.records, "contact_id"), (result.contacts, "n_records")):
        assert len(set(given.column_names)) == len(given.column_names)
        assert given[f"{name}_original"].to_pylist() == source[f"{name}_original"]
        assert given[f"{name}_original_2"].to_pylist() == source[name]


def test_golden_records_drop_only_what_is_no_value_and_count_it() -> None:
    source = {
        "First name": ["Min-jun", "Kari", "unknown"],
        "Last name": ["Na", "Nav", "n/a"],
        "Email": ["c@x.lv", "k@x.no", "b@x.lv"],
        "Status": ["Prospect", "deleted", "-"],
        "Language": ["ko", "no", "lv"],
        "Country": ["KR", "NO", "LV"],
    }
    result = crm.dedupe(pa.table(source))
    by_email = {row["email"][0]: row for row in golden(result)}
    kept = [(row["family_name"], row["status"], row["language"], row["country"]) for row in (by_email["c@x.lv"], by_email["k@x.no"])]
    assert kept == [("Na", "Prospect", "ko", "KR"), ("Nav", "deleted", "no", "NO")]
    assert [by_email["b@x.lv"][name] for name in ("given_name", "family_name", "status")] == [None, None, None]
    unsaid = {row["column"]: row["fillers"] for row in result.summary["unsaid"]}
    assert unsaid == {"First name": 1, "Last name": 1, "Status": 1}


def test_refusal_in_any_words_outlives_a_newer_yes_and_unclear_answers_are_told() -> None:
    def consent(word: str) -> tuple[Any, list[str]]:
        person = {"name": ["Anna Ozola"] * 2, "email": ["anna.ozola77@x.lv"] * 2, "phone": ["+37129123456"] * 2}
        source = {**person, "marketing_consent": [word, "yes"], "updated_at": ["2023-01-01", "2024-01-01"]}
        result = crm.dedupe(pa.table(source))
        assert result.contacts.num_rows == 1
        return result.contacts["marketing_consent"].to_pylist()[0], result.summary["warnings"]

    assert consent("opt_out") == ("no", [])
    assert consent("не подписан") == ("no", [])
    assert consent("n/a") == ("yes", [])
    value, warnings = consent("ask her husband")
    assert value == "ask her husband"
    assert any("1 cells of 'marketing_consent' say neither yes nor no" in warning for warning in warnings)


@pytest.mark.parametrize(
    "cell", ["29123456 / 67998877", "29123456; 67998877", "29123456,67998877", "29123456 | 67998877", "29123456\n67998877"]
)
def test_a_cell_of_several_numbers_is_compared_as_golden_records_split_it(cell: str) -> None:
    others = [[f"N{number} M{number}", f"u{number}@z.lv", f"+3712{number:03}4567"] for number in range(20)]
    rows = [["Oto Zars", "oto@x.lv; ozars@y.lv", cell], ["Otto Zars", "ozars@y.lv", "67998877"], *others]
    result = crm.dedupe(table(rows, ["name", "email", "phone"]))
    ids = dict(zip(result.records["name"].to_pylist(), result.records["record_id"].to_pylist(), strict=True))
    levels = {line["comparison"]: line["level"] for line in result.explain(ids["Oto Zars"], ids["Otto Zars"])["comparisons"]}
    assert (levels["phone"], levels["email"]) == ("exact", "exact")


def test_extensions_tell_colleagues_apart_and_are_kept() -> None:
    others = [[f"N{number} M{number}", f"+3712{number:03}4567"] for number in range(20)]
    rows = [["Kate Liepa", "+371 67223344 доб. 5"], ["Oto Zars", "67223344 ext. 7"], *others]
    result = crm.dedupe(table(rows, ["name", "phone"]))
    ids = dict(zip(result.records["name"].to_pylist(), result.records["record_id"].to_pylist(), strict=True))
    levels = {line["comparison"]: line["level"] for line in result.explain(ids["Kate Liepa"], ids["Oto Zars"])["comparisons"]}
    assert levels["phone"] == "same_ending"
    numbers = {row["full_name"]: row["phone"] for row in golden(result)}
    assert (numbers["Kate Liepa"], numbers["Oto Zars"]) == (["+37167223344;ext=5"], ["+37167223344;ext=7"])


def test_explanations_do_not_depend_on_the_order_of_rows() -> None:
    rows = [["Anna Ozola", "berta@x.lv; anna@x.lv"], ["Anna Ozola", "anna@x.lv"], *([f"N{n} M{n}", f"u{n}@z.lv"] for n in range(20))]
    shown = []
    for some in (rows, rows[::-1]):
        result = crm.dedupe(table(some, ["name", "email"]))
        ids = dict(zip(result.records["email"].to_pylist(), result.records["record_id"].to_pylist(), strict=True))
        lines = result.explain(ids["berta@x.lv; anna@x.lv"], ids["anna@x.lv"])["comparisons"]
        shown.append([(line["value_a"], line["value_b"]) for line in lines if line["comparison"] == "email"])
    assert shown == [[("anna@x.lv; berta@x.lv", "anna@x.lv")]] * 2 or shown == [[("anna@x.lv", "anna@x.lv; berta@x.lv")]] * 2


def test_whole_names_are_composed_of_their_parts() -> None:
    names = {row["source_key"]: row["full_name"] for row in golden(crm.dedupe(table()))}
    assert {"Jānis Bērziņš", "Kristaps Kalniņš", "Мария Иванова"} <= set(names.values())
    given = table([[*row, "Dr. A. O."] if row[0] == "5" else [*row, ""] for row in ROWS], [*HEADER, "full_name"])
    names = {row["family_name"]: row["full_name"] for row in golden(crm.dedupe(given))}
    assert names["Kalniņš"] == "Dr. A. O."
    assert names["Иванова"] == "Мария Иванова"


def test_no_value_vanishes_and_what_cannot_be_read_is_counted() -> None:
    header = ["name", "phone", "email", "birth_date", "VAT number"]
    rows = [
        ["Anna Vogt", "0341/558291", "anna@web.de", "05.06.1975", "DE136695976"],
        ["Bernd Meier", "030/8172635 / 0171/2345678", "bernd@", "31.02.1980", "DE136695977"],
        ["Clara Braun", "siehe Notiz", "n/a", "07.08.1980", ""],
        ["Dirk Koch", "0000000", "dirk@web.de ::: koch@gmx.de", "0000-00-00", "DE811569869"],
    ]
    result = crm.dedupe(table(rows, header), {"phone_region": "DE"})
    check_whole(result)
    by_name = {row["full_name"]: row for row in result.contacts.to_pylist()}
    assert by_name["Anna Vogt"]["phone"] == ["+49341558291"]
    assert by_name["Bernd Meier"]["phone"] == ["+49308172635", "+491712345678"]
    assert by_name["Clara Braun"]["phone"] == ["siehe Notiz"]
    assert by_name["Dirk Koch"]["phone"] is None
    assert by_name["Bernd Meier"]["email"] == ["bernd@"]
    assert by_name["Dirk Koch"]["email"] == ["dirk@web.de", "koch@gmx.de"]
    assert [by_name[row[0]]["birth_date"] for row in rows] == ["1975-06-05", "31.02.1980", "1980-08-07", None]
    assert by_name["Bernd Meier"]["tax_id"] == "DE136695977"
    doubts = {(found["column"], found["doubt"]): found["count"] for found in result.summary["doubtful_values"]}
    assert doubts == {
        ("phone", "unreadable"): 1,
        ("phone", "filler"): 1,
        ("email", "unreadable"): 1,
        ("birth_date", "unreadable"): 1,
        ("VAT number", "wrong_check_digit"): 1,
    }
    assert any(warning == "'email': 1 value could not be read: kept as written, not compared" for warning in result.summary["warnings"])


def test_a_date_that_was_read_wins_over_one_that_was_not() -> None:
    rows = [
        ["1", "Anna Ozola", "anna@inbox.lv", "31.02.1985", "2024-05-01"],
        ["2", "Anna Ozola", "anna@inbox.lv", "1985-03-01", "2023-01-01"],
    ]
    result = crm.dedupe(table(rows, ["source_key", "full_name", "email", "birth_date", "updated_at"]))
    assert result.contacts.num_rows == 1
    assert result.contacts["birth_date"].to_pylist() == ["1985-03-01"]


def test_dates_with_points_are_read_and_ambiguous_ones_told() -> None:
    rows = [["1", "Иван", "05.06.1975", "03.01.2024"], ["2", "Пётр", "07.08.1980", "02.02.2024"]]
    header = ["source_key", "given_name", "birth_date", "updated_at"]
    contacts = crm.dedupe(table(rows, header)).contacts
    assert sorted(contacts["birth_date"].to_pylist()) == ["1975-06-05", "1980-08-07"]
    assert sorted(contacts["updated_at"].to_pylist()) == ["2024-01-03", "2024-02-02"]
    slashed = table([[cell.replace(".", "/") for cell in row] for row in rows], header)
    doubts = crm.dedupe(slashed).summary["doubtful_values"]
    assert [(found["column"], found["doubt"], found["count"]) for found in doubts] == [
        ("birth_date", "ambiguous", 2),
        ("updated_at", "ambiguous", 1),
    ]
    assert crm.dedupe(slashed, {"date_order": "dmy"}).summary["doubtful_values"] == []


def test_explain_and_evaluate_know_the_sheets_of_a_workbook(tmp_path: Path) -> None:
    shop = pa.table({"key": ["1", "2"], "name": ["Anna Ozola", "Jānis Bērziņš"], "e-mail": ["anna@inbox.lv", "janis@inbox.lv"]})
    office = pa.table({"code": ["A", "B"], "client": ["OZOLA ANNA", "Ilze Liepa"], "mail": ["Anna@Inbox.lv", "ilze@inbox.lv"]})
    write_sheets({"Shop": shop, "Office": office}, tmp_path / "both.xlsx")
    result = crm.dedupe(tmp_path / "both.xlsx", mapping={"key": "source_key", "code": "source_key"})
    result.write(tmp_path / "out")
    ids = [result.records["record_id"][place].as_py() for place in (0, 2)]
    explained = explain_pair(tmp_path / "out", *ids)
    assert explained["comparisons"] == result.explain(*ids)["comparisons"]
    assert explained["same_contact"]
    assert explain_pair(tmp_path / "out", "both.xlsx#Shop:2", "both.xlsx#Office:2")["comparisons"] == explained["comparisons"]
    with pytest.raises(crm.ConfigError, match="the records are rows of .*both.xlsx#Shop, .*both.xlsx#Office"):
        explain_pair(tmp_path / "out", "both.xlsx:2", ids[0])
    truth = pa.table({"source_key": ["1", "A", "B"], "true_id": ["anna", "anna", "ilze"]})
    assert crm.evaluate(tmp_path / "out", truth).labelled == 3


def test_explain_of_two_files_of_which_neither_has_the_column_that_was_left_out(tmp_path: Path) -> None:
    rows = [[str(number), f"Person {number}", f"p{number}@inbox.lv"] for number in range(1, 9)]
    counted = table(rows, ["№", "full_name", "email"])
    others = [table([["Anna Ozola", "anna@inbox.lv"]], ["full_name", "email"]), table([["A. Ozola", "anna@inbox.lv"]], ["Name", "E-mail"])]
    result = crm.dedupe([counted, *others], {"ignore": ["№"]})
    result.write(tmp_path / "out")
    ids = [row["record_id"] for row in result.records.to_pylist() if row["№"] is None]
    assert explain_pair(tmp_path / "out", *ids)["comparisons"] == result.explain(*ids)["comparisons"]


def test_explain_tells_what_was_not_compared(tmp_path: Path) -> None:
    rows = [["1", "Anna", "Ozola", "000-00-00"], ["2", "Anna", "Ozola", "+371 29123456"]]
    result = crm.dedupe(table(rows, ["source_key", "given_name", "family_name", "phone"]))
    result.write(tmp_path / "out")
    explained = explain_pair(tmp_path / "out", *result.records["record_id"].to_pylist())
    assert explained["not_compared"] == [{"record": "a", "column": "phone", "role": "phone", "doubt": "filler"}]
