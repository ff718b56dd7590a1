#!/bin/sh
# The image without Docker, as root on a Debian: the same two stages in roots of debootstrap, and the desk in the second one as the
# container would run it. It is how the image was tried where there is no Docker engine.
#
#   chroot.sh build FOLDER             FOLDER/image from this checkout (needs debootstrap and the network)
#   chroot.sh run FOLDER [COMMAND...]  root file system read-only, user nightdesk, no capability, /tmp and the state folder writable
set -eu
HERE=$(cd "$(dirname "$0")/.." && pwd)
MIRROR=${MIRROR:-http://deb.debian.org/debian}
SUITE=bookworm
# CA=FILE: certificates that the network in between signs with; UV_CACHE=FOLDER: packages that were fetched before

in_root() { # ROOT COMMAND...: with the network's names and /proc, in a mount namespace of its own
    root=$1
    shift
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    unshare --mount --fork sh -c '
        root=$1; shift
        mount -t proc proc "$root/proc"
        mkdir -p "$root/src" "$root/var/cache/uv"
        if [ -n "$SOURCE" ]; then mount --bind "$SOURCE" "$root/src"; mount -o remount,bind,ro "$root/src"; fi
        if [ -n "${UV_CACHE:-}" ]; then mount --bind "$UV_CACHE" "$root/var/cache/uv"; fi
        if [ -n "${CA:-}" ]; then touch "$root/run/ca.crt"; mount --bind "$CA" "$root/run/ca.crt"; fi
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            ${CA:+SSL_CERT_FILE=/run/ca.crt} ${CA:+PIP_CERT=/run/ca.crt} "$@"' sh "$root" "$@"
}

build() {
    place=$1
    mkdir -p "$place"
    [ -d "$place/base" ] || debootstrap --variant=minbase "$SUITE" "$place/base" "$MIRROR" >/dev/null
    rm -rf "$place/builder" "$place/image"
    cp -a "$place/base" "$place/builder"
    cp -a "$place/base" "$place/image"
    SOURCE=$HERE in_root "$place/builder" /src/packaging/install.sh build /src
    rm -rf "$place/image/usr/share/doc" "$place/image/usr/share/locale" "$place/image/usr/share/man" # as debian:bookworm-slim
    cp -a "$place/builder/usr/local/lib/nightdesk" "$place/image/usr/local/lib/nightdesk"
    SOURCE=$HERE in_root "$place/image" /src/packaging/install.sh run
    rm -f "$place/image/etc/resolv.conf"
    rm -rf "$place/builder"
}

run() {
    place=$1
    shift
    [ $# -gt 0 ] || set -- nightdesk up
    mkdir -p "$place/state"
    chown 10001:10001 "$place/state"
    chmod 700 "$place/state"
    mkdir -p "$place/image/run/nightdesk-data"
    # the last `exec` leaves the desk itself as the child of unshare: a signal to it is what `docker stop` sends
    exec unshare --mount --pid --fork --kill-child --mount-proc="$place/image/proc" sh -c '
        place=$1; shift; root=$place/image
        mount --bind "$root" "$root"
        mount --bind "$place/state" "$root/var/lib/nightdesk"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=1777,size=256m,nosuid,nodev tmpfs "$root/tmp"
        mount -t tmpfs -o mode=0755,size=1m tmpfs "$root/dev"
        for name in null zero urandom random; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
        mkdir "$root/dev/shm" && mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
        if [ -n "${BARS:-}" ]; then mount --bind "$BARS" "$root/run/nightdesk-data"; mount -o remount,bind,ro "$root/run/nightdesk-data"; fi
        mount -o remount,bind,ro "$root"
        exec chroot "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
            env -i PATH=/usr/local/lib/nightdesk/bin:/usr/local/bin:/usr/bin:/bin HOME=/var/lib/nightdesk LANG=C.UTF-8 \
            NIGHTDESK_HOME=/var/lib/nightdesk/desk ${BARS:+NIGHTDESK_DATA=/run/nightdesk-data} ${LISTEN:+NIGHTDESK_LISTEN=$LISTEN} \
            ${API_PORT:+NIGHTDESK_API_PORT=$API_PORT} ${UI_PORT:+NIGHTDESK_UI_PORT=$UI_PORT} "$@"' sh "$place" "$@"
}

command=${1:-}
case "$command" in
build | run)
    folder=${2:?a folder}
    shift 2
    "$command" "$folder" "$@"
    ;;
*)
    echo "usage: chroot.sh build FOLDER | run FOLDER [COMMAND...]" >&2
    exit 2
    ;;
esac
