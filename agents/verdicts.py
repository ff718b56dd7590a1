"""What a prover says of a clause. Read by agents/proofs.py and the provers."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """Proven; or contradicted, with what the thread has instead; or neither."""

    proven: bool
    why: str = ""


class Topic(NamedTuple):
    """What a clause that names nothing is about: what its sentence named before it, else what the answer named before."""

    about: frozenset[str]
    context: frozenset[str] = frozenset()


PROVEN, OPEN = Verdict(proven=True), Verdict(proven=False)


def against(why: str) -> Verdict:
    """The thread says otherwise: `why`, in a few words."""
    return Verdict(proven=False, why=why)
