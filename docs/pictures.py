"""Makes the pictures of the docs from the demo data, each by the command that the docs show.

    python docs/pictures.py

Writes ``docs/pictures/*.png``; needs the extra ``report``.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from crm_engine.cli import run

PICTURES = Path(__file__).parent / "pictures"

STEPS = """\
contact: customer_no
time: occurred_at
window: 180 days
name: from a talk to a quote request
steps:
- {name: any contact, where: kind is not null}
- {name: they answer, where: "outcome in ('answered', 'follow-up', 'resolved')"}
- {name: meeting or visit, where: "kind in ('meeting', 'visit')"}
- {name: quote request, where: "kind = 'quote_request'"}
by: [channel]
"""
RETENTION = "events: [interactions, orders]\nperiod: quarter\nstart: \"table = 'interactions' and direction = 'in'\"\n"
PIPELINE = "by: [owner]\ncohort: quarter\nforecast: {every: month, periods: 6}\n"

COMMANDS = {
    "pipeline": ["funnel", "{demo}/deals.csv", "{demo}/deal_stages.csv", "--config", "{demo}/pipeline.yaml"],
    "events": ["funnel", "{demo}/interactions.parquet", "--config", "{demo}/steps.yaml"],
    "retention": ["funnel", "{demo}", "--retention", "--config", "{demo}/retention.yaml"],
    "plan": ["plan", "{demo}/plans.csv"],
    **{
        name: ["analyze", name, "{demo}"]
        for name in ("channels", "owners", "churn", "value", "levels", "service", "campaigns", "readiness", "reminders")
    },
}


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(folder) / "exports"
        command("demo", "-o", str(demo), "--rows", "10000", "-q")
        (demo / "steps.yaml").write_text(STEPS, "utf-8")
        (demo / "retention.yaml").write_text(RETENTION, "utf-8")
        (demo / "pipeline.yaml").write_text(PIPELINE, "utf-8")
        for name, arguments in COMMANDS.items():
            command(*(part.format(demo=demo) for part in arguments), "-q", "-o", str(PICTURES / f"{name}.png"))


def command(*arguments: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        code = run(list(arguments))
    if code:
        raise SystemExit(f"crm-engine {' '.join(arguments)}: exit code {code}")


if __name__ == "__main__":
    main()
