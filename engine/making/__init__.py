"""Market making, simulated, on paper and at an account: quotes, the queue, guardrails, and whether paper may be left."""
