# Shared by all verbs: where things lie, how progress is shown, and what need not be done again.
ROOT=$PWD
LOGS=$ROOT/build-logs
STAMPS=$ROOT/build-deps/stamps
RESULTS=$ROOT/test-results
PYTHON=/usr/bin/python3
JOBS=${TIDEWAY_JOBS:-$(nproc)}

say() {
    printf '%s\n' "$*"
}

die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

# use NAME...: reads the functions of tools/NAME.sh, once.
declare -gA USED=()
use() {
    local name
    for name in "$@"; do
        [ -z "${USED[$name]:-}" ] || continue
        USED[$name]=1
        # shellcheck source=/dev/null
        . "$ROOT/tools/$name.sh"
    done
}

# step LABEL COMMAND...: runs a long command with its output in build-logs/, shows that it lives, and
# shows the end of the log and its name when it fails.
step() {
    local label=$1 log pid start=$SECONDS shown=0 code=0
    shift
    mkdir -p "$LOGS"
    log=$LOGS/${label//[^A-Za-z0-9]/-}.log
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if [ -t 1 ]; then
            printf '\r\033[K%s … %d s  %.60s' "$label" $((SECONDS - start)) \
                "$(tail -n 1 "$log" | tr -cd '[:print:]')"
        elif [ $((SECONDS - start)) -ge $((shown + 15)) ]; then
            shown=$((SECONDS - start))
            say "$label … $shown s"
        fi
        sleep 0.2
    done
    wait "$pid" || code=$?
    [ ! -t 1 ] || printf '\r\033[K'
    if [ "$code" -ne 0 ]; then
        say "$label: failed after $((SECONDS - start)) s; the end of ${log#"$ROOT"/}:"
        tail -n 40 "$log"
        return 1
    fi
    say "$label: done ($((SECONDS - start)) s)"
}

# once NAME KEY LABEL COMMAND...: a step that is left out while KEY is what it was at the last success.
once() {
    local stamp=$STAMPS/$1 key=$2
    shift 2
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then
        return 0
    fi
    step "$@" || return 1
    mkdir -p "$STAMPS"
    printf '%s\n' "$key" >"$stamp"
}

# Prints one hash of the files that git would see below the given paths.
hash_of() {
    find "$@" \( -name node_modules -o -name dist -o -name target \) -prune -o -type f -print0 | LC_ALL=C sort -z |
        xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}
