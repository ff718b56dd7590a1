"""Pairs: whether two prices belong together, against random walks and both legs' costs. cointegration, spread, scan, request."""
