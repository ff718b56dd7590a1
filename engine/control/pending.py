"""How proposals leave `pending`: the one UPDATE behind approving, rejecting, superseding, expiring and a halt.

Called by apply, proposals and halt inside their transaction. A proposal and its parts leave together, so that the index on the
parts (one that waits a sleeve) frees the sleeve.
"""

from typing import Any

from sqlmodel import Session, col, select, update

from engine.store.tables import Proposal, ProposalPart


def leave_pending(session: Session, *which: Any, **values: Any) -> int:
    """Give the pending proposals of these conditions their new state; how many there were."""
    found = session.exec(update(Proposal).where(col(Proposal.state) == "pending", *which).values(**values)).rowcount
    if found:
        decided = select(Proposal.id).where(col(Proposal.state) != "pending")
        parts = update(ProposalPart).where(col(ProposalPart.pending).is_(True), col(ProposalPart.proposal_id).in_(decided))
        session.exec(parts.values(pending=False))
    return int(found)
