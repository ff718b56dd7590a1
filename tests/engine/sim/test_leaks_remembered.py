"""An answer that a strategy keeps in memory between calls: found wherever in the process it is."""

import builtins
import sys
from typing import Any

import numpy as np
import pytest

from engine.errors import StrategyError
from engine.sim import leaks
from engine.strategies.base import StrategyParams
from tests.fakes.rules_on_bars import FRAME, closes, strategy

REMEMBERED = {
    "in a module of the library": "import json as place\n",
    "in a function of the library": "import json\nplace = json.dumps\n",
    "in a class of ours": "place = StrategyParams\n",
    "under a name that numpy has": "import numpy as place\n",
    "in a module of its own": "import sys, types\nplace = sys.modules.setdefault('kept_of_mine', types.ModuleType('k'))\n",
}


@pytest.mark.parametrize("kind", REMEMBERED)
def test_an_answer_kept_in_memory_is_found(kind: str) -> None:
    """The whole history's answer, wherever it is kept in the process, is not what the prefixes before it said."""
    name = "e" if kind == "under a name that numpy has" else "kept_by_mine"
    where: dict[str, Any] = {"StrategyParams": StrategyParams}
    exec(REMEMBERED[kind], where)  # noqa: S102 - a line of this file
    place, before = where["place"], getattr(where["place"], name, None)

    def rule(f: Any, p: Any) -> Any:
        if np.size(getattr(place, name, ())) < len(f):
            setattr(place, name, np.append(np.diff(closes(f)), 0.0))
        return np.sign(getattr(place, name)[: len(f)])

    try:
        report = leaks.check(strategy(rule), StrategyParams(), FRAME)
    finally:
        setattr(place, name, before) if before is not None else delattr(place, name)
        sys.modules.pop("kept_of_mine", None)
    assert report.looks_ahead, report.text


def test_a_first_answer_kept_for_longer_histories_is_named() -> None:
    """It cannot answer the longer ones; the error says what it keeps and where."""

    def rule(f: Any, p: Any) -> Any:
        if not hasattr(builtins, "kept_by_mine"):
            builtins.kept_by_mine = np.append(np.diff(closes(f)), 0.0)  # type: ignore[attr-defined]  # what is found
        return np.sign(builtins.kept_by_mine[: len(f)])  # type: ignore[attr-defined]  # what is found

    try:
        with pytest.raises(StrategyError, match=r"keeps builtins\.kept_by_mine - is an answer kept between calls"):
            leaks.check(strategy(rule), StrategyParams(), FRAME)
    finally:
        vars(builtins).pop("kept_by_mine", None)
