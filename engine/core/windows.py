"""The windows in which people want no entries: hours of the week (UTC) and the minutes around funding settlements.

Asked by guardrails.standing at the close, when an order would leave and while one rests; `opens_ms` by book/events.py for people.
Exits know no window.
"""

from .state import DAY_MS, HOUR_MS, Limits, Rules

THURSDAY = 3  # 1970-01-01 was one; Monday is 0
WEEK_HOURS = 168


def shut(rules: Rules, limits: Limits, t_ms: int) -> bool:
    """Whether no entry may leave at t_ms."""
    return in_shut_hour(limits, t_ms) or near_settlement(rules, limits, t_ms)


def in_shut_hour(limits: Limits, t_ms: int) -> bool:
    """Whether `no_entry` names the hour that t_ms is in."""
    day = t_ms // DAY_MS
    return (limits.no_entry[(day + THURSDAY) % 7] >> ((t_ms - day * DAY_MS) // HOUR_MS)) & 1 != 0


def near_settlement(rules: Rules, limits: Limits, t_ms: int) -> bool:
    """Whether a settlement of the instrument is less than `funding_quiet_ms` away, before or after."""
    if rules.funding_ms <= 0 or limits.funding_quiet_ms <= 0:
        return False
    since = t_ms % rules.funding_ms
    return min(since, rules.funding_ms - since) < limits.funding_quiet_ms


def opens_ms(rules: Rules, limits: Limits, t_ms: int) -> int:
    """When the window that t_ms is in ends; 0 outside of one, -1 for one without an end."""
    if not shut(rules, limits, t_ms):
        return 0
    for _ in range(4 * WEEK_HOURS):
        if in_shut_hour(limits, t_ms):
            t_ms = (t_ms // HOUR_MS + 1) * HOUR_MS
        elif near_settlement(rules, limits, t_ms):
            since = t_ms % rules.funding_ms
            before = rules.funding_ms - since < limits.funding_quiet_ms
            t_ms += limits.funding_quiet_ms + (rules.funding_ms - since if before else -since)
        else:
            return t_ms
    return -1
