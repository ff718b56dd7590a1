"""How well a language model serves this desk: `nightdesk evals --model NAME`. For a person who chooses a model.

tasks.toml  what is asked, and which facts of the desk or which proposal a good answer comes to
tasks.py    reads it; each row stands for a task, or for one a sleeve
office.py   a desk of its own: the synthetic market, thirty days replayed by the trading process
scoring.py  asks, judges by code, counts: pass^1, pass^k, Wilson's interval, cost, time
"""
