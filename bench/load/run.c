#include "bench/load/run.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/subscriber.h"
#include "bench/load/transport.h"

static void name_servers(load_run_t *run)
{
    const load_options_t *options = run->options;
    for (size_t i = 0; i < options->address_count; i++) {
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &options->addresses[i].sin_addr, host, sizeof(host));
        run->servers[i].scheme = options->cleartext ? "http" : "https";
        char *authority, *authorization;
        if (asprintf(&authority, "%s:%u", host, ntohs(options->addresses[i].sin_port)) < 0 ||
            asprintf(&authorization, "Bearer %s", options->key) < 0)
            abort();
        run->servers[i].authority = authority;
        run->servers[i].authorization = authorization;
        run->servers[i].key = options->key;
    }
}

static void count_followers(load_run_t *run)
{
    const load_options_t *options = run->options;
    /* Streams that come and go leave no number of deliveries to expect. */
    uint32_t streams = options->churn ? 0 : options->connections * options->streams;
    for (uint32_t i = options->slow_connections * options->streams; i < streams; i++)
        for (uint32_t nth = 0; nth < options->topics_per_stream; nth++)
            run->followers[load_run_topic(run, i, nth)]++;
    for (uint32_t topic = 0; topic < options->topics; topic++)
        if (run->followers[topic] > run->followers_max)
            run->followers_max = run->followers[topic];
}

int load_run_init(load_run_t *run, const load_options_t *options)
{
    memset(run, 0, sizeof(*run));
    run->options = options;
    run->dialect = load_dialect_find(options->dialect);
    if (run->dialect == NULL) {
        fprintf(stderr, "tw-load: --dialect: '%s' is not known; see --help\n", options->dialect);
        return -1;
    }
    if (options->resume_events > 0 && run->dialect->resume == NULL) {
        fprintf(stderr, "tw-load: --resume-events: not with --dialect %s\n", options->dialect);
        return -1;
    }
    run->followers = calloc(options->topics, sizeof(*run->followers));
    run->sent = calloc((size_t)options->topics * options->lanes, sizeof(*run->sent));
    run->threads = calloc(options->threads, sizeof(*run->threads));
    if (run->followers == NULL || run->sent == NULL || run->threads == NULL)
        abort();
    if (!options->cleartext && (run->tls = load_transport_tls_create()) == NULL) {
        fputs("tw-load: OpenSSL cannot make a TLS 1.3 client\n", stderr);
        load_run_dispose(run);
        return -1;
    }
    atomic_store(&run->measure_from_ns, UINT64_MAX);
    atomic_store(&run->wake_at, UINT64_MAX);
    name_servers(run);
    count_followers(run);
    return 0;
}

void load_run_dispose(load_run_t *run)
{
    for (size_t i = 0; i < LOAD_ADDRESSES_MAX; i++) {
        free((char *)run->servers[i].authority);
        free((char *)run->servers[i].authorization);
    }
    free(run->followers);
    free((void *)run->sent);
    free(run->threads);
    SSL_CTX_free(run->tls);
}

uint64_t load_run_delivered(const load_run_t *run)
{
    uint64_t delivered = 0;
    for (uint32_t i = 0; i < run->options->threads; i++)
        delivered += atomic_load_explicit(&run->threads[i].delivered, memory_order_acquire);
    return delivered;
}
