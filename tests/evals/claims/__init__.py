"""The claims set: labelled sentences over one fixed thread, and how often the checker errs on them."""
