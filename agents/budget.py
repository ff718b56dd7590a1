"""How much a turn may use: rounds, calls, seconds. Called by agents/nodes.py; above it the turn ends in plain words.

Tokens and dollars of real models are counted in agents/spending.py: above them the offline model answers.
"""

import time
from dataclasses import dataclass, field

from agents.model import Usage

# recall, think, (act, think) for each round, ground, reply: the budget ends a turn before the graph's step limit of 24 does
STEPS = 24
ROUNDS_MAX = 9


@dataclass
class Budget:
    """Counts down one turn. `started_s` and `clock` are of the machine, not of the desk."""

    calls_max: int = 16
    seconds_max: float = 900.0
    rounds: int = 0
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    started_s: float = field(default_factory=time.monotonic)

    def spent(self) -> str:
        """Which part of the budget is used up; empty while none is."""
        if self.rounds >= ROUNDS_MAX:
            return f"{ROUNDS_MAX} rounds of tool calls"
        if self.calls >= self.calls_max:
            return f"{self.calls_max} tool calls"
        if time.monotonic() - self.started_s >= self.seconds_max:
            return f"{self.seconds_max:g} seconds"
        return ""

    def may_call(self) -> bool:
        """Count one tool call; False when it exceeds the budget."""
        if self.calls >= self.calls_max:
            return False
        self.calls += 1
        return True
