"""The rows of an account's check that are asked again while its desk trades, by real ccxt at the local venues."""

import pytest

from engine.venues.account import faults_at_start
from tests.venues.test_account_check import FAULTS, VENUES, check, crossed, hedged, may_withdraw, only_reads, wanted_of

CHANGED = {
    "withdrawal": may_withdraw,
    "trading": only_reads,
    "position_mode": hedged,
    "margin": crossed,
    "key": lambda local: setattr(local, "key_ended", True),
}


@pytest.mark.parametrize("venue", VENUES)
def test_while_it_trades_rights_and_modes_alone_are_asked_for(venue: str) -> None:
    """The same rows as at a start, with few requests; a venue that does not answer has changed nothing of the account."""
    again = wanted_of(venue)._replace(again=True)
    report, local = check(venue, wanted=again)
    assert report.ok
    assert len(local.calls) <= 5
    assert [row.name.split()[0] for row in report.checks] == ["key", "withdrawal", "trading", "position_mode", "margin"]
    for name, spoil in CHANGED.items():
        faults = faults_at_start(check(venue, spoil, again)[0])
        assert len(faults) == 1, faults
        assert faults[0].startswith(name)
        assert faults[0].split(", wanted")[0] in "; ".join(faults_at_start(check(venue, spoil)[0]))
    for fault in FAULTS:
        assert check(venue, lambda local, fault=fault: local.faults.on(fault), again)[0].ok, fault
