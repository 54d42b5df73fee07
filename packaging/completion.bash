# Completion for cmqgw and cmqlocal. It asks the program that is being typed: what its --help names
# is what there is, so that a new command or option is completed as soon as it exists.
# shellcheck shell=bash

# From a help text: its commands, its options, what kind of value an option wants (FILE, N, ...).
_cmqgw_commands() { sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$1"; }
_cmqgw_options() { grep -oE -- '--[a-z][a-z-]*' <<<"$1" | sort -u; }
_cmqgw_value() { sed -n "s/^ *\(-[a-z], \)\{0,1\}$2 \([A-Z]\+\).*/\2/p" <<<"$1"; }

_cmqgw() {
    local cur=${COMP_WORDS[COMP_CWORD]} help word value offered i
    local command=("${COMP_WORDS[0]/#\~/$HOME}")
    COMPREPLY=()
    help=$("${command[@]}" --help 2>/dev/null) || return 0
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]} value=
        if [[ $word == -c || $word == --config ]]; then
            value=FILE
        elif [[ $word =~ ^--[a-z-]+$ ]]; then
            value=$(_cmqgw_value "$help" "$word")
        elif _cmqgw_commands "$help" | grep -qxF -- "$word"; then
            command+=("$word")
            help=$("${command[@]}" --help 2>/dev/null) || return 0
        fi
        [[ $value ]] || continue
        ((++i == COMP_CWORD)) || continue
        if [[ $value == FILE ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return 0
    done
    if [[ $cur == -* ]]; then
        offered=$(_cmqgw_options "$help")
        [[ ${#command[@]} -eq 1 ]] || offered=${offered/--version/} # the whole program's only
    else
        offered=$(_cmqgw_commands "$help")
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$cur")
}
complete -F _cmqgw cmqgw cmqlocal
