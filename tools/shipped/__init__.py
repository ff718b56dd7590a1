"""Pages of docs/ that the program itself shows, as links: a checkout reads docs/, a wheel carries copies (pyproject.toml).

Read by tools/alerts.py, tools/checklists.py, tools/exposure.py, app/api/alerts.py and app/people/checklists.py.
"""

from pathlib import Path

RUNBOOK_PAGES = Path(__file__).with_name("runbooks")
GLOSSARY = Path(__file__).with_name("glossary.md")
