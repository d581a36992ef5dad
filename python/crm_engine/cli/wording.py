"""The library's messages name its parameters (``go_on=True``, ``source_name=...``); here they become options of the command that runs.

A parameter is named so in a message of the library: with ``=True`` where it is switched on, with ``=...`` where a value is given.
"""

from __future__ import annotations

import re
from typing import Any

import click

_PARAMETER = re.compile(r"\b([a-z]+(?:_[a-z]+)*)=(?:True|\.\.\.)")
#: The entries of a summary that speak to people.
_MESSAGES = ("warnings", "problems")


def as_options(text: str, command: click.Command | None = None) -> str:
    """A message of the library as the command line says it; ``command`` is the one that runs where not given."""
    if command is None:
        context = click.get_current_context(silent=True)
        command = context.command if context is not None else None
    options = {option.name: max(option.opts, key=len) for option in (command.params if command else ()) if isinstance(option, click.Option)}
    return _PARAMETER.sub(lambda found: options.get(found[1], f"--{found[1].replace('_', '-')}"), text)


def messages_as_options(summary: Any) -> Any:
    """A summary whose messages, at any depth, are as the command line says them."""
    if isinstance(summary, list):
        return [messages_as_options(entry) for entry in summary]
    if not isinstance(summary, dict):
        return summary
    return {
        name: [as_options(text) if isinstance(text, str) else text for text in value]
        if name in _MESSAGES and isinstance(value, list)
        else messages_as_options(value)
        for name, value in summary.items()
    }
