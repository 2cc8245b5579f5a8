# run [OPTION...]: builds the gateway and starts it with a key, a certificate and a log for trying it out.
use build

STATE=${XDG_STATE_HOME:-$HOME/.local/state}/tideway
CERTIFICATE_DAYS=90

# option_value VARIABLE DEFAULT [OPTION...]: what the gateway will take, from its flags, else from the variable.
option_value() {
    local variable=$1 value=${!1:-$2} flag
    flag=--$(tr 'A-Z_' 'a-z-' <<<"${variable#TIDEWAY_}")
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
        "$flag="*) value=${1#*=} ;;
        "$flag") value=${2:-} ;;
        esac
        shift
    done
    say "$value"
}

# A certificate that stays the same from start to start: a browser that has accepted it once keeps it. It is made anew a
# week before it ends.
development_certificate() {
    local certificate=$STATE/dev.crt key=$STATE/dev.key
    if ! openssl x509 -in "$certificate" -noout -checkend $((7 * 86400)) >/dev/null 2>&1; then
        mkdir -p "$STATE"
        chmod 700 "$STATE"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$CERTIFICATE_DAYS" \
            -subj "/CN=Tideway development" -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
            -keyout "$key" -out "$certificate" 2>/dev/null || return 1
    fi
    export TIDEWAY_TLS_CERT=$certificate TIDEWAY_TLS_KEY=$key
}

# print_usage_lines URL KEY
print_usage_lines() {
    local url=$1 key=$2 insecure=-k
    [[ $url == https:* ]] || insecure=
    cat <<EOT

Tideway listens at $url. In another terminal, subscribe:

  curl ${insecure}N '$url/v1/stream?topic=hello'

and in a third one, publish:

  curl ${insecure:+$insecure }-H 'Authorization: Bearer $key' -H 'x-sse-topic: hello' -H 'x-sse-id: 1' -d 'Hello!' $url/v1/publish

The admin UI is at $url/admin/, its key is $key.
EOT
    if [ "${TIDEWAY_TLS_CERT:-}" = "$STATE/dev.crt" ] && [ -n "$insecure" ]; then
        say "Clients that verify certificates trust this one with --cacert $TIDEWAY_TLS_CERT"
    fi
    say "Ctrl-C ends it."
}

# Where one reaches the gateway: the first address that it listens on, and this machine for "all of them".
reachable_url() {
    local listen=$1 scheme=https
    [ "$2" != off ] || scheme=http
    listen=${listen%%,*}
    listen=${listen/#0.0.0.0:/127.0.0.1:}
    say "$scheme://${listen/#\[::\]:/127.0.0.1:}"
}

# Waits for the gateway, which runs as $1, to answer at the URL $2.
await_gateway() {
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || return 1
        if curl -sk -o /dev/null --max-time 1 "$2/healthz"; then
            # Another program that listens there would have answered, too: this one ends when it cannot.
            sleep 0.2
            kill -0 "$1" 2>/dev/null
            return
        fi
        sleep 0.1
    done
    return 1
}

verb_run() {
    local url pid code=0 argument
    for argument in "$@"; do
        if [[ $argument =~ ^(-h|--help|--version|--options-json)$ && -x build/tideway ]]; then
            exec build/tideway "$@"
        fi
    done
    verb_build
    export SSE_PUBLISHER_API_KEYS=${SSE_PUBLISHER_API_KEYS:-dev-key}
    # Ctrl-C should not make clients wait for long.
    export TIDEWAY_DRAIN_MS=${TIDEWAY_DRAIN_MS:-1000}
    [ ! -t 2 ] || export TIDEWAY_LOG_FORMAT=${TIDEWAY_LOG_FORMAT:-text}
    if [ "$(option_value TIDEWAY_TLS on "$@")" = on ] && [ -z "$(option_value TIDEWAY_TLS_CERT "" "$@")" ]; then
        development_certificate || say "no certificate could be made in $STATE: the gateway makes one for itself"
    fi
    url=$(reachable_url "$(option_value TIDEWAY_LISTEN 127.0.0.1:8443 "$@")" "$(option_value TIDEWAY_TLS on "$@")")
    # In a process group of its own: Ctrl-C would reach it twice, and the second signal ends it at once.
    set -m
    build/tideway "$@" &
    pid=$!
    set +m
    trap 'kill -TERM "$pid" 2>/dev/null || true' INT TERM HUP
    if await_gateway "$pid" "$url"; then
        print_usage_lines "$url" "${SSE_PUBLISHER_API_KEYS%%,*}"
    fi
    # A signal interrupts the wait; the second one collects the drained process.
    wait "$pid" || code=$?
    while kill -0 "$pid" 2>/dev/null; do
        code=0
        wait "$pid" || code=$?
    done
    return "$code"
}
