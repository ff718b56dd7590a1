"""The desk over HTTP: started by `nightdesk up` and `nightdesk api`, used by app/client.py for the page and for programs.

One process beside the worker. It reads the database, the journals' ends and the files of the home; agents' turns run in its
worker threads; nothing here trades. `app.api.factory.create(home)` makes the FastAPI application; /openapi.json describes the
same, model by model (app/api/models*.py). Default address 127.0.0.1:8420, the page's 127.0.0.1:8421
([api] port, [ui] port in desk.toml; NIGHTDESK_API_PORT, NIGHTDESK_UI_PORT).

Conventions: times are UTC ms (`*_ms`); undefined values are null; lists are {"items": [...]}; bodies are JSON; an error is
{"error": {"kind", "what", "hint"}}, with 400 BadInput, 401 NoSession, 403 Refused (authority, Origin), 404 BadInput for an
unknown id, 409 Busy or Refused (state, stale, halted), 413 and 415 for a body, 422 BadInput for a body of the wrong shape,
503 DataError, 500 Bug (one line, never a traceback).

Session: every route but /api/health, /api/login and /api/slack/* needs the cookie `nightdesk_<API port>` (HttpOnly,
SameSite=Strict, Path=/; a page on another port of the same host reads it server-side in st.context.cookies) or
`Authorization: Bearer <the same value>`. Without one: 401. app.client.Client(url, session) passes it on.

  GET    /api/health            {"ok", "name", "version"}                                                       no session
  GET    /api/login?code=       one-time link: sets the cookie, 303 to the page                                 no session
  GET    /api/session           {"name", "assurance": claimed|session, "scope": all|read, "expires_ms", "proof_needed",
                        "passphrase_needed", "role"}    proof_needed: people.toml has entries and this session is unproven;
                        role: viewer|operator|approver|admin, what they may do: app/people/authority.py; "refused": {act: who may}
  POST   /api/session           {"name", "token"?} -> the same: who decides from here on (token: once people.toml has entries)
  DELETE /api/session           {"ok"}: logged out
  GET    /api/people            {"items": [{"name", "role"}], "acts": [{"act", "least", "about"}], "two_people"}

  GET    /api/desk              {"mode": paper|shadow|testnet|live, "stamp": the same in capitals|"REPLAYED"|null,
                        "source": recorded|pulled|synthetic|live|null,
                        "walks" (a sentence), "desk_ms", "event", "state": running|flattening|halted..., "halt": Latch,
                        "worker": {"running", "pid", "phase", "note", "beat_ms", "bars_per_second", "replay_until_ms"},
                        "equity", "peak", "drawdown_frac" (from the highest equity ever), "breaker_peak", "breaker_drawdown_frac"
                        (from where the drawdown breaker measures), "release_effect" (a sentence, while halted),
                        "gross", "gross_frac", "breakers": [..], "bars", "version", "incident", "orphan_pnl", "windows",
                        "entries_blocked",
                        "active_version", "limits": {drawdown_frac_max, gross_frac_max, ...},
                        "guards": [{"name", "value", "limit", "used_frac", "unit", "until_ms"}], "model": Model,
                        "checks": [{"name", "state": ok|warning|bad|unknown, "text", "event"}], "pending": n proposals,
                        "watches_asked": n,
                        "running_turns", "live_jobs", "now_ms"}
         Latch                  {"halted", "reason", "by", "since_ms", "where": [file, database], "unreadable"}
  GET /api/desk/equity?points=500&since_ms=&sleeve= {"close_ms": [..], "equity": [..], "drawdown_frac": [..],
                        "strategy": equity without incident windows} of the desk's marks, or of one sleeve in them
  GET    /api/desk/trips?sleeve=&limit=500           {"subject", "items": [Trip, newest entry first], "total"}
  GET    /api/desk/trips/{t}                         as /api/runs/{id}/trips/{t}, with the ids of the journal's events
  GET    /api/desk/periods?unit=day|week|month&sleeve=&limit=90      {"unit", "sleeve", "items": [{"from_ms", "until_ms",
                        "realised", "unrealised", "fees", "funding", "slippage", "net" = realised + unrealised
                        = "incident" + "strategy"}]}
  GET    /api/desk/lately?sleeve=                    {"today", "d7", "d30", "start": {"from_ms", "net", "r", "trips",
                        "incident", "strategy"}|null}
  GET    /api/desk/lately/sleeves                    {"items": [{"sleeve": name|null, ...}]}, the desk first
  GET    /api/desk/benchmark?points=500              {"instruments", "close_ms", "equity", "return_frac", "assumptions"}
  GET    /api/desk/exposure     {"desk_ms", "event", "equity", "gross", "correlated" (weighted by the day's correlations),
                        "alike_frac" (correlated over gross: 1 is one bet), "sleeves", "instruments", "strategies": [{"name",
                        "side", "exposure", "equity_frac"}], "pairs": [{"one", "other", "correlation", "exposure", "reads":
                        same bet|hedge|apart|not known|not held}], "limits", "correlation_days": the days they are of}
  GET    /api/desk/shock?move_frac=0.1   {"items": [{"move_frac", "gap": it opens there, "before", "after", "drawdown_frac",
                        "halts", "sleeves": [{"sleeve", "instrument", "before", "after", "held", "left", "exits"}]}]}: falls
                        first, then rises
  GET    /api/desk/breakdown?sleeve=                 Breakdown = {"subject", "trips", "open_trips", "net", "splits": {exit, side,
                        hour, weekday, month, symbol, sleeve, version: [{"key", "trips", "wins", "win_frac", "net", ...}]},
                        "worst", "best": [Trip], "drawdowns", "months", "r_histogram", "durations", "excursions": MAE and
                        MFE, "benchmark", "why": {what is missing: reason}}
  GET    /api/desk/candles?sleeve=&from_ms=&until_ms=    Chart = {"mark", "subject", "sleeve", "clock_ms", "instrument", "source",
                        "timeframe", "from_ms", "until_ms", "tick", "bars": {"first_ms", "step_ms", "count", "unit", "text"}
                        (packed, see app/views/candle_bars.py), "lines": features on the price, "trips": columns, "levels",
                        "bands": entries refused or paused, "breakers", "held": the open position, "notes": what is left out};
                        by default the last year; nothing later than the desk's clock
  GET    /api/markets/candles?instrument=binance:BTC-USDT:perp&timeframe=15m&from_ms=&until_ms=    Chart of bars alone
  GET    /api/sleeves           {"items": [Sleeve], "version", "desk_ms"}
         Sleeve                 {"name", "strategy", "venue", "symbol", "market", "timeframe", "side", "cash_start", "params",
                        "paused", "stage", "stage_reached", "equity", "cash", "fees", "funding", "slippage", "trips", "version",
                        "waiting_version", "position": {"side", "lots", "quantity", "opened_ms", "notional", "layers":
                        [{"lots", "entry", "protective", "protective_kind", "protective_state", "target", "due",
                        "covered": a working order ends it, "exit_state" once due, "stop_at" and "stop_lots" while the venue
                        refuses to move it}]}|null, "order": {"side", "lots"}|null, "blocked_until_ms", "shut_until_ms",
                        "paused_until_ms", "resumes_ms": end of a pause by people}
  GET    /api/sleeves/{name}    SleevePage = {"position": {"unrealised", "r", "notional", "leverage", "stop", "target",
                        "liquidation": {"price", "away_frac"}, ...}|null, "closes": [{"what", "closes", "blocked"}] of the last
                        "closes_ms", "params": [{"key", "value", "low", "high", "about", "version" that set it, ...}],
                        "versions": [{"version", "made_by", "changes": [{"key", "old", "value"}], ...}], "version",
                        "runs_version", "drift": [{"one", "other", "difference_usd", "causes", "verdict", "since_ms", ...}]}
  GET    /api/sleeves/{name}/trips                   {"columns", "rows"}: the sleeve's trips for a table, newest first
  GET    /api/journal?journal=desk|people&kinds=fill,halt&sleeve=&text=&since_ms=&until_ms=&cursor=&limit=50
                        {"items": [Event], "next": cursor|null}            newest first; `next` goes further back
         Event                  {"id", "seq", "kind", "t_event_ms", "t_recv_ms", "config_version", "run_id", "cause_id",
                        "writer", "body", "told" (one line), "routine" (things go on)}
  GET    /api/incidents?limit=50    {"items": [Window, newest first], "total", "pnl": {"whole", "incident", "strategy",
                        "sleeves": {name: the same}}|null}
  GET    /api/incidents/{w}     Window = {"id", "state": open|closed, "opened_ms", "closed_ms", "cause", "causes", "opened_by",
                        "closed_by", "lesson", "sleeves", "instruments", "pnl", "realised", "fees", "funding", "orphans", ...}
                        with "orders", "runbooks" and "lasting": what keeps it from being closed
  GET    /api/reconcile         {"differences": [{"what", "text", "instrument", "choices": [{"choice", "does"}], ...}],
                        "entries_blocked", "blocked": {what: why}, "orphans", "dust", "windows"}
  GET    /api/shadow            {"items": [{"sleeve", "orders", "refused", "compared", "assumed_bps", "book_bps", ..}]}
  GET    /api/account           {"name": null on paper, "mode", "venue", "instruments", "beat_ms", "pulse": {"streams": [{"name",
                        "open_ms", "alive_ms", "connections"}], "polls": [{"instrument", "read_ms", "failures", "waiting"}],
                        "compared_ms", "clock_offset_ms"}|null, "gate": {"open", "t_ms", "rows"}|null, "spells": [{"what",
                        "why", "since_ms", "over_ms": null while it lasts}], "latency": [{"what": placed|moved|cancelled|executed,
                        "count", "median_ms", "p95_ms", "worst_ms", "slowest"}], "probes": [{"instrument", "kind", "ok", "legs"}]}
  GET    /api/account/stages    {"items": [{"sleeve", "stage", "next", "lacking"}]}, judged without a home before this one
  GET    /api/orders?sleeve=&open=false&limit=50    {"items": [Order, open ones first, then the newest of seven days]}
  GET    /api/orders/{cid}      Order = {"cid", "venue_id", "sleeve", "leg", "layer", "slot", "side", "lots", "filled_lots",
                        "state", "open", "states": [{"state", "t_ms", "why", ...}], "fills": [{"trade", "lots", ...}], ...}
  GET    /api/journal/{id}      {"event": Event, "before": [Event], "followed": [Event]}           d-123, p-7

  GET    /api/runs?limit=20     {"items": [{"id", "created_ms", "strategy", "symbol", "timeframe", "state", "source",
                        "total_return_frac", "sharpe", "max_drawdown_frac", "trades"}]}
  GET    /api/runs/{id}         run.json as it is stored (keys of `backtest --json`)
  GET    /api/runs/{id}/report  text/html under a sandbox policy
  GET    /api/runs/{id}/equity?points=1000           {"run_id", "close_ms", "equity", "optimistic", "drawdown_frac",
                        "life" (how long it traded), "stopped_ms", "beyond" (what the desk has not lived yet), "behind"}
  GET    /api/runs/{id}/trips?limit=500, /api/runs/{id}/breakdown    as /api/desk/trips and /api/desk/breakdown
  GET    /api/runs/{id}/candles?sleeve=&from_ms=&until_ms=    Chart, by default of the whole run and its first sleeve
  GET    /api/runs/{id}/trips/{t}                    {"text", "trip": {...}}            behind a link like run/t12

  GET    /api/proposals?state=pending&limit=50       {"items": [Card]}
  GET /api/proposals/{id} Card = {"id", "kind", "sleeve", "base_version", "parts": [{"sleeve",
                        "from_version", "to_version", "changes"}] (each sleeve's own versions), "diff": {"changes":
                        [{"key", "old", "value", "low", "high", "unit"}], ...} (with "choices" where a word is chosen),
                        "diff_sha256", "direction": tightens|loosens|neutral|unknown, "verdict" (it in words), "exposure":
                        {"before", "after", "keys", "why"}, "rationale", "evidence": [..], "evidence_runs": {role: {"run_id",
                        "metrics", "source", "bars", "first_ms", "last_ms"}|{"run_id", "error"}}, "told_apart", "warnings",
                        "rows": [{"label", "cells": [..], "kind"}] (the facts every screen shows), "requester",
                        "created_ms", "expires_ms", "expires_in_s", "state", "state_reason", "decided_by", "decided_ms",
                        "applied_version", "rollback_of", "journal_id",
                        "runs_now": {"version", "outcome": "runs"|"rolled back"|"replaced"|"not applied", "text"}|null,
                        "adoption": {"active_version", "desk_version", "adopted", "waiting": [sleeve], "event",
                        "follows": text}|null}
  POST   /api/proposals         {"sleeve", "changes": [{"key", "value"}], "rationale", "ends": of a pause alone, 24h or monday
                        06:00Z, at most 90 days of desk time}: a person's own, by the tools that roles propose with ->
                        {"state": "made", "proposal": Card} or 202 {"state": "evidence", "jobs", "progress"} while the runs
                        that are its evidence go on: send the same again, or leave it: it is made once they are done
  GET    /api/proposing         {"items": [the same and "since_ms"]}: one's own whose evidence runs
  POST   /api/proposals/{id}/approve   {"diff_sha256"} (the whole one that was shown) -> Decision
  POST   /api/proposals/{id}/reject    {"reason"}                                     -> Decision
  POST   /api/proposals/{id}/refresh   {} -> Card: the change of a stale or expired proposal, proposed again on today's base
  GET    /api/proposals/rollback?target=3&sleeve=   {"target", "sleeve", "diff", "diff_sha256", "direction", "verdict", "rows"}:
                        what it would change, against what runs; nothing is stored
  POST   /api/proposals/rollback       {"target": "3"|"v3"|"prop-2", "sleeve": "", "diff_sha256": ""} -> Decision
         Decision {"proposal", "state", "version", "sleeves": {name: version}, "direction",
                        "actor": {"name", "assurance", "os_user", "channel"}, "journal_id"}
  GET /api/versions?limit=20 {"items": [{"version", "sleeves": {name: version}, "created_ms", "made_by",
                        "reason", "proposal_id", "rollback_of", "active"}]}

  GET    /api/roles             {"items": [{"name", "about", "tools": [..], "examples": [..]}]}
  GET    /api/threads?role=&text=&limit=50   {"items": [{"id", "role", "person", "created_ms", "touched_ms", "turns", "title",
                        "name", "running": turn id|null}]}
  POST   /api/threads/{id}/name {"name"} -> {"id", "name", "hidden"}; DELETE /api/threads/{id}: off the list, kept otherwise
  POST   /api/threads           {"role"} -> 201 {"id", "role", ...}
  GET    /api/threads/{id}      {"id", "role", "person", "created_ms", "turns": [Turn, oldest first], "jobs": [Job],
                        "owed": [{"id", "turn", "tool", "jobs"}]: turns `id` that code will post when those jobs end}
  POST   /api/turns             {"role", "text", "thread": id|"new"|"last"|null} -> 202 {"turn", "thread", "role"}; 409 Busy while
                        the thread's turn runs; "/halt REASON" latches before anything else
  GET    /api/turns/{id}        Turn = {"id", "thread", "role", "state": running|done|failed|cancelled, "text", "model",
                        "answer": {answer_md, state_line, acts_line, facts, struck, unchecked, tool_calls, jobs, ..}|null,
                        "created_ms", "ended_ms", "last_n", "progress": {"id", "tool", "share"}|null, "posts": null|as in
                        `owed`, for a turn posted by code: the answer to an earlier question. `state` is `owed` until then}
  GET    /api/turns/{id}/events?after=0    text/event-stream. Each stored event once, in order: `id: <n>`, `event: <kind>`, `data:
                        {"n", "kind", ...}`; kinds begun {.., privacy}, understood {text}, tool_started {id, tool, args},
                        tool_finished {id, tool, status, job}, sentence {text: checked, may hold references to ids},
                        retrying {text, attempt: n of the failed attempt, 0 while waiting; sentences since the last other
                        event are void}, notice {text, fallback: the offline model answers instead},
                        answer {keys of `chat --json`}, interrupted; without an id (not stored):
                        tool_progress {id, tool, share}; last `event: end`, `data: {"state"}`. Last-Event-ID re-attaches.
  GET    /api/turns/{id}/events.json?after=0         {"items": [..], "state"}           the same without a stream
  POST   /api/turns/{id}/cancel        {} -> Turn (its jobs are cancelled too; an ended turn is unchanged)

  GET    /api/jobs?live=true&limit=50  {"items": [Job]}
  GET    /api/jobs/{id}         Job = {"id", "kind", "args", "state": queued|running|done|failed|cancelled, "progress" 0..1,
                        "thread", "turn", "person", "run_id", "error", "created_ms", "started_ms", "ended_ms", "result",
                        "partly": {"text", "columns", "rows"}|null of a search that has not ended well}
  POST   /api/jobs/{id}/cancel  {} -> Job
  GET    /api/research?limit=20, /api/research/{id}    sweeps, walk-forwards, judgements, parity, drills, look-ahead checks: a
                        line each; one as {"title", "verdict", "look", "tiles", "tables", "heat", "notes", ...}
  GET    /api/outside           {"items": [{"name", "what", "unit", "source", "symbol", "last_ms", "age_hours", "max_age_hours",
                        "fresh", "scheduled", "why", "warnings"}]}: outside series that were ever asked for, stale ones first
  GET    /api/trained-models    {"items": [{"name", "version", "state", "sleeves", "target", "instrument", "timeframe", "figure",
                        "value", "low", "high", "baseline", "baseline_value", "folds": [worst, median, best], "baselines": [..],
                        "shadow_of", "shadow_days", "promotable", "gates", "error", "drift", "moved"}]}: models trained on bars
  GET    /api/halt              Latch
  GET    /api/halt/progress     {"state": KILLED|KILL_INCOMPLETE|null, "left": [..], "steps": [{"what": cancelled|closed, "order",
                        "lots", "price", ...}], "tries_until_ms", "tried", "makers": [{"name", "stopped", "ended"}]}: what it did
  POST   /api/halt              {"reason"?} -> Latch (the file is written before the answer; any session that is not read-only)
  DELETE /api/halt              {"reason", "passphrase"?} -> {"released": Latch, "actor"}; 409 with what is unhealthy
  GET    /api/alerts?open=true&limit=100   {"items": [Alert], "reason": null|why alerts may be missing, "undelivered":
                        messages of the last day that did not arrive, "ways": where messages go}
  POST   /api/notify/test       {} -> 202 {"subject", "items": [{"sink", "state": sent|waiting|failed, "error"}]}
         Alert = {"id", "kind", "severity": page|warn|note, "state": open|resolved, "what", "place", "action", "runbook",
                        "event", "numbers": {..}, "since_ms", "opened_ms", "seen_ms", "resolved_ms", "repeats", "escalations",
                        "acked_by": actor|null, "acked_ms", "deliveries": [{"step", "sink", "state":
                        waiting|sending|sent|failed|dropped, "attempts", "sent_ms", "error"}]}
  POST   /api/alerts/{id}/ack   {} -> the alert: acknowledged, it is not sent again
  GET    /api/watches           {"items": [{"id", "metric": price|day_pnl|equity, "subject", "beyond": below|above, "level",
                        "state": asked|active|removed, "text", "value" at "desk_ms" (null: not known), "passed",
                        "rearms": when a passed one is over, "asked_by", "decided_by"}]}
  POST   /api/watches           {"metric", "subject", "beyond", "level"} -> 201 the watch, in force
  POST   /api/watches/{id}/confirm, /api/watches/{id}/remove   {} -> the watch: what a chat asked for is put in force, or ended
  GET    /api/checklists?about=al-3&open=true    {"items": [Checklist = {"id", "runbook", "title", "about", "state":
                        open|finished|ended, "by", "begun_ms", "begun_event", "ended_by", "ended_ms", "ended_why", "current": n of
                        its step|null, "steps": [{"number", "text", "checks": [..], "origin": of which lesson, "state":
                        open|done|refused|cannot say, "words", "by", "t_ms", "event", "events", "readings": [{"check", "says":
                        yes|no|cannot say, "text", "event"}]}]}]}
  POST   /api/checklists        {"runbook": "" for the alert's own, "about"} -> 201 Checklist
  POST   /api/checklists/{id}/look {} | /done {"step", "evidence"} | /refuse {"step", "reason"} | /end {"reason"} -> Checklist;
                        409 where a check does not say yes, or the step is not the current one
  GET    /api/runbooks/{name}   {"name", "text": markdown}: the page that an alert's `runbook` names
  GET    /api/handovers?limit=7 {"items": [{"day", "created_ms", "text", "body", "deliveries"}], "at": "06:00" UTC}
  GET /api/model Model = {"name", "api_format", "offline", "host": null|"api.openai.com", "privacy" (a sentence to show before
                        the first call), "sends": [..]}
  GET /api/data {"items": [{"venue", "symbol", "market", "series", "tag", "source", "rows", "first_ms", "last_ms"}],
                        "unknown": [file names], "source", "walks", "empty": only synthetic bars}
  POST /api/data/pull {"venues"?: ["binance", "okx", "bybit"], "symbols"?, "timeframe"?: "15m", "days"?: 730} -> 202 Job;
                        if one venue refuses, the next is tried; Job.result = {"venue", "refused": [{"venue", "why"}], "files"}
  GET    /metrics               Prometheus text (a read-only token: nightdesk token --read-only)
  POST   /api/slack/events     Slack's signed requests (form body, no session): app.slack.signed_http.handle
"""
