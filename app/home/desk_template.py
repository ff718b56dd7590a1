"""The desk.toml of a new home, comments included. Called by app.home.home; turns a venue into the file's text."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.clock import TIMEFRAMES
from engine.control.limits import HardLimits

CASH = 10_000.0  # quote units a sleeve


class Start(NamedTuple):
    """A sleeve of a new desk."""

    name: str
    strategy: str
    symbol: str


SLEEVES = (
    Start("btc-trend", "trend", "BTC-USDT"),
    Start("eth-trend", "trend", "ETH-USDT"),
    Start("sol-reversion", "reversion", "SOL-USDT"),
)
TIMEFRAME = "15m"

HEAD = """\
# Nightdesk: the settings of this desk. Written at its first start; edit it with the desk stopped.
#
# Times are UTC, money is in the quote currency (USDT), a name that ends in _frac is a fraction (0.02 is 2 %).
# A mistake in this file is reported with its line, and nothing starts. Data folder, home and database come from the
# environment: NIGHTDESK_DATA (a folder of recorded bars), NIGHTDESK_HOME, NIGHTDESK_DATABASE_URL.
#
# {feed}

# ---- Sleeves: one strategy on one instrument with its own cash, all on paper ----------------------------------------
# They become configuration version 1 at the worker's first start or the first approval; edit them until then. After that a
# change is a proposal that a person approves (`nightdesk proposals`), every version of every sleeve is kept, and a start says
# where this file differs. `nightdesk backtest --help` and the README list strategies
# and their parameters; a parameter that params leaves out keeps its default.
#
#   side    both | long | short      sides that entries may take
#   market  perp | spot              timeframe  {timeframes}
#   sleeves may have different timeframes: the desk's clock is the smallest, each sleeve decides at its own closes
#   execution  twap:6 | vwap:6 | ac:6:2   market entries are worked in 5 to 10 slices on finer bars (15m, 5m or 1m, recorded
#   or pulled), which become the desk's clock; without it an entry goes whole. A home keeps the clock that it began with
#   stage   draft | paper | retired  draft and retired enter nothing
#   legs    ["BTC-USDT", "ETH-USDT"] of a basket (strategy pairs), in the place of symbol; it is the only sleeve of its home
#   models  "vol-btc=1.2.0"          versions of stored models that its strategy reads; without it the latest (docs/models.md)
#   account NAME of [accounts.NAME]  where the sleeve is meant to trade; without it, and until its stage says so, on paper
#   params  {{ stop_atr = 2.0, leverage_max = 3.0 }}

"""

LIMITS = """
# ---- Hard limits: read at every start; no proposal, model or page can touch them ------------------------------------
# A sleeve's own parameters may be stricter, never looser: the stricter of the two applies. To change one, edit it here
# and restart; the journal records it.

[limits]
"""

REST = """
# ---- Instruments: your own figures, where the shipped lots, ticks and costs are wrong for your account ---------------
# Any of: lot_size and least_qty (base units), tick and least_notional (quote units), maintenance_frac, maker_frac (negative:
# a rebate), taker_frac, half_spread_frac, impact_y (slippage by the square-root law), source and dated (where and when read),
# fee_tier, contract_size, funding_hours (between settlements: 1, 2, 4 or 8), liquidation_fee_frac, tiers (margin tiers as the
# venue lists them: [[notional_max, rate], ...]; without them liquidation is judged by maintenance_frac alone), listed and
# delisted (days of the first and last trading: a search names the symbols that did not trade all through its span).
#
# [instruments."binance:BTC-USDT:perp"]
# taker_frac = 0.0004
# source = "my fee tier"
# tiers = [[50000, 0.004], [600000, 0.005], [3000000, 0.01]]

# ---- Paper replay: replay_days at full speed, then bars_per_second --------------------------------------------------

[worker]
replay_days = 30
bars_per_second = 1.0
funding = "recorded"             # recorded | none | assume=BPS (per 8 hours); a missing settlement refuses, it is not guessed
seed = 20250101                  # of the synthetic market, used when no recorded bars are given

# ---- Data: bars of files (recorded, pulled, synthetic), or live: closed bars of the venues' public streams as they close ----
# On live data a paper desk trades each bar as it closes and replays replay_days first; no key is needed. What is missing is read
# by REST. A desk that trades an account needs it. See docs/accounts.md.

[data]
source = "files"                 # files | live

