"""What people read for a column or a metric of research, the same on the command line and in a chat.

Read by app/cli/sweep.py and tools/research.py. What is not listed is called by its own name.
"""

HEADS = {
    "sharpe": "Sharpe",
    "train_sharpe": "Sharpe, train",
    "total_return_frac": "return",
    "return_frac": "return",
    "hold_frac": "hold",
    "max_drawdown_frac": "drawdown",
    "trips": "round trips",
    "trial": "variant",
    "train_from": "train from",
    "train_to": "train to",
    "test_from": "test from",
    "test_to": "test to",
}
