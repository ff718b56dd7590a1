"""What lives as long as the page's process is left out of its garbage collections. Called by streamlit_app.py.

Streamlit collects everything after each drawing, also after each part that refreshes itself: most of that time goes to modules
that never go.
"""

import gc
from functools import cache


@cache
def settled() -> None:
    """Once, after the first drawing, which has loaded what a page needs."""
    gc.collect()
    gc.freeze()
