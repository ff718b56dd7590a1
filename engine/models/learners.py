"""The learners by the name that a training file calls them. Called by the trainer; one more library is one more line here."""

from importlib.util import find_spec
from types import MappingProxyType
from typing import cast

from engine.errors import BadInput
from engine.models import catboost_fit, lgbm
from engine.models.learner import Learner

USUAL = "lightgbm"
LEARNERS: MappingProxyType[str, Learner] = MappingProxyType(
    {USUAL: cast("Learner", lgbm), "catboost": cast("Learner", catboost_fit)}
)


def learner_of(name: str, where: str = "") -> Learner:
    """Raises BadInput for an unknown one, and for one whose library is not installed."""
    place = f"{where}: " if where else ""
    if name not in LEARNERS:
        raise BadInput(f"{place}unknown model {name[:40]!r}", f"available: {', '.join(LEARNERS)}")
    found = LEARNERS[name]
    if find_spec(found.PACKAGE) is None:
        raise BadInput(
            f"{place}{found.PACKAGE} is not installed", f"make {found.PACKAGE}, or pip install 'nightdesk[{found.PACKAGE}]'"
        )
    return found
