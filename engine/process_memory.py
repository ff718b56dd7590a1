"""Memory that was freed and is still the process's. Called by app/processes and sim/backtest.py after large arrays are gone."""


def trim_memory(*, collect: bool = True) -> None:
    """Give it back to the system, where the C library can; `collect`: after a look for cycles."""
    import ctypes
    import gc

    if collect:
        gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
