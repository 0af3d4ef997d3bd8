# shellcheck shell=bash disable=SC2034  # its variables are for those who source it
# Shared by the programs of the test bed: where it keeps things, and what the outer machine needs.

set -euo pipefail

bed=${BERTH_BED:-/var/cache/berth-bed}
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

say() { printf 'bed: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# need COMMAND PACKAGE…: install the packages unless the command is there.
need() {
    local command=$1
    shift
    if ! command -v "$command" >/dev/null; then
        say "installing $* ($command is missing)"
        apt-get -qq update >&2
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >&2
    fi
}

[[ $EUID == 0 ]] || fail "the test bed makes namespaces, mounts and cgroups of its own: run it as root"
