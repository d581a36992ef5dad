"""Related tables under names of their own: Russian and Latvian words, currencies beside amounts, stages that a firm calls its way."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine.analyses.related import Related
from crm_engine.analyze import ANALYSES
from crm_engine.cli import run
from crm_engine.related_words import _OF_TABLE, _read, known_columns, plain, table_of, words_of
from crm_engine.written_currencies import without_currencies

TODAY = dt.date(2026, 10, 31)
RUSSIAN = {
    "сделки.csv": """Номер сделки;Код клиента;Стадия сделки;Сумма;Ответственный;Источник;Дата создания;Дата закрытия;Причина отказа
1;К1;Успешно реализовано;10 000,50 ₽;Иванова;Сайт;05.01.2026;20.01.2026;
2;К2;Закрыто и не реализовано;5 000,00 ₽;Петров;Выставка;06.01.2026;13.02.2026;Дорого
3;К1;Переговоры;7 000,00 ₽;Иванова;Сайт;01.10.2026;;
""",
    "заказы.csv": """Номер заказа;Код клиента;Товар;Количество;Сумма;Статус;Дата заказа
1;К1;Фильтры;2;1 000,00 ₽;Оплачен;05.02.2026
2;К1;Фильтры;1;500,00 руб.;Отменён;06.02.2026
3;К2;Сервис;1;300,00 ₽;Отгружен;31.10.2026
""",
    "взаимодействия.csv": """Код клиента;Тип;Направление;Канал;Ответственный;Дата и время;Результат;Время ответа, мин;Оценка
К1;Звонок;Исходящий;Сайт;Иванова;04.01.2026 10:00;Ответили;30;
К1;Жалоба;Входящий;Сайт;Иванова;13.03.2026 12:30;Решено;60;4
К2;Письмо;Исходящий;Выставка;Петров;05.01.2026 09:00;Нет ответа;;
;Звонок;Входящий;Сайт;Петров;05.01.2026 09:00;;;
""",
    "планы.csv": """Период;Ответственный;Показатель;План
10.2026;Петров;Звонки;1
2 кв. 2026;;Жалобы;1
2026;;Выручка;2 000,00 ₽
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("русский")
    for name, text in RUSSIAN.items():
        (folder / name).write_bytes(text.encode("cp1251") if "₽" not in text else text.encode("utf-8-sig"))
    return folder


def test_every_word_is_of_one_meaning_and_every_column_has_words() -> None:
    read = _read()
    for table, columns in _OF_TABLE.items():
        assert set(columns) <= set(read["columns"]), table
    for known in (read["tables"], *read["values"].values(), read["currencies"]):
        words = [plain(word) or word for theirs in known.values() for word in theirs]
        assert len(words) == len(set(words)), sorted(word for word in words if words.count(word) > 1)


def found(table: str, **columns: Any) -> dict[str, str]:
    return known_columns(pa.table(columns), table)


def test_columns_tables_and_values_are_found_by_their_words() -> None:
    day = ["31.01.2026"]
    assert found("deals", Сделка=["7"], Этап=["won"], Менеджер=["A"], Source=["S"]) == {
        "deal_id": "Сделка",
        "stage": "Этап",
        "owner": "Менеджер",
    }
    # Our own names count, and one column has one meaning.
    assert found("orders", **{"order_id": ["1"], "№ заказа": ["2"], "placed_at": day, "Дата": day}) == {}
    assert found("orders", **{"ID": ["1"], "Pasūtījuma datums": day, "Summa": ["5"]}) == {
        "order_id": "ID",
        "amount": "Summa",
        "placed_at": "Pasūtījuma datums",
    }
    assert found("interactions", Дата=day, Klients=["A"]) == {"customer_no": "Klients", "occurred_at": "Дата"}
    assert (table_of("Сделки"), table_of("pasūtījumi"), table_of("Visits")) == ("deals", "orders", "visits")
    kinds = np.array(["ЗВОНОК", "Vēstule", "факс", None], object)
    assert words_of(kinds, "kind").tolist() == ["call", "letter", "факс", None]
    assert words_of(np.array(["Canceled", "Отменён", "canceled "], object), "status").tolist() == ["cancelled"] * 3


