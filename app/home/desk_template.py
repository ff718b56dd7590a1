"""The desk.toml that a new home starts with, comments included. Called by app.home.home; turns a venue into the file's text."""

from collections.abc import Sequence
from typing import NamedTuple

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
# Nightdesk: what this desk is. Written at its first start; yours to edit, with the desk stopped.
#
# Times are UTC, money is in the quote currency (USDT), a name that ends in _frac is a fraction (0.02 is 2 %).
# A typing error is told with its line, and nothing starts. Where the data lies and which database is used is said by
# the environment: NIGHTDESK_DATA (a folder of recorded bars), NIGHTDESK_HOME, NIGHTDESK_DATABASE_URL.
#
# {feed}

# ---- Sleeves: one strategy on one instrument with its own cash, all on paper ----------------------------------------
# Read ONCE: they become configuration version 1 of a new home. From then on a change is a proposal that a person
# approves (`nightdesk proposals`), and every version stays. `nightdesk backtest --help` and the README list strategies
# and their parameters; what is not named in params keeps its default.
#
#   side    both | long | short      which side entries may take
#   market  perp | spot              timeframe  1m | 5m | 15m | 1h
#   params  {{ stop_atr = 2.0, leverage_max = 3.0 }}

"""

LIMITS = """
# ---- Hard limits: read at every start; no proposal, model or page can touch them ------------------------------------
# A sleeve's own parameters may be stricter, never looser: the stricter of the two holds. Changing one is an edit here
# and a restart, which the journal records.

[limits]
"""

REST = """
# ---- Instruments: your own figures, where the shipped table of lots, ticks and costs is not right for you -----------
# Any of: lot_size (base units), tick, maintenance_frac, maker_frac (negative: a rebate), taker_frac, half_spread_frac,
# impact_y (slippage of the square-root law), source and dated (where and when you read them).
#
# [instruments."binance:BTC-USDT:perp"]
# taker_frac = 0.0004
# source = "my fee tier"

# ---- The paper desk's walk: replay so many days at full speed, then so many bars a second ---------------------------

[worker]
replay_days = 30
bars_per_second = 1.0
funding = "recorded"             # recorded | none | assume=BPS (for 8 hours); what is not recorded is refused, not guessed
seed = 20250101                  # of the synthetic market, where there are no recorded bars

# ---- Models for the three roles; none is needed, the offline planner answers without --------------------------------
# OPENAI_API_KEY (and OPENAI_BASE_URL) in the environment are enough for a first one. A key is named here by the variable
# that holds it, never written here, and only ever sent to this base_url. api_format: responses | chat | json (for models that
# fail at tool calls); `nightdesk doctor --model NAME` says which one works. The first model whose key is there answers, or the
# one that NIGHTDESK_MODEL names (NIGHTDESK_MODEL=offline: none). Without prices only tokens are counted.
#
# [models.local]
# base_url = "http://127.0.0.1:11434/v1"
# model = "qwen2.5-coder:7b"
# api_format = "json"
# key_env = ""
# context_tokens = 32000
# input_per_million = 0.0
# output_per_million = 0.0
# patience_s = 20.0              # of silence, after which the offline model answers

# ---- What real models may use; past it the offline model answers. Days are UTC, dollars count where prices are known ----
#
# [budgets]
# turn_tokens = 400000
# person_tokens = 4000000
# day_tokens = 10000000
# turn_usd = 1.0
# person_usd = 10.0
# day_usd = 25.0

# ---- Schedules, UTC: the morning handover (yesterday's P&L, fills, refusals, what waits for a person) -----------------

[schedules]
handover = "06:00"

# ---- Alerts: what watches over the desk, and whom it wakes ------------------------------------------------------------

[alerts]
check_s = 3.0                    # between two looks at the desk
verify_minutes = 60.0            # between two looks at both journals; once a day from end to end
escalate_minutes = 15.0          # a page that nobody acknowledged is sent again
escalations_max = 4
quiet_from = "22:00"             # UTC: notes wait until quiet_to; pages and warnings never do
quiet_to = "06:00"

# ---- Slack: alerts, proposal cards, /halt. Off until named here; tokens are read from these variables, never from here --
#
# [slack]
# channel = "C0123ABCD"                        # the channel's id
# team = "T0123ABCD"                           # the workspace's id
# bot_token_env = "SLACK_BOT_TOKEN"            # xoxb-...; chat:write, commands
# app_token_env = "SLACK_APP_TOKEN"            # xapp-...; Socket Mode: no open port is needed
# signing_secret_env = "SLACK_SIGNING_SECRET"  # only for signed HTTP
# page_url = "http://127.0.0.1:8421/"          # where messages link to

# ---- Where API and page listen: this machine alone. NIGHTDESK_API_PORT and NIGHTDESK_UI_PORT say the same -------------
#
# [api]
# port = 8420
# host = "127.0.0.1"             # another one only once people.toml has entries; behind a proxy that speaks TLS
# names = []                     # further names a browser may use for it
#
# [ui]
# port = 8421

# ---- People ---------------------------------------------------------------------------------------------------------
# `--as NAME` is believed while the file people.toml beside this one is missing or empty: fine for one person on paper.
# `nightdesk people add NAME` gives a name a token (and a passphrase); from then on every name needs its own.
# Who may decide in Slack: nightdesk alerts slack NAME --team T0123ABCD --user U0123ABCD
"""


def text_of(venue: str, feed: str, sleeves: Sequence[Start] = SLEEVES) -> str:
    """The whole file for a desk on `venue`; `feed` says in words what data it was opened with."""
    return HEAD.format(feed=feed) + "\n".join(_sleeve(start, venue) for start in sleeves) + LIMITS + _limits() + REST


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
        lines.append(f"{f'{name} = {field.default}':<32} # {field.description}")
    return "\n".join(lines) + "\n"
