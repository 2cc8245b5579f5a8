#!/bin/bash
# Tideway with curl (and jq, to take JSON lines apart):
#
#     examples/curl.sh publish TOPIC...     each line of standard input; prints the gateway's answers
#     examples/curl.sh subscribe TOPIC...   prints events as they are on the wire, across reconnects
set -u
url=${TIDEWAY_URL:-https://127.0.0.1:8443}
# The gateway sends a heartbeat every 15 s: a stream that is silent for longer than this is dead.
silence_s=60
backoff_max_ms=30000
curl=(curl --http2 --silent --show-error --fail-with-body --connect-timeout 10)
[ -z "${TIDEWAY_CA:-}" ] || curl+=(--cacert "$TIDEWAY_CA")
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null' EXIT
trap 'exit 0' INT TERM

# A JSON object with `data`, and perhaps `id` and `event`, is taken apart; any other line is a payload.
# Prints id, event and payload in base64 for each. (jq --raw-input reads a line as a string.)
separator=$'\x1f'
# shellcheck disable=SC2016 # $line is jq's
take_apart='select(. != "") | . as $line
    | (try (fromjson | select(.data | type == "string")) catch null) // {data: $line}
    | [.id // "\(now)-\(input_line_number)", .event // "", (.data | @base64)] | join("\u001f")'

publish() {
    local topics=$1 id event data jq
    exec {jq}< <(exec jq --raw-input --raw-output --unbuffered "$take_apart")
    child=$!
    while IFS=$separator read -r id event data <&"$jq"; do
        # --retry covers 429, 500, 502, 503 and 504, and heeds Retry-After. A repeat has the same id.
        base64 --decode <<<"$data" | "${curl[@]}" --max-time 30 --retry 5 --retry-connrefused "$url/v1/publish" \
            --header "Authorization: Bearer ${TIDEWAY_API_KEY:-${TIDEWAY_TOKEN:-}}" \
            --header 'Content-Type: text/plain; charset=utf-8' \
            --header "X-SSE-Topic: $topics" --header "X-SSE-Id: $id" \
            ${event:+--header "X-SSE-Event: $event"} --data-binary @- || exit
        echo
    done
}

# Reads one stream: prints each block once it is whole, and remembers its id and what `retry:` says.
read_stream() {
    local block=''
    while IFS= read -r line; do
        block+=$line$'\n'
        case $line in
        retry:*) retry_ms=${line#retry: } ;;
        id:*) id=${line#id: } ;;
        'event: tideway.gap') echo 'events were lost: fetch the state anew' >&2 ;;
        '')
            failures=0
            last_event_id=${id:-$last_event_id}
            printf '%s' "$block"
            block=''
            ;;
        esac
    done
}

subscribe() {
    local topics=$1 last_event_id='' id line retry_ms=3000 failures=0 delay_ms reason
    while true; do
        id=''
        exec {output}< <(exec "${curl[@]}" --no-buffer --speed-time $silence_s --speed-limit 1 "$url/v1/stream" \
            --header "X-SSE-Topic: $topics" --header 'X-SSE-Id: example-curl' \
            ${TIDEWAY_TOKEN:+--header "Authorization: Bearer $TIDEWAY_TOKEN"} \
            ${last_event_id:+--header "Last-Event-ID: $last_event_id"})
        child=$!
        read_stream <&"$output"
        exec {output}<&-
        wait "$child"
        reason=$?
        delay_ms=$((retry_ms << (failures < 10 ? failures : 10)))
        [ "$delay_ms" -le "$backoff_max_ms" ] || delay_ms=$((retry_ms > backoff_max_ms ? retry_ms : backoff_max_ms))
        delay_ms=$((delay_ms + RANDOM % (delay_ms / 2 + 1)))
        echo "trying again in $delay_ms ms: curl ended with $reason ${line:-}" >&2
        failures=$((failures + 1))
        sleep "$((delay_ms / 1000)).$(printf %03d $((delay_ms % 1000)))" &
        child=$!
        wait "$child"
    done
}

if [ $# -lt 2 ] || [[ ! $1 =~ ^(publish|subscribe)$ ]]; then
    echo "usage: $0 publish|subscribe TOPIC..." >&2
    exit 2
fi
verb=$1
shift
"$verb" "$(IFS=,; echo "$*")"
