"""The prompts of the advisors and the page of the report (Jinja2)."""
