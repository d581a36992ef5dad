"""crm_engine: from messy contact exports to golden contacts, segments and funnels."""

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
    "ConfigError",
    "CrmError",
    "FileFormatError",
    "InternalError",
    "LimitError",
    "LockedError",
    "RuleError",
    "SchemaError",
    "StoreError",
    "__version__",
]
