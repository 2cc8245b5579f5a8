# run [OPTION...]: builds the gateway and starts it with a key for trying it out.
use build

print_usage_lines() {
    local url=https://$1
    cat <<EOT

Tideway listens at $url. In another terminal, subscribe:

  curl -kN '$url/v1/stream?topic=hello'

and in a third one, publish:

  curl -k -H 'Authorization: Bearer dev-key' -H 'x-sse-topic: hello' -H 'x-sse-id: 1' -d 'Hello!' $url/v1/publish

Ctrl-C ends it.
EOT
}

verb_run() {
    local listen=${TIDEWAY_LISTEN:-127.0.0.1:8443} pid code=0
    verb_build
    export SSE_PUBLISHER_API_KEYS=${SSE_PUBLISHER_API_KEYS:-dev-key}
    # Ctrl-C should not make clients wait for long.
    export TIDEWAY_DRAIN_MS=${TIDEWAY_DRAIN_MS:-1000}
    # In a process group of its own: Ctrl-C would reach it twice, and the second signal ends it at once.
    set -m
    build/tideway "$@" &
    pid=$!
    set +m
    trap 'kill -TERM "$pid" 2>/dev/null || true' INT TERM HUP
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        if curl -sk -o /dev/null --max-time 1 "https://$listen/healthz"; then
            print_usage_lines "$listen"
            break
        fi
        sleep 0.1
    done
    # A signal interrupts the wait; the second one collects the drained process.
    wait "$pid" || code=$?
    while kill -0 "$pid" 2>/dev/null; do
        code=0
        wait "$pid" || code=$?
    done
    return "$code"
}
