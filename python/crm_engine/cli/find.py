"""``crm-engine find``: contacts by what is known of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.base_options import base_option, opened
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

#: Columns that say the least of a contact.
_DIM = (
    "contact_id", "n_records", "source", "source_key", "contact_type", "created_at", "updated_at", "full_name", "family_name",
    "given_name", "middle_name",
)  # fmt: skip
#: What is rather another contact.
_IMPROBABLE = 0.01


@click.command("find", short_help="Find contacts by phone, e-mail, name or anything else.")
@click.argument("record", required=False, metavar="[JSON]")
@base_option
@click.option("--phone", metavar="TEXT")
@click.option("--email", metavar="TEXT")
@click.option("--name", metavar="TEXT", help="A person's full name, in any order and spelling.")
@click.option("--company", metavar="TEXT")
@click.option("--tax-id", metavar="TEXT")
@click.option("--by", "more", multiple=True, metavar="ROLE=VALUE", help="Any other role, such as city=Riga; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="At most so many contacts.")
@click.option("--unlikely", is_flag=True, help="Also contacts that share something with what is asked, but hardly fit.")
@terminal_options
def command(
    terminal: Terminal, record: str | None, path: Path, more: tuple[str, ...], limit: int, unlikely: bool, **given: str | None
) -> None:
    """Find the contacts in BASE that fit, the best first, with the reason. What is asked for may be a JSON object of roles and values.

    Contacts that something speaks against and that are below 1 % are counted, and shown with --unlikely.

    \b
      crm-engine find --base base/ --phone "8 912 345-67-89"
      crm-engine find --base base/ --name "Anna Ozola" --by city=Riga
      crm-engine find --base base/ '{"email": "anna@inbox.lv", "birth_date": "1980-05-17"}'
    """
    wanted: dict[str, Any] = {}
    if record is not None:
        try:
            wanted = json.loads(record)
        except ValueError:
            raise click.UsageError('the record to find is no JSON; write \'{"phone": "..."}\', or use --phone, --email, --name') from None
        if not isinstance(wanted, dict):
            raise click.UsageError("the record to find must be a JSON object of roles and values")
    for pair in more:
        role, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"--by takes ROLE=VALUE, and '{pair}' has no '='")
        wanted[role] = value
    wanted |= {role: value for role, value in given.items() if value is not None}
    with opened(path) as base:
        found = base.find(wanted, limit)
    shown = found if unlikely else [contact for contact in found if not _hardly_fits(contact)]
    left = len(found) - len(shown)
    summary = {"found": len(shown), "unlikely": left, "contacts": shown}
    terminal.result(summary, lambda console: _show(console, shown, left))


def _hardly_fits(contact: dict[str, Any]) -> bool:
    """Whether something speaks against a contact that is improbable as well: what was asked shares a name with it, and no more.

    Improbable alone says little: in a large base a common name is, and yet all that was asked.
    """
    probability = contact["match_probability"]
    return probability is not None and probability < _IMPROBABLE and any(one["weight"] < 0 for one in contact["comparisons"])


def _show(console: Console, found: list[dict[str, Any]], left: int) -> None:
    from rich.text import Text

    if not found:
        console.print("no contact fits")
    if left:
        console.print(f"{left:,} share something with what is asked, but hardly fit (--unlikely shows them)")
    for place, contact in enumerate(found, 1):
        golden = contact["contact"]
        name = golden.get("full_name") or golden.get("company_name") or ""
        console.print(Text.assemble(f"{place}. ", (str(contact["contact_id"]), "bold"), f"  {name}  ", _likely(contact)))
        console.print(Text(f"   because: {contact['reason'] or 'nothing speaks for it'}"))
        told = [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in golden.items() if value and name not in _DIM]
        console.print(Text("   " + " · ".join(told), style="dim"))


def _likely(contact: dict[str, Any]) -> str:
    """How sure it is, in words that a small share does not make look like a fault."""
    probability = contact["match_probability"]
    if probability is None:
        return ""
    return "unlikely, below 1 %" if probability < _IMPROBABLE else f"{probability:.0%}"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
