"""Funnels: deals through a pipeline's stages, and contacts through ordered steps.

::

    funnel = crm.pipeline_funnel("deals.csv", "deal_stages.csv", {"by": ["owner", "month"]})
    funnel.stages, funnel.losses, funnel.summary["win_rate"]

    funnel = crm.event_funnel("events.parquet", {
        "contact": "contact_id", "time": "occurred_at", "window": "7 days",
        "steps": [{"name": "visit", "where": "kind = 'visit'"}, {"name": "order", "where": "kind = 'order' and amount > 0"}],
    })
    funnel.steps, funnel.stopped_at(1)

    crm.funnel("demo/exports", {"by": ["owner"]})       # either of them over a folder, a base, or tables by name
    crm.retention("events.parquet", {"period": "month"})

The meaning of every number is in ``docs/funnels.md``.
"""

from __future__ import annotations

from crm_engine.funnels.events import EventFunnel, event_funnel
from crm_engine.funnels.over_tables import funnel
from crm_engine.funnels.pipeline import PipelineFunnel, pipeline_funnel
from crm_engine.funnels.retention import retention

__all__ = ["EventFunnel", "PipelineFunnel", "event_funnel", "funnel", "pipeline_funnel", "retention"]
