"""Market making, simulated on a recorded tape: quotes, the queue, guardrails of its own, and whether the tape may be left."""
