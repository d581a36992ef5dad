"""What stands behind ``crm_engine.funnel``."""