def test_a_folder_in_russian_is_analysed_as_it_is(folder: Path) -> None:
    def table(name: str, **options: Any) -> list[dict[str, Any]]:
        return list(crm.analyze(name, folder, today=TODAY, **options).table.to_pylist())

    [owner, other] = table("owners")
    assert (owner["owner"], owner["calls"], owner["won"], owner["lost"], owner["median_response_minutes"]) == ("Иванова", 1, 1, 0, 30)
    assert (other["owner"], other["letters"], other["won"], other["lost"]) == ("Петров", 1, 0, 1)
    value = {row["contact"]: (row["value_to_date"], row["currency"]) for row in table("value")}
    assert value == {"К1": (Decimal("1000.00"), "RUB"), "К2": (Decimal("300.00"), "RUB")}
    assert [(row["kind"], row["solved"], row["mean_satisfaction"]) for row in table("service")] == [("complaint", 1, 4.0)]
    assert {row["channel"]: (row["engaged"], row["deals"], row["won"]) for row in table("channels")} == {
        "Сайт": (1, 2, 1), "Выставка": (0, 1, 0),
    }  # fmt: skip
    churn = crm.analyze("churn", folder, today=TODAY).tables
    assert churn["at_stage"].to_pylist() == [
        {"last_deal_stage": "Успешно реализовано", "last_deal_status": "won", "last_lost_reason": None, "clients": 1}
    ]
    assert churn["after"]["last_contact_kind"].to_pylist() == ["Жалоба"]
    for name in ANALYSES:
        if name not in ("activity", "campaigns"):
            crm.analyze(name, folder, today=TODAY)
    card = crm.analyze("activity", folder, contact="К1")
    # The card shows what the files say, each cell once.
    assert card.summary["history"][0]["fields"]["Стадия сделки"] == "Переговоры"
    assert "stage" not in card.summary["history"][0]["fields"]
    plan = crm.plan(folder / "планы.csv", folder, today=TODAY).table.to_pylist()
    assert [(row["metric"], row["fact"], row["currency"]) for row in plan] == [
        ("calls", 0, None), ("complaints", 0, None), ("revenue", 1300, "RUB")
    ]  # fmt: skip


