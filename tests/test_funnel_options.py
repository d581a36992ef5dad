"""Options of the funnels in the wrong kind: one clear message, and nothing is read letter by letter."""

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine import ConfigError

DEALS = pa.table({"deal_id": [1, 2], "stage": ["won", "proposal"], "owner": ["a", "b"]})
HISTORY = pa.table({"deal_id": [1], "stage": ["won"], "entered_at": pa.array([0], pa.timestamp("s"))})
EVENTS = pa.table({"contact_id": [1], "time": pa.array([0], pa.timestamp("s")), "kind": ["x"]})
STEPS = [{"name": "x", "where": "kind = 'x'"}]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"lost": []}, "lost names nothing"),
        ({"lost": 5}, "lost is 5, and must be a list of names"),
        ({"stages": 5}, "stages is 5, and must be a list of names"),
        ({"stages": "won"}, "stages is 'won', and must be a list"),
        ({"stages": []}, "stages names nothing"),
        ({"stages": ["a", None]}, "must be a list of names"),
        ({"by": 5}, "by is 5, and must be a list of names"),
        ({"breakdowns": 5}, "breakdowns is 5, and must be a list"),
        ({"breakdowns": "owner"}, "breakdowns is 'owner', and must be a list"),
        ({"breakdowns": [5]}, "a breakdown is 5"),
        ({"forecast": "month"}, "forecast is 'month', and must be true, or a mapping"),
        ({"forecast": {"periods": "abc"}}, "periods is 'abc', and must be a whole number from 1 to 120"),
        ({"forecast": {"periods": 1_000_000_000}}, "from 1 to 120"),
        ({"forecast": {"every": "moon"}}, "every is 'moon', and must be one of day"),
        ({"default_currency": 5}, "default_currency is 5, and must be a text"),
        ({"timezone": "Nowhere"}, "timezone 'Nowhere' is unknown; use a name such as Europe/Riga"),
        ({"timezone": 5}, "timezone is 5, and must be a text"),
        ({"cohort": 5}, "cohort is 5, and must be a text"),
    ],
)
def test_pipeline_options_of_the_wrong_kind(config, says):
    with pytest.raises(ConfigError, match=says):
        crm.pipeline_funnel(DEALS, HISTORY, config)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"mode": 5}, "mode is 5, and must be a list of names"),
        ({"exclude": "kind='x'"}, "exclude is \"kind='x'\", and must be a list of exclusions"),
        ({"exclude": {"where": "kind='x'"}}, "and must be a list of exclusions"),
        ({"by": 5}, "by is 5, and must be a list of columns"),
        ({"by": [5]}, "by: 5 names no column"),
        ({"by": {"of": "first"}}, "names no column"),
        ({"breakdowns": "kind"}, "breakdowns is 'kind', and must be a list"),
        ({"breakdowns": 5}, "breakdowns is 5, and must be a list"),
        ({"breakdowns": [5]}, "by is 5, and must be a list of columns"),
    ],
)
def test_event_options_of_the_wrong_kind(config, says):
    with pytest.raises(ConfigError, match=says):
        crm.event_funnel(EVENTS, {"steps": STEPS, **config})


def test_options_without_a_value_are_the_defaults():
    nothing = dict.fromkeys(("lost", "stages", "by", "breakdowns", "forecast", "default_currency", "timezone"))
    assert crm.pipeline_funnel(DEALS, HISTORY, nothing).stages.equals(crm.pipeline_funnel(DEALS, HISTORY).stages)
    nothing = dict.fromkeys(("mode", "exclude", "by", "breakdowns", "where", "window"))
    assert crm.event_funnel(EVENTS, {"steps": STEPS, **nothing}).steps.equals(crm.event_funnel(EVENTS, {"steps": STEPS}).steps)


@pytest.mark.parametrize("rule", ["kind = 'x'", crm.field("kind") == "x", {"field": "kind", "op": "=", "value": "x"}])
def test_rules_of_all_forms_are_conditions(rule):
    funnel = crm.event_funnel(EVENTS, {"steps": [{"where": rule}, "kind = 'y'"], "exclude": [{"where": rule}], "where": rule})
    assert funnel.steps["contacts"].to_pylist() == [1, 0]
    assert funnel.step_names == ["kind = 'x'", "kind = 'y'"]
    with pytest.raises(ConfigError, match=r"step 1: where is 5, and must be a rule: SQL, a tree, or crm.field\(\.\.\.\)"):
        crm.event_funnel(EVENTS, {"steps": [5]})


@pytest.mark.parametrize("breakdowns", [{"stages": "owner"}, {"deals": "owner"}, ["payments"], [["payments"]]])
def test_a_breakdown_may_not_have_the_name_of_a_table_of_the_funnel(breakdowns):
    deals = pa.table({"deal_id": [1], "stage": ["won"], "owner": ["Anna"], "payments": ["card"]})
    with pytest.raises(crm.ConfigError, match=r"breakdowns: '\w+' is the name of a table .* another name, such as breakdowns: {by_"):
        crm.pipeline_funnel(deals, config={"breakdowns": breakdowns})
    assert crm.pipeline_funnel(deals, config={"breakdowns": {"by_payments": "payments"}}).table("by_payments").num_rows


@pytest.mark.parametrize("breakdowns", [{"levels": "kind"}, ["levels"], [{"column": "kind", "name": "segments"}]])
def test_a_breakdown_of_events_may_not_have_the_name_of_a_table_of_the_funnel(breakdowns):
    events = pa.table({"contact_id": [1], "time": pa.array([0], pa.timestamp("s")), "kind": ["a"], "levels": ["b"]})
    with pytest.raises(crm.ConfigError, match="is the name of a table"):
        crm.event_funnel(events, {"steps": [{"name": "a", "where": "kind = 'a'"}], "breakdowns": breakdowns})


def test_deals_that_say_no_stage_need_a_history():
    deals = pa.table({"deal_id": [1, 2], "stge": ["won", "lost"]})
    with pytest.raises(crm.SchemaError, match="deals has no column 'stage', did you mean 'stge'"):
        crm.pipeline_funnel(deals)
    history = pa.table({"deal_id": [1], "stage": ["won"], "entered_at": ["2026-01-05"]})
    assert crm.pipeline_funnel(deals, history).summary["won"] == 1
    with pytest.raises(crm.SchemaError, match="deals has no column 'phase'"):
        crm.pipeline_funnel(deals, None, {"stage": "phase"})
