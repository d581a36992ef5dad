"""The contact base: a directory that takes in exports again and again, and never loses what it was told.

::

    base = crm.Base.create("base")
    run = base.import_contacts("exports/*.csv", source_name="erp")
    base.find({"phone": "8 912 345-67-89"})
    base.undo(run.run_id)
"""

from crm_engine.base.base import Base
from crm_engine.base.runs import Run

__all__ = ["Base", "Run"]