def test_a_funnel_in_russian(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = {"stages": ["Переговоры", "Успешно реализовано"], "lost": "Закрыто и не реализовано"}
    found = crm.pipeline_funnel(folder / "сделки.csv", None, {**stages, "by": ["Ответственный", "month"]})
    assert found.amounts["currency"].unique().to_pylist() == ["RUB"]
    assert found.summary["read_as"]["deals"]["deal_id"] == "Номер сделки"
    assert found.losses["reason"].to_pylist() == ["Дорого"]
    assert crm.funnel(folder, stages).totals["reached"].to_pylist() == [2, 1]
    with pytest.raises(crm.SchemaError, match="has the stage 'Закрыто и не реализовано', .* Name yours in their order"):
        crm.pipeline_funnel(folder / "сделки.csv")
    steps = [{"name": "call", "where": "Тип = 'Звонок'"}, {"name": "order", "where": "table = 'orders'"}]
    assert crm.funnel(folder, {"events": ["interactions", "orders"], "steps": steps}).steps["contacts"].to_pylist() == [1, 1]
    assert crm.retention(folder / "заказы.csv").summary["contacts"] == 2
    (tmp_path / "steps.yaml").write_text("steps:\n- {name: call, where: Тип = 'Звонок'}\n", "utf-8")
    assert run(["funnel", str(folder / "взаимодействия.csv"), "--config", str(tmp_path / "steps.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["contacts"] == 1
    assert run(["analyze", "value", str(folder)]) == 0
    heard = capsys.readouterr().err
    assert "columns were found by their words; --verbose says which" in heard
    assert run(["analyze", "value", str(folder), "-v"]) == 0
    assert "orders: order_id is 'Номер заказа', customer_no is 'Код клиента'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "amounts", "codes"),
    [
        (["1 234,50\u00a0₽", "-5 р.", "(7) EUR", ""], ["1 234,50", "-5", "(7)", None], ["RUB", "RUB", "EUR", None]),
        (["USD 1,234.50", "$7", "8"], ["1,234.50", "7", "8"], ["USD", "USD", None]),
        (["12 zł", None], ["12", None], ["PLN", None]),
        (["5 coins", "6 EUR"], ["5 coins", "6 EUR"], None),
        (["1e5 EUR"], ["1e5 EUR"], None),
        (["inf", "5"], ["inf", "5"], None),
    ],
)
def test_currencies_beside_amounts(written: list[str | None], amounts: list[str | None], codes: list[str | None] | None) -> None:
    found, named = without_currencies(pa.array(written))
    assert found.to_pylist() == amounts
    assert (None if named is None else named.to_pylist()) == codes


def test_currencies_are_never_added_however_they_are_written() -> None:
    amounts = ["10 €", "20,5 ₽", "5"]
    deals = pa.table({"deal_id": [1, 2, 3], "stage": ["won"] * 3, "amount": amounts})
    found = crm.pipeline_funnel(deals, None, {"default_currency": "USD"}).amounts.to_pylist()
    assert {row["currency"]: row["reached_amount"] for row in found if row["stage"] == "won"} == {
        "EUR": 10, "RUB": Decimal("20.5"), "USD": 5,
    }  # fmt: skip
    payments = pa.table({"deal_id": [1, 1, 2], "status": ["Оплачен", "refunded", "received"], "amount": ["10 €", "3 €", "1 €"]})
    paid = {row["currency"]: row for row in crm.pipeline_funnel(deals, payments=payments).payments.to_pylist()}
    assert (paid["EUR"]["received"], paid["EUR"]["returned"], paid["RUB"]["unpaid_deals"]) == (11, 3, 1)
    # A column of currencies says it; then the signs are only taken off.
    told = deals.append_column("currency", pa.array(["EUR", "RUB", "EUR"]))
    found = crm.pipeline_funnel(told).amounts.to_pylist()
    assert {row["currency"]: row["reached_amount"] for row in found if row["stage"] == "won"} == {"EUR": 15, "RUB": Decimal("20.5")}
    with pytest.raises(crm.SchemaError, match="row 1 of column 'amount' is no amount"):
        crm.pipeline_funnel(deals.set_column(2, "amount", pa.array(["5 coins", "6 EUR", ""])))


def test_stages_may_be_called_anything_where_it_is_said() -> None:
    deals = pa.table(
        {"contact_id": ["a", "b", "c"], "owner": ["Anna"] * 3, "stage": ["Signed", "Ghosted", "Talks"], "amount": ["5", "6", "7"],
         "currency": ["EUR"] * 3, "created_at": ["2026-01-05"] * 3}
    )  # fmt: skip
    [told] = crm.analyze("owners", {"deals": deals}, today=TODAY).summary["warnings"]
    assert told == "deals: none of the stages (Ghosted, Signed, Talks) is known to be won or lost; say which are with won=... and lost=..."
    found = crm.analyze("owners", {"deals": deals}, today=TODAY, won="Signed", lost=["Ghosted"])
    assert "warnings" not in found.summary
    assert [(row["won"], row["lost"]) for row in found.table.to_pylist()] == [(1, 1)]
    plans = {"period": ["2026"], "metric": ["revenue"], "target": ["1"], "currency": ["EUR"]}
    assert crm.plan(plans, {"deals": deals}, today=TODAY, won=["Signed"], lost=["Ghosted"]).table["fact"].to_pylist() == [5]
    # Stages of the pipeline that is taken otherwise are no surprise.
    open_deals = deals.set_column(2, "stage", pa.array(["proposal"] * 3))
    assert "warnings" not in crm.analyze("owners", {"deals": open_deals}, today=TODAY).summary


def test_the_command_says_the_outcomes_as_its_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deals.csv").write_text("contact_id,owner,stage,amount,created_at\na,Anna,Signed,5,2026-01-05\n")
    assert run(["analyze", "owners", str(tmp_path), "-q"]) == 0
    assert "say which are with --won and --lost" in capsys.readouterr().err
    assert run(["analyze", "owners", str(tmp_path), "--won", "Signed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["won"] == 1
    (tmp_path / "plans.csv").write_text("period,metric,target\n2026,new_clients,1\n")
    assert run(["plan", str(tmp_path / "plans.csv"), "--won", "Signed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["fact"] == "1.00"


@pytest.mark.parametrize(
    ("period", "first", "end"),
    [
        ("2026", (2026, 1, 1), (2027, 1, 1)),
        ("2026-Q4", (2026, 10, 1), (2027, 1, 1)),
        ("Q4 2026", (2026, 10, 1), (2027, 1, 1)),
        ("4 кв. 2026 г.", (2026, 10, 1), (2027, 1, 1)),
        ("3 квартал 2026", (2026, 7, 1), (2026, 10, 1)),
        ("12.2026", (2026, 12, 1), (2027, 1, 1)),
        ("2026-05", (2026, 5, 1), (2026, 6, 1)),
        ("2026-W07", (2026, 2, 9), (2026, 2, 16)),
    ],
)
def test_periods_as_people_write_them(period: str, first: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    from crm_engine.plan_targets import targets_of

    [target] = targets_of({"period": [period], "metric": ["calls"], "target": ["1"]})
    assert target["span"] == (dt.date(*first), dt.date(*end))


def test_one_currency_is_one_however_its_column_calls_it() -> None:
    deals = pa.table(
        {"deal_id": [1, 2, 3, 4], "stage": ["won"] * 4, "amount": ["10", "20", "5", "1"], "currency": ["€", "EUR", "eur", None]}
    )
    found = crm.pipeline_funnel(deals, None, {"default_currency": "руб."}).amounts.to_pylist()
    assert {row["currency"]: row["reached_amount"] for row in found if row["stage"] == "won"} == {"EUR": 35, "RUB": 1}
    payments = pa.table({"deal_id": [1, 2], "status": ["received"] * 2, "amount": ["10", "20"], "currency": ["Евро", "€"]})
    [paid] = crm.pipeline_funnel(deals.slice(0, 3), payments=payments).payments.to_pylist()
    assert (paid["currency"], paid["received"], paid["unpaid_deals"]) == ("EUR", 30, 1)
    orders = {"contact_id": ["a", "b"], "amount": ["5", "6"], "currency": ["руб.", "RUB"], "placed_at": ["2026-10-05"] * 2}
    assert crm.analyze("value", {"orders": orders}, today=TODAY).table["currency"].to_pylist() == ["RUB", "RUB"]
    plans = {"period": ["2026"], "metric": ["revenue"], "target": ["10"], "currency": ["₽"]}
    assert crm.plan(plans, {"orders": orders}, today=TODAY).table["fact"].to_pylist() == [11]


def test_a_target_in_another_currency_than_its_column_says_is_an_error() -> None:
    plans = {"period": ["2025", "2026"], "metric": ["revenue"] * 2, "target": ["5 ₽", "10 €"], "currency": ["RUB", "RUB"]}
    with pytest.raises(crm.SchemaError, match="plans: row 2 has an amount in EUR, and the currency RUB in its column"):
        crm.plan(plans, {"orders": {"contact_id": [], "placed_at": []}})


@pytest.mark.parametrize(
    ("columns", "n_open"),
    [
        ({"done": ["yes", "no", ""]}, 2),
        ({"done": [True, False, None]}, 2),
        ({"Выполнено": ["Да", "Нет", "Нет"]}, 2),
        ({"Task status": ["COMPLETED", "NOT_STARTED", "WAITING"]}, 2),
        ({"Statuss": ["Izpildīts", "Pabeigts", "procesā"]}, 1),
        ({"done": ["31.01.2026", "", ""], "status": ["open", "closed", "open"]}, 1),
        ({"status": ["hot", "cold", "warm"]}, 3),
    ],
)
def test_tasks_are_done_by_a_time_a_yes_or_a_status(columns: dict[str, list[Any]], n_open: int) -> None:
    tasks = {"contact_id": ["a", "b", "c"], "owner": ["Anna"] * 3, "due_at": ["2026-10-01"] * 3, **columns}
    found = crm.analyze("reminders", {"tasks": tasks}, today=TODAY)
    assert found.table.num_rows == n_open
    deals = {"contact_id": ["a"], "stage": ["won"], "owner": ["Anna"], "amount": ["5"], "created_at": ["2026-10-05"]}
    [owner] = crm.analyze("owners", {"tasks": tasks, "deals": deals}, today=TODAY).table.to_pylist()
    assert (owner["open_tasks"], owner["overdue_tasks"]) == (n_open, n_open)


def test_events_in_a_stream_tell_what_was_read_by_words() -> None:
    events = pa.table({"Клиент": ["a", "a"], "Дата": ["2026-01-05", "2026-01-06"], "kind": ["x", "y"]})
    told = [
        crm.event_funnel(events, {"steps": ["kind = 'x'", "kind = 'y'"], "grouped": grouped}).summary["read_as"]
        for grouped in (True, False)
    ]
    assert told == [{"events": {"customer_no": "Клиент", "occurred_at": "Дата"}}] * 2


PIPEDRIVE = """Deal - ID,Deal - Title,Deal - Stage,Deal - Status,Deal - Value,Deal - Currency of Value,Deal - Owner,Deal - Deal created,Deal - Lost reason,Person - Email
1,Acme,Proposal Made,Won,1200,EUR,Jane,2026-01-05 10:00:00,,a@acme.com
2,Beta,Contact Made,Lost,700,EUR,Jane,2026-01-09 10:00:00,No budget,b@beta.com
3,Gamma,Negotiations Started,Open,3000,USD,Bob,2026-02-01 10:00:00,,c@gamma.com
4,Delta,Qualified,Won,500,USD,Bob,2026-02-10 10:00:00,,a@acme.com
"""  # noqa: E501


def test_deals_that_are_won_by_a_column_beside_their_stage(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text(PIPEDRIVE)
    config = {"stages": ["Qualified", "Contact Made", "Proposal Made", "Negotiations Started", "Won"]}
    found = crm.pipeline_funnel(tmp_path / "deals.csv", None, config)
    assert (found.summary["won"], found.summary["lost"], found.summary["open"]) == (2, 1, 1)
    assert {row["currency"]: row["reached_amount"] for row in found.amounts.to_pylist() if row["stage"] == "Won"} == {
        "EUR": 1200,
        "USD": 500,
    }
    owners = crm.analyze("owners", tmp_path, today=TODAY)
    assert [(row["owner"], row["won"], row["lost"]) for row in owners.table.to_pylist()] == [("Bob", 1, 0), ("Jane", 1, 1)]
    assert "warnings" not in owners.summary
    # What tells of something else besides says nothing of the outcome.
    (tmp_path / "deals.csv").write_text(PIPEDRIVE.replace("Open", "Hot"))
    assert crm.pipeline_funnel(tmp_path / "deals.csv", None, config).summary["won"] == 0


def test_amounts_that_nobody_knows_are_told() -> None:
    deals = pa.table({"№ сделки": ["1"], "Стадия": ["won"], "Чек": ["5"]})
    assert "no column is known to be the amounts" in crm.pipeline_funnel(deals).summary["warnings"][-1]
    assert (
        crm.pipeline_funnel(deals, None, {"amount": "Чек"}).summary["warnings"]
        == crm.pipeline_funnel(deals.rename_columns(["№ сделки", "Стадия", "Бюджет"])).summary["warnings"]
    )


def test_words_for_no_date_are_none_and_a_decision_is_the_last_day() -> None:
    deals = {
        "ID": ["1", "2", "3"], "Этап сделки": ["Успешно реализовано", "Переговоры", "Переговоры"], "Бюджет": ["100", "5", "6"],
        "Рабочий телефон": ["+7 916 123-45-67", "+7 916 123-45-68", ""], "Источник": ["Сайт"] * 3, "Ответственный": ["Анна"] * 3,
        "Дата создания": ["05.01.2026", "06.01.2026", "07.01.2026"], "Дата закрытия": ["20.03.2026", "не закрыта", "-"],
    }  # fmt: skip
    found = crm.analyze("channels", {"deals": deals})
    assert [(row["channel"], row["won"], row["revenue"]) for row in found.table.to_pylist()] == [("Сайт", 1, Decimal(100))]
    assert found.summary["read_as"]["deals"]["closed_at"] == "Дата закрытия"
    # An open deal closes when somebody hopes so: that is no day on which anything happened.
    hoped = {**deals, "Дата закрытия": ["20.01.2026", "01.12.2026", "01.12.2026"]}
    assert Related({"deals": hoped}).today == dt.date(2026, 1, 20)


def test_a_file_of_calls_needs_no_kind(tmp_path: Path) -> None:
    (tmp_path / "звонки.csv").write_text(
        "Дата и время;Тип звонка;Телефон;Менеджер;Результат\n19.01.2026 10:00;Исходящий;+79161234567;Орлова;Дозвонились\n"
        "20.01.2026 11:00;Входящий;+79161234568;Орлова;Пропущен\n"
    )
    [owner] = crm.analyze("owners", tmp_path).table.to_pylist()
    assert (owner["owner"], owner["calls"], owner["contacts_kept"]) == ("Орлова", 2, 2)
    (tmp_path / "звонки.csv").rename(tmp_path / "активности.csv")
    with pytest.raises(crm.SchemaError, match="interactions has no column 'kind'"):
        crm.analyze("owners", tmp_path)
