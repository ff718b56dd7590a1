"""What a prover says of a clause. Read by agents/proofs.py and the provers."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """Proven; or contradicted, with what the thread has instead; or neither."""

    proven: bool
    why: str = ""


PROVEN, OPEN = Verdict(proven=True), Verdict(proven=False)


def against(why: str) -> Verdict:
    """The thread says otherwise: `why`, in a few words."""
    return Verdict(proven=False, why=why)
