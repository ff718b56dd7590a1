"""`nightdesk ...` as a person types it, by the console's entry in this process: another one would load libraries for a second."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import pytest

from app.cli import main


def typed(*words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What the command printed and its exit code, in this environment or in the one as it is."""
    out, err = io.StringIO(), io.StringIO()
    given = dict(os.environ if environment is None else environment)
    with (
        patch.dict(os.environ, given, clear=True),
        patch.object(main.app, "registered_commands", []),
        patch.object(main.app, "registered_groups", []),
        patch.object(sys, "argv", ["nightdesk", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main.run()
    assert isinstance(left.value.code, int)
    return subprocess.CompletedProcess(words, left.value.code, out.getvalue(), err.getvalue())
