"""The page people live in: Streamlit, shown by streamlit_app.py, started by `nightdesk ui` (app/cli/ui.py).

It talks to the API through app.client and holds nothing itself but ids in the address (?tab=, ?view=, ?thread=, ?proposal=,
?run=, ?trip=, ?event=), so a reload, a second browser or a restart of the API finds everything where it was. Every text that
a model or the outside wrote leaves through app.ui.safe.

    page_client.py  the API for the person of this browser: cookie -> client; every refusal one Trouble
    safe.py     the exit of foreign text; links.py: our own addresses; figures.py: numbers and times as people read them
    login.py    what is shown without a session
    head.py     the strip on every tab: paper or live, which bars, model, desk time, worker; halt.py: HALT and release
    side.py     role, threads, who decides here; first.py: the first panel and the pull of data
    chat.py     a thread; turn.py: a turn while it runs; answer.py: a finished one
    proposals.py, card.py     what waits for a person; versions.py: configuration versions and rollback
    desk.py     sleeves, guardrails, curves; journal.py, runs.py, alerts.py, handover.py: its other views
    charts.py   plotly figures
"""
