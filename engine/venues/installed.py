"""What the installed ccxt has. Called by ccxt_data.py, candles.py and account_client.py, before anything is asked."""

from importlib import import_module
from typing import Any

from engine.errors import BadInput


def ccxt_class(name: str, module: str = "ccxt") -> Any:
    """A class of ccxt's, or of ccxt.pro. Raises BadInput (one line) where the installed one lacks it or cannot be loaded."""
    hint = "install the locked version: make setup"
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        raise BadInput(f"the installed ccxt has no {name}", hint) from error
    except Exception as error:
        raise BadInput(f"the installed ccxt cannot be loaded: {type(error).__name__}: {error}"[:300], hint) from error
