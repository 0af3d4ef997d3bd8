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

# lock MACHINE: one start, stop or sweep of the host or virtual machine kept in that directory at a time, until this
# shell exits. Not inherited by the machine.
lock() {
    mkdir -p "$(dirname "$1")"
    exec 9>"$(dirname "$1")/.lock.$(basename "$1")"
    flock "${@:2}" 9
}

# started PID: when a process started, so that a recycled number is not taken for it.
started() { [[ ! -e /proc/$1/stat ]] || sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# note FILE PID, noted FILE: a process on record, and its number if it is still the same process that runs.
note() { echo "$2 $(started "$2")" >"$1"; }
noted() {
    local pid since
    [[ -f $1 ]] || return 1
    read -r pid since <"$1"
    [[ -n $since && $(started "$pid") == "$since" ]] && echo "$pid"
}

# orphaned MACHINE: true where it has an owner, and that has ended.
orphaned() { [[ -f $1/owner ]] && ! noted "$1/owner" >/dev/null; }

# elapsed SINCE: seconds since that $EPOCHREALTIME.
elapsed() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

[[ $EUID == 0 ]] || fail "the test bed makes namespaces, mounts and cgroups of its own: run it as root"
