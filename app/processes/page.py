"""The page as a process: `python -m app.processes.page SCRIPT [options of streamlit run]`, started by `nightdesk ui`.

Streamlit serves by uvicorn with no bound on a header or a body: connections that drip one keep everybody out. Here it gets
the API's connection (app.processes.connections) before it starts, with Streamlit's files from memory (page_files).
"""

import importlib
import sys
from typing import Any

from app.processes import page_files


def bound_connections() -> None:
    """From here on every uvicorn server of this process bounds its connections, unless it names another protocol."""
    import uvicorn.config

    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{page_files.__name__}:{page_files.PageConnection.__name__}"


def main(words: list[str]) -> Any:
    """Serve until stopped."""
    bound_connections()
    importlib.import_module("app.client")  # httpx, 0.06 s of CPU, is there before the first visitor waits for it
    from streamlit.web.cli import main as streamlit

    return streamlit(["run", *words], prog_name="streamlit")


if __name__ == "__main__":
    main(sys.argv[1:])
