#!/bin/sh
# What the image consists of, step by step. Called by the Dockerfile (a stage each) and by packaging/chroot.sh, which runs the same
# steps in a Debian root where there is no Docker. `build` and `run` on a Debian of its own give what packaging/nightdesk.service starts.
#
#   install.sh build SOURCE   a checkout becomes /usr/local/lib/nightdesk: an environment with the wheel and the locked packages
#   install.sh run            Python, the user nightdesk, its folder /var/lib/nightdesk
set -eu
PLACE=/usr/local/lib/nightdesk
STATE=/var/lib/nightdesk
OWNER=10001 # a number that no Debian package takes: a volume keeps its owner when the image changes
export DEBIAN_FRONTEND=noninteractive UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_CACHE_DIR=/var/cache/uv

packages() {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/apt /var/log/dpkg.log
}

build() {
    source=$1
    packages python3 python3-venv ca-certificates binutils
    tools=$(mktemp -d)
    work=$(mktemp -d)
    version=$(sed -n 's/^UV_VERSION=//p' "$source/scripts/bootstrap.sh")
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "uv==$version"
    # hashes of the lock are checked for every package that it constrains, and another file refused
    "$tools/bin/uv" pip install --quiet --python "$tools/bin/python" --constraints "$source/requirements.lock" setuptools
    for name in app agents tools memory engine pyproject.toml README.md streamlit_app.py; do
        cp -r "$source/$name" "$work/$name"
    done
    find "$work" -name __pycache__ -prune -exec rm -rf {} +
    (cd "$work" && "$tools/bin/python" -c "from setuptools import build_meta; build_meta.build_wheel('$work/wheel')" >/dev/null 2>"$work/log" || { cat "$work/log" >&2; exit 1; })
    rm -rf "$PLACE.before"
    [ ! -d "$PLACE" ] || mv "$PLACE" "$PLACE.before" # moved back, it is the program of before: docs/deploy.md
    python3 -m venv --without-pip "$PLACE"
    "$tools/bin/uv" pip install --quiet --python "$PLACE/bin/python" --constraints "$source/requirements.lock" "$work"/wheel/nightdesk-*.whl
    slim
    python3 -m compileall -q -j 0 "$PLACE"/lib/python3*/site-packages >/dev/null || true # Python 2 templates of some packages
    rm -rf "$tools" "$work"
}

slim() { # what no import reads: tests, headers and sources of compiled modules, and symbols that only a debugger wants
    packages=$(echo "$PLACE"/lib/python3*/site-packages)
    for name in numpy scipy pandas numba llvmlite pyarrow lightgbm sklearn hmmlearn streamlit talib tornado joblib; do
        find "$packages/$name" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + 2>/dev/null || true
    done
    find "$packages" -type f \( -name '*.pxd' -o -name '*.pxi' -o -name '*.pyx' -o -name '*.c' -o -name '*.h' -o -name '*.js.map' \) -delete
    rm -rf "$packages/pyarrow/include" "$packages/pyarrow/src" "$packages/pydeck/nbextension"
    rm -f "$packages"/pyarrow/libarrow_flight* "$packages"/pyarrow/_flight*.so # a server and client that nothing here starts
    for name in _polars_runtime_32 llvmlite zstandard uvloop cryptography; do
        find "$packages/$name" -name '*.so' -exec strip --strip-unneeded {} +
    done
}

run() {
    packages python3 ca-certificates libgomp1 # lightgbm wants libgomp
    getent group nightdesk >/dev/null || groupadd --gid "$OWNER" nightdesk
    getent passwd nightdesk >/dev/null || useradd --uid "$OWNER" --gid "$OWNER" --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin nightdesk
    install -d -o nightdesk -g nightdesk -m 0700 "$STATE"
    ln -sf "$PLACE/bin/nightdesk" /usr/local/bin/nightdesk
}

case "${1:-}" in
build) build "${2:?where the checkout is}" ;;
run) run ;;
*)
    echo "usage: install.sh build SOURCE | run" >&2
    exit 2
    ;;
esac
