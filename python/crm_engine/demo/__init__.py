"""A realistic small business to try crm_engine on: four overlapping exports of contacts, and what belongs to them."""

from crm_engine.demo.write import DemoSummary, write_demo

__all__ = ["DemoSummary", "write_demo"]
