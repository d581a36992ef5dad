"""What stands behind ``crm_engine.analyze``: one module per family of questions."""
