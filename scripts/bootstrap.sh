#!/bin/sh
# Called by `make setup`: turns a fresh clone into a ready .venv. Idempotent; a stamp makes the second call cheap.
# A Python is chosen by running it (a shim on PATH may fail); uv lives in a venv of its own, so a sync never removes it.
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.8
export UV_PYTHON_DOWNLOADS=never
unset PYTHONDONTWRITEBYTECODE # in a shell that sets it each command would compile a thousand modules anew: they are kept here

choose_python() {
    for candidate in ${PYTHON:-} python3.12 python3.13 python3.11 python3 python; do
        if "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 to 3.13 with the venv module found; install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

want="$(cat requirements.lock pyproject.toml scripts/bootstrap.sh | cksum) $(pwd)"
if [ -x .venv/bin/nightdesk ] && [ "$(cat .venv/ready 2>/dev/null)" = "$want" ]; then
    exit 0
fi
python=$(choose_python)
echo "setup: using $("$python" --version 2>&1)" >&2
if ! .uv/bin/uv --version 2>/dev/null | grep -q "uv $UV_VERSION"; then
    "$python" -m venv .uv
    .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
fi
if ! .venv/bin/python -c '' 2>/dev/null; then
    "$python" -m venv --without-pip .venv
fi
echo "setup: installing the locked packages (about 750 MB unpacked the first time)" >&2
.uv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock
.uv/bin/uv pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python --editable .
if [ -f engine/core/kernel.py ]; then
    echo "setup: compiling the kernel once (a few seconds)" >&2
    .venv/bin/python -m engine.core.kernel
    .venv/bin/python -m engine.core.basket_kernel
    .venv/bin/python -m engine.l2.kernel
    .venv/bin/python -m engine.making.kernel
fi
.venv/bin/python -m compileall -q app engine agents memory tools || true
.venv/bin/python -c "
from app.cli import main; main.load_groups()
import app.api.factory, app.jobs.kinds, app.processes.worker, engine.research.search_forward"
printf '%s' "$want" > .venv/ready
