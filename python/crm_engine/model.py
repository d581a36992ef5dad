"""The match model: what a run learned about the data, to be saved and used again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from crm_engine.errors import ConfigError
from crm_engine.output import atomic_file


class Model:
    """A fitted match model. It pins every weight, so that runs that share it decide alike.

    A model comes out of a run (``result.model``) or from a file:

    >>> import crm_engine as crm
    >>> people = pa.table({"name": ["Anna Ozola", "Ana Ozola"], "email": ["anna@x.lv", "anna@x.lv"]})
    >>> crm.dedupe(people).model.save("model.json")
    >>> crm.dedupe(people, model=crm.Model.load("model.json")).summary["contacts"]
    1
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def text(self) -> str:
        """The model as JSON."""
        return self._text

    def to_dict(self) -> dict[str, Any]:
        """The model as plain Python objects."""
        parsed: dict[str, Any] = json.loads(self._text)
        return parsed

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to a file, whole or not at all."""
        with atomic_file(path) as scratch:
            scratch.write_text(self._text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Reads a model that was saved; a file that is none is a ``ConfigError``."""
        try:
            text = Path(path).read_text(encoding="utf-8")
            parsed = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{os.fspath(path)}: is no saved model ({error})") from error
        if not isinstance(parsed, dict):
            raise ConfigError(f"{os.fspath(path)}: is no saved model (it holds a {type(parsed).__name__})")
        return cls(text)

    def __repr__(self) -> str:
        return f"Model({len(self._text)} bytes)"
