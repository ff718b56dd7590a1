"""The imperative shell: every command and every process of the desk begins here, and with it how its garbage is collected and
how many threads its linear algebra has.

A process imports a thousand modules before it does anything: a million objects that live as long as it does. To look through
them for garbage at Python's usual intervals, and once more at the end, is a quarter of the CPU of a short command.
"""

import atexit
import gc
import os

VERSION = "0.1.0"  # of the program; pyproject.toml reads it here
gc.set_threshold(10_000, 10, 10)  # usually 700, 10, 10: what the desk itself leaves behind is little
atexit.register(gc.freeze)  # what is left at the end ends with the process
# Matrices here are of tens of rows: a second thread makes them no faster, and waiting for it takes forty times the CPU on a
# machine that has other things to do. Results no longer depend on how many cores there are. Before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
