"""Level 2: a venue's order book message by message. Tapes, the book rebuilt from them, features, outcomes, feasibility."""