# ---- Outside series, fetched by themselves: funding, open interest, macro, on-chain, sentiment. Off until named here --------
# `nightdesk data sources` lists series, groups and sources. Keys: GLASSNODE_API_KEY, COINALYZE_API_KEY. See docs/data.md.
#
# [outside]
# series = ["positioning", "vix", "fear-greed"]  # names or groups
# symbols = ["BTC-USDT"]
# sources = []                   # only these; empty: every source of a series

# ---- Models for the three roles. None is needed: without one the offline planner answers ----------------------------
# OPENAI_API_KEY (and OPENAI_BASE_URL) in the environment are enough to start. Never write a key here: key_env names the
# variable that holds it, and the key is sent to this base_url only. api_format: responses | chat | json (for models that
# fail at tool calls); `nightdesk doctor --model NAME` says which one works. The first model whose key is set answers, or
# the one that NIGHTDESK_MODEL names (NIGHTDESK_MODEL=offline: none). Without prices only tokens are counted.
#
# [models.local]
# base_url = "http://127.0.0.1:11434/v1"
# model = "qwen2.5-coder:7b"
# api_format = "json"
# key_env = ""
# context_tokens = 32000
# input_per_million = 0.0
# output_per_million = 0.0
# patience_s = 20.0              # timeout: fall back to the offline model after this many seconds of silence

# ---- Budgets of real models; above one the offline model answers. Days are UTC; dollars count where prices are known ----
#
# [budgets]
# turn_tokens = 400000
# person_tokens = 4000000
# day_tokens = 10000000
# turn_usd = 1.0
# person_usd = 10.0
# day_usd = 25.0

# ---- Accounts at a venue: `nightdesk account check NAME` says whether one is fit. This desk trades it with the line
# account = "main" at the top of this file, above the first [[sleeves]], and source = "live" under [data]; testnet: play money.
# The keys are in the variables named here, in the system's keyring (keyring = "NAME") or in a file that only you can read
# (key_file = "/path", outside this home). Never write a key here. Only the worker reads them. See docs/accounts.md.
#
# [accounts.main]
# venue = "okx"                  # okx | binance | bybit
# mode = "testnet"               # paper | shadow (watches, sends nothing) | testnet | live
# key_env = "OKX_KEY"
# secret_env = "OKX_SECRET"
# passphrase_env = "OKX_PASSPHRASE"  # OKX alone
# margin = "isolated"
# leverage = 3                   # as it is set at the venue for each instrument

# ---- Schedules, UTC: the morning handover (yesterday's P&L, fills, refusals, pending proposals) -----------------------

[schedules]
handover = "06:00"

# ---- Drift: other homes that trade the same sleeves in another mode, compared each day with this one and the backtest ---

# [drift]
# homes = ["../paper"]           # folders of homes; from this home's folder

# ---- Alerts: how often the desk is checked, and when a message is sent again or waits ---------------------------------

[alerts]
check_s = 3.0                    # seconds between health checks
verify_minutes = 60.0            # minutes between checks of both journals; once a day they are verified from end to end
escalate_minutes = 15.0          # an unacknowledged page is sent again after this
escalations_max = 4              # times it is sent again
quiet_from = "22:00"             # quiet hours, UTC: notes wait until quiet_to; pages and warnings never wait
quiet_to = "06:00"
digest_minutes = 0               # notes are gathered and come as one message in this time; 0: each alone

# ---- Slack: alerts, proposal cards, /halt. Off until configured here; tokens come from these variables, never from here --
#
# [slack]
# channel = "C0123ABCD"                        # the channel's id
# team = "T0123ABCD"                           # the workspace's id
# bot_token_env = "SLACK_BOT_TOKEN"            # xoxb-...; chat:write, commands
# app_token_env = "SLACK_APP_TOKEN"            # xapp-...; Socket Mode needs no open port
# signing_secret_env = "SLACK_SIGNING_SECRET"  # only for signed HTTP
# page_url = "http://127.0.0.1:8421/"          # where messages link to; without it where the page listens

# ---- Telegram, Discord, webhooks: the same messages there. Tokens come from these variables; try it: nightdesk notify test --
#
# [telegram]
# chat = "-1001234567890"                      # the chat's number; what tightens can be approved there
# token_env = "TELEGRAM_BOT_TOKEN"             # 123456:ABC..., of a bot that is in the chat
#
# [discord]
# webhook_env = "DISCORD_WEBHOOK"              # the channel's webhook; nobody decides there
#
# [webhooks.ops]
# url = "https://ops.example.org/nightdesk"    # signed: X-Nightdesk-Signature, see docs/reaching-people.md
# secret_env = "NIGHTDESK_WEBHOOK_SECRET"      # at least 16 characters

