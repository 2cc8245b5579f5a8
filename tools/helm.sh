use test

# helm [generate]: checks the chart, or rewrites what is made from the gateway's options.
verb_helm() {
    require build ui helm
    if [ "${1:-}" = generate ]; then
        verb_build
        helm/generate build/tideway
    else
        verb_test packaging
    fi
}
