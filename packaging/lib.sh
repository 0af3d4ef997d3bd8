# shellcheck shell=bash disable=SC2034  # its variables are for those who source it
# Shared by packaging/deb and packaging/rpm: what both packages hold and say.

set -euo pipefail

packaging=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source=$(dirname "$packaging")
made=${CARGO_TARGET_DIR:-$source/target}/packages

field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" "$source/Cargo.toml" | head -n1; }

fail() {
    printf 'packaging: %s\n' "$*" >&2
    exit 1
}

summary='containers as systemd runs services'
maintainer='The berth developers <berth-containers@users.noreply.github.com>'
homepage=$(field repository)
description=(
    "A container is a TOML file, starting it is starting a unit, its processes"
    "are the unit's processes and its log is the unit's log. There is no engine"
    "behind the units and no monitor beside each container: once a container is"
    "up, nothing of berth runs."
    ""
    "Images come from OCI registries, archives and directories, and are verified."
    "Containers have user namespaces, seccomp filters and networks of their own,"
    "and whole systems with an init boot in them, too."
)

# The same sources make the same package, byte by byte: every time in it is that of the last commit, or of a source archive.
if [[ -z ${SOURCE_DATE_EPOCH:-} ]]; then
    SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct 2>/dev/null || stat -c %Y "$source/Cargo.toml")
fi
export SOURCE_DATE_EPOCH

# options [--version VERSION] STAGE: what both programs are called with; STAGE is what `make stage` made.
options() {
    version=$(field version)
    if [[ ${1:-} == --version ]]; then
        version=${2:?a version comes after --version}
        shift 2
    fi
    stage=${1:-}
    [[ $# == 1 && -x $stage/usr/bin/berthctl ]] || fail "usage: ${0##*/} [--version VERSION] STAGE, of make stage"
}

# filled DIRECTORY: what is installed, and what a package has beyond that: documents, directories for configuration.
filled() {
    local documents=$1/usr/share/doc/berth manual
    cp -a "$stage/." "$1"
    chmod -R u=rwX,go=rX "$1"
    install -d "$1"/etc/berth/{containers,networks,trust} "$1/usr/lib/berth/containers" "$1/usr/lib/berth/networks"
    install -Dm644 -t "$documents" "$source/README.md"
    install -Dm644 -t "$documents/examples/containers" "$source"/examples/containers/*
    install -Dm644 -t "$documents/examples/networks" "$source"/examples/networks/*
    "$packaging/copyright" >"$documents/copyright"
    "$packaging/copyright" texts | gzip -9n >"$documents/licences.gz"
    while read -r manual; do gzip -9n "$manual"; done < <(find "$1/usr/share/man" -type f ! -name '*.gz')
}

# dated DIRECTORY: as if all of it had been made at one time.
dated() { find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +; }

# scriptlet LINE…: a script of dpkg's or rpm's, which may call the functions of packaging/scriptlets.
scriptlet() {
    local name text
    text=$(printf '%s\n' "$@")
    for name in $(sed -n 's/^\([a-z_]*\)() {$/\1/p' "$packaging/scriptlets" | tac); do
        ! grep -qw "$name" <<<"$text" || text=$(sed -n "/^$name() {/,/^}/p" "$packaging/scriptlets")$'\n\n'$text
    done
    printf '%s\n' '#!/bin/sh' 'set -e' '' "$text"
}
