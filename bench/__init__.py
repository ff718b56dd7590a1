"""Benchmarks against peers, side by side in one run: `make bench`. Each peer has its own virtual environment."""
