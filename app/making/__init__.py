"""Makers of a home: stored simulations, and makers on paper on a recorded tape or a live book."""
