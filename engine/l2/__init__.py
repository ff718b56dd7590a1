"""Level 2: a venue's order book message by message. Recorded tapes, the book rebuilt from them, features, outcomes, feasibility."""
