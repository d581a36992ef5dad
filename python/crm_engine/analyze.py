"""The questions a sales organisation asks, by name.

::

    result = crm.analyze("channels", "demo/exports")
    result.table, result.tables["by_month"], result.summary

Tables come from a folder with files such as ``orders.csv``, or a mapping of names to tables; what each analysis means is in
``docs/analyses.md``.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crm_engine.analyses.campaigns import campaigns
from crm_engine.analyses.card import activity, card_html
from crm_engine.analyses.care import calendar, reminders, service
from crm_engine.analyses.channels import channels
from crm_engine.analyses.churn import churn
from crm_engine.analyses.figures import Analysis
from crm_engine.analyses.levels import levels
from crm_engine.analyses.owners import owners
from crm_engine.analyses.readiness import readiness
from crm_engine.analyses.related import Related
from crm_engine.analyses.value import value
from crm_engine.columns import check_options
from crm_engine.errors import ConfigError
from crm_engine.funnels.options import names
from crm_engine.told_once import dates_told_once

__all__ = [
    "ANALYSES", "Analysis", "Related", "activity", "analyze", "calendar", "campaigns", "card_html", "channels", "churn", "levels", "owners",
    "readiness", "reminders", "service", "value",
]  # fmt: skip

#: The analyses by name.
ANALYSES: dict[str, Callable[..., Analysis]] = {
    function.__name__: function for function in (channels, owners, churn, value, levels, activity, service, campaigns, readiness, reminders)
}


@dates_told_once
def analyze(
    name: str,
    tables: Any,
    *,
    today: dt.date | None = None,
    timezone: str | None = None,
    date_order: str | None = None,
    won: str | Sequence[str] | None = None,
    lost: str | Sequence[str] | None = None,
    **options: Any,
) -> Analysis:
    """Runs one analysis over a folder, a mapping of names to tables, or a base; ``options`` are those of the analysis.

    Without ``today`` the last day on which anything happened is taken, so that an old export does not look deserted. ``date_order`` (``dmy``,
    ``mdy``) says how dates are read that can be read in two ways and whose column does not tell. ``won`` and ``lost`` name the stages at which a
    deal is won or lost, where they are called otherwise.

    >>> import pyarrow as pa, datetime as dt
    >>> orders = pa.table({"contact_id": ["a", "a", "b"], "placed_at": ["2026-01-05", "2026-02-01", "2026-02-03"], "amount": ["10", "20", "5.50"], "currency": ["EUR"] * 3})
    >>> analyze("value", {"orders": orders}).table.select(["contact", "value_to_date", "abc"]).to_pylist()
    [{'contact': 'a', 'value_to_date': Decimal('30.00'), 'abc': 'A'}, {'contact': 'b', 'value_to_date': Decimal('5.50'), 'abc': 'B'}]
    """
    if name not in ANALYSES:
        import difflib

        near = difflib.get_close_matches(name, ANALYSES, 1)
        raise ConfigError(f"there is no analysis {name!r}{f', did you mean {near[0]!r}?' if near else ''}; there are {', '.join(ANALYSES)}")
    function = ANALYSES[name]
    parameters = dict(inspect.signature(function).parameters)
    del parameters["related"]
    check_options(options, parameters, f"analysis {name!r}")
    for option, given in options.items():
        _check_number(name, option, given, parameters[option])
    if name == "activity" and "contact" not in options:
        raise ConfigError("analysis 'activity' needs the contact whose card is wanted: contact=...")
    related = Related(tables, today, timezone, date_order, won=names(won, "won"), lost=names(lost, "lost"))
    found = function(related, **options)
    related.tell(found.summary)
    return found


def _check_number(name: str, option: str, given: Any, parameter: inspect.Parameter) -> None:
    """Options with a number as default take whole numbers; some also take one for each of several kinds."""
    if not isinstance(parameter.default, int):
        return
    each = list(given.values()) if isinstance(given, Mapping) and "dict" in str(parameter.annotation) else [given]
    for one in each:
        if not isinstance(one, int) or isinstance(one, bool) or one < 0:
            raise ConfigError(f"analysis {name!r}: {option} is {one!r}, and must be a whole number, 0 or more")
