"""crm_engine: from messy contact exports to golden contacts, segments and funnels.

Names are imported when first used, so that ``crm-engine --help`` does not wait for pyarrow.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from crm_engine._core import version as _version
from crm_engine.errors import (
    ConfigError,
    CrmError,
    FileFormatError,
    InternalError,
    LimitError,
    LockedError,
    RuleError,
    SchemaError,
    StoreError,
)

__version__ = _version()

__all__ = [
    "Analysis",
    "ConfigError",
    "CrmError",
    "DedupeResult",
    "EventFunnel",
    "FileFormatError",
    "InternalError",
    "LimitError",
    "LockedError",
    "Model",
    "PipelineFunnel",
    "RuleError",
    "SchemaError",
    "StoreError",
    "__version__",
    "analyze",
    "dedupe",
    "draw",
    "event_funnel",
    "pipeline_funnel",
    "plan",
    "retention",
]

#: Public name -> the module that defines it.
_DEFINED_IN: dict[str, str] = {
    "Analysis": "analyze",
    "DedupeResult": "result",
    "EventFunnel": "funnel",
    "Model": "model",
    "PipelineFunnel": "funnel",
    "analyze": "analyze",
    "dedupe": "dedupe",
    "draw": "charts",
    "event_funnel": "funnel",
    "pipeline_funnel": "funnel",
    "plan": "plan",
    "retention": "funnel",
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
