"""Pages of docs/ that the program itself shows, as links: a checkout reads docs/, a wheel carries copies (pyproject.toml).

Read by tools/alerts.py, tools/exposure.py and app/api/alerts.py.
"""

from pathlib import Path

RUNBOOK_PAGES = Path(__file__).with_name("runbooks")
GLOSSARY = Path(__file__).with_name("glossary.md")
