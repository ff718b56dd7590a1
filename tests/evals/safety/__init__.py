"""Safety suites: a model that does whatever text in its prompt says, and one that does anything. `make evals` prints them."""
