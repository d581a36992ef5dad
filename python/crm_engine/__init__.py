"""crm_engine: from messy contact exports to golden contacts, segments and funnels.

Names are imported when first used, so that ``crm-engine --help`` does not wait for pyarrow.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from crm_engine._core import version as _version
from crm_engine.errors import (
    AmbiguousDatesWarning,
    ConfigError,
    CrmError,
    FileFormatError,
    InternalError,
    LimitError,
    LockedError,
    RuleError,
    SchemaError,
    StoreError,
    UnreadAmountsWarning,
    UnreadRowsWarning,
)

if TYPE_CHECKING:
    from crm_engine.analyze import Analysis as Analysis
    from crm_engine.analyze import analyze as analyze
    from crm_engine.audience import Audience as Audience
    from crm_engine.audience import audience as audience
    from crm_engine.base import Base as Base
    from crm_engine.base import Run as Run
    from crm_engine.cards import CardTemplate as CardTemplate
    from crm_engine.charts import draw as draw
    from crm_engine.dedupe import dedupe as dedupe
    from crm_engine.edited import Edits as Edits
    from crm_engine.edited import read_edits as read_edits
    from crm_engine.edited import write_cards as write_cards
    from crm_engine.evaluate import Evaluation as Evaluation
    from crm_engine.evaluate import evaluate as evaluate
    from crm_engine.export import export as export
    from crm_engine.export import import_cards as import_cards
    from crm_engine.funnel import EventFunnel as EventFunnel
    from crm_engine.funnel import PipelineFunnel as PipelineFunnel
    from crm_engine.funnel import event_funnel as event_funnel
    from crm_engine.funnel import funnel as funnel
    from crm_engine.funnel import pipeline_funnel as pipeline_funnel
    from crm_engine.funnel import retention as retention
    from crm_engine.model import Model as Model
    from crm_engine.plan import plan as plan
    from crm_engine.profile import Profile as Profile
    from crm_engine.profile import profile as profile
    from crm_engine.reconcile import ReconcileResult as ReconcileResult
    from crm_engine.reconcile import reconcile as reconcile
    from crm_engine.result import DedupeResult as DedupeResult
    from crm_engine.review import Review as Review
    from crm_engine.review import apply_review as apply_review
    from crm_engine.review import read_review as read_review
    from crm_engine.review import write_review as write_review
    from crm_engine.rule_building import Rule as Rule
    from crm_engine.rule_building import field as field
    from crm_engine.rules import builtin_rules as builtin_rules
    from crm_engine.rules import load_rules as load_rules
    from crm_engine.segment import SegmentResult as SegmentResult
    from crm_engine.segment import segment as segment

__version__ = _version()

__all__ = [
    "AmbiguousDatesWarning",
    "Analysis",
    "Audience",
    "Base",
    "CardTemplate",
    "ConfigError",
    "CrmError",
    "DedupeResult",
    "Edits",
    "Evaluation",
    "EventFunnel",
    "FileFormatError",
    "InternalError",
    "LimitError",
    "LockedError",
    "Model",
    "PipelineFunnel",
    "Profile",
    "ReconcileResult",
    "Review",
    "Rule",
    "RuleError",
    "Run",
    "SchemaError",
    "SegmentResult",
    "StoreError",
    "UnreadAmountsWarning",
    "UnreadRowsWarning",
    "__version__",
    "analyze",
    "apply_review",
    "audience",
    "builtin_rules",
    "dedupe",
    "draw",
    "evaluate",
    "event_funnel",
    "export",
    "field",
    "funnel",
    "import_cards",
    "load_rules",
    "pipeline_funnel",
    "plan",
    "profile",
    "read_edits",
    "read_review",
    "reconcile",
    "retention",
    "segment",
    "write_cards",
    "write_review",
]

#: Public name -> the module that defines it.
_DEFINED_IN: dict[str, str] = {
    "Analysis": "analyze",
    "Audience": "audience",
    "audience": "audience",
    "Base": "base",
    "Run": "base",
    "CardTemplate": "cards",
    "DedupeResult": "result",
    "Edits": "edited",
    "read_edits": "edited",
    "write_cards": "edited",
    "Evaluation": "evaluate",
    "EventFunnel": "funnel",
    "export": "export",
    "funnel": "funnel",
    "import_cards": "export",
    "Model": "model",
    "PipelineFunnel": "funnel",
    "analyze": "analyze",
    "Rule": "rule_building",
    "SegmentResult": "segment",
    "builtin_rules": "rules",
    "field": "rule_building",
    "load_rules": "rules",
    "segment": "segment",
    "dedupe": "dedupe",
    "draw": "charts",
    "evaluate": "evaluate",
    "event_funnel": "funnel",
    "pipeline_funnel": "funnel",
    "plan": "plan",
    "retention": "funnel",
    "Profile": "profile",
    "profile": "profile",
    "ReconcileResult": "reconcile",
    "Review": "review",
    "apply_review": "review",
    "read_review": "review",
    "write_review": "review",
    "reconcile": "reconcile",
}


def __getattr__(name: str) -> Any:
    module = _DEFINED_IN.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """A package whose functions keep their names when a module of the same name is imported (``crm_engine.profile``)."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _DEFINED_IN and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
