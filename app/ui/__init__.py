"""The page: Streamlit, drawn by streamlit_app.py, started by `nightdesk ui` (app/cli/ui.py).

It talks to the API through app.client and keeps its state only as ids in the URL (?tab=, ?view=, ?thread=, ?proposal=, ?run=,
?trip=, ?event=, ?order=, ?window=), so a reload, a second browser or a restart of the API restores the same view. All text
from models or the outside passes app.ui.safe.

    page_client.py  the API for the person of this browser: cookie -> client; every refusal one Trouble
    safe.py     escapes outside text; links.py: our own URLs; figures.py: formats of numbers and times
    rights.py   buttons that know who may press them
    login.py    shown without a session
    head.py     the row on every tab: paper or live, bars, worker, desk time, what waits, model; halt.py: HALT and release;
                account.py: who decides; strips.py: what is wrong, below it; catcher.py: links that stay, a dead page
    parts.py    HTML of panels, tables, figures, lists; tokens.py, sheet.css: their look
    chat.py     a thread; side.py: role and threads; asking.py: a question; turn.py: a running turn; answer.py: a finished one;
                reading.py: its text in the order people read it, narrow.py: its tables on a phone; first.py: the first panel
                and the data pull
    desk.py     overview.py (urgent.py, money.py), venue_account.py, journal.py, alerts.py, handover.py, people.py
    orders.py   orders as they lived, for venue_account.py and journal.py
    incidents.py  differences and incident windows; incident.py: one of them
    runs.py     run.py, run_form.py, run_compare.py, jobs.py; inputs.py: trained models and outside series; audit.py
    proposals.py, card.py     proposals; versions.py: configuration versions and rollback
    sleeves.py  every sleeve; sleeve.py: one; sleeve_settings.py: its settings and a person's proposals
    market.py   candles with the trips of a sleeve or a run; trip_panel.py: one of them explained
    garbage.py  what garbage collections leave out
    drawn.py    charts and long tables in the browser; charts.py: curves of runs; candles/: the candle chart
"""