# ---- Where API and page listen: this machine alone. NIGHTDESK_API_PORT and NIGHTDESK_UI_PORT override the ports --------
#
# [api]
# port = 8420
# host = "127.0.0.1"             # another host only once people.toml has entries, and behind a TLS proxy
# names = []                     # more host names a browser may use for it
# processes = 1                  # more of them answer many people at once sooner; each takes 135 to 175 MB
#
# [ui]
# port = 8421

# ---- Clients of the Model Context Protocol (`nightdesk mcp`): port of --http, and what they may use; days are UTC ----------
#
# [mcp]
# port = 8422
# calls_minute = 120             # of one client
# jobs_day = 50                  # backtests and other jobs that clients start
# proposals_day = 10             # proposals and notes

# ---- How long what grows is kept, in days; 0: for ever. Journals always are. `nightdesk retention show` says what would go ----
#
# [retention]
# logs_days = 30.0
# log_megabytes = 20.0           # a log that is written to turns over at this size, and is packed
# runs_days = 0.0                # older runs go, but for those that a proposal, note, page, version, journal or name keeps
# recordings_days = 0.0          # days of `nightdesk data record` and of `nightdesk l2 record`
# makers_days = 0.0              # simulated makers (`making backtest --keep`); those on paper have a journal and stay
# reports_days = 0.0             # reports of weeks and months
# sent_days = 0.0                # what was sent to models
# pieces_days = 7.0              # unfinished ends of journals that a crash left are packed then
# pack_days = 30.0               # older records of journals are packed at a start, in parts that every reader reads; 0: never
# pack_megabytes = 64.0          # of records that make a part

# ---- Monitor: a real model reads the desk by itself and writes a short note when something changed. Off at 0 ------------
#
# [monitor]
# every_minutes = 60             # between two looks; nothing is asked or sent where nothing changed
# after_alerts = true            # also after an alert; never on its path
# tokens_day = 200000            # of all its looks, beside [budgets]
# to = ["slack", "telegram"]     # ways of this file

# ---- Strategies: whether a person may make a file of a note that a model drafted (`nightdesk strategies adopt`) -----------
#
# [strategies]
# adopt = false

# ---- Canary: how an applied change is watched, where its proposal does not say. A breach of what its card states takes it
# back, or pauses and pages. A proposal of a model begins at 25 % of the size anyway. See docs/changes.md.
#
# [canary]
# plan = "100% for 10 trips"     # at its whole size; "25% for 10 trips" or "10% for 500 bars": at a part; "none": not watched

# ---- People ---------------------------------------------------------------------------------------------------------
# `--as NAME` is believed while people.toml, beside this file, is missing or empty: fine for one person on paper.
# `nightdesk people add NAME` gives a name a token (and a passphrase); from then on every name needs its own.
# The first is admin; roles are viewer, operator, approver, admin: nightdesk people list, nightdesk people role NAME ROLE
# To let someone approve what tightens in Telegram: nightdesk people link-telegram NAME --user 123456789
# To let someone decide in Slack: nightdesk alerts slack NAME --team T0123ABCD --user U0123ABCD
"""


def text_of(venue: str, feed: str, sleeves: Sequence[Start] = SLEEVES) -> str:
    """The text of the file for a desk on `venue`; `feed` is a sentence about the data it was opened with."""
    return (
        HEAD.format(feed=feed, timeframes=" | ".join(TIMEFRAMES))
        + "\n".join(_sleeve(start, venue) for start in sleeves)
        + LIMITS
        + _limits()
        + REST
    )


def _sleeve(start: Start, venue: str) -> str:
    return f"""\
[[sleeves]]
name = "{start.name}"
strategy = "{start.strategy}"
venue = "{venue}"
symbol = "{start.symbol}"
market = "perp"
timeframe = "{TIMEFRAME}"
side = "both"
cash = {CASH}
params = {{}}
"""


def _limits() -> str:
    """Every hard limit at its default, with its sentence."""
    lines = []
    for name, field in HardLimits.model_fields.items():
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        lines.append(f"{f'{name} = {value}':<32} # {field.description}")
    return "\n".join(lines) + "\n"
