# bash completion for berthctl: the program itself knows its verbs, options and the host's containers and images.

_berthctl() {
    local line=${COMP_LINE:0:COMP_POINT} words current kept
    # Words as spaces make them: readline also breaks at @ and :, which names have in them.
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=('')
    current=${words[-1]}
    mapfile -t COMPREPLY < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) BERTHCTL_COMPLETE=bash \
            "${words[0]}" -- "${words[@]}" 2>/dev/null
    )
    # readline replaces only what comes after the last of its breaks, and a last @ with it.
    kept=${current##*["$COMP_WORDBREAKS"]}
    kept=${current%"$kept"}
    kept=${kept%@}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    # More is to come after a directory or an option's equals sign.
    [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *[=/] ]] || compopt -o nospace
}

complete -o bashdefault -o nosort -F _berthctl berthctl
