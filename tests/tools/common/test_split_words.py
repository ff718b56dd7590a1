"""The sentence of a split: which group is first and last, and whether one of them is apart from the others beyond chance."""

import pytest

from tools.common.contract import Evidence, Fact, Table
from tools.common.split_words import first_and_last, of_rows

COLUMNS = ("weekday", "trips", "net", "win_frac", "mean_r")
TABLE = Table(
    COLUMNS, tuple((day, *(f"{{{h}.{name}}}" for name in COLUMNS[1:])) for h, day in (("a", "Monday"), ("b", "Friday")))
)


def facts(**values: float | None) -> dict[str, Fact]:
    """Facts by reference, `a_net` is `a.net`."""
    named = {name.replace("_", ".", 1): value for name, value in values.items()}
    return {ref: Fact(ref, "a group", ref[2:], value, "usd", Evidence("desk", "journal")) for ref, value in named.items()}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-7.0, 2.0, "within chance of the others"),
        (-7.0, -2.0, "beyond chance less a round trip than the others make"),
        (2.0, 7.0, "beyond chance more a round trip than the others make"),
        (None, None, "too few round trips to set it apart"),
    ],
)
def test_a_group_has_its_number_and_its_chance(low: float | None, high: float | None, said: str) -> None:
    """A lower end above zero is no chance, an interval over zero is, and of a few trips nothing is said."""
    found = of_rows(TABLE, facts(a_net=-62.0, a_apart=-3.0, a_apart_low=low, a_apart_high=high), [0])
    assert found.startswith("Monday lost {a.net} over {a.trips} round trips, hit rate {a.win_frac}")
    assert said in found


def test_the_first_group_of_a_split_is_no_winner_where_all_lost() -> None:
    """The least loss is not called a profit."""
    lost = facts(a_net=-1.0, b_net=-5.0)
    assert first_and_last(TABLE, [-1.0, -5.0], list(lost.values())).startswith("None made money: Monday lost the least, {a.net}")
    mixed = facts(a_net=-1.0, b_net=5.0)
    assert first_and_last(TABLE, [-1.0, 5.0], list(mixed.values())).startswith("By net, Friday is first: {b.net}")
    assert first_and_last(Table(TABLE.columns, TABLE.rows[:1]), [1.0], []) == ""
