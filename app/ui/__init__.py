"""The page: Streamlit, drawn by streamlit_app.py, started by `nightdesk ui` (app/cli/ui.py).

It talks to the API through app.client and keeps its state only as ids in the URL (?tab=, ?view=, ?thread=, ?proposal=, ?run=,
?trip=, ?event=), so a reload, a second browser or a restart of the API restores the same view. All text from models or the
outside passes app.ui.safe.

    page_client.py  the API for the person of this browser: cookie -> client; every refusal one Trouble
    safe.py     escapes outside text; links.py: our own URLs; figures.py: formats of numbers and times
    login.py    shown without a session
    head.py     the strip on every tab: paper or live, bars, model, desk time, worker; halt.py: HALT and release
    side.py     role, threads, who decides; first.py: the first panel and the data pull
    chat.py     a thread; turn.py: a running turn; answer.py: a finished one
    proposals.py, card.py     proposals; versions.py: configuration versions and rollback
    desk.py     sleeves, guardrails, curves; journal.py, runs.py, alerts.py, handover.py: its other views
    charts.py   plotly figures
"""
