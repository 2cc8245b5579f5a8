/*
 * What a request says in its query and about its client: parameters, percent-decoding,
 * X-Forwarded-For behind trusted proxies, Authorization. The input is `path?query LF
 * X-Forwarded-For LF Authorization`. Each is compared with a reading of its own, as plain as can
 * be.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <h2o.h>

#include "handlers/gateway.h"
#include "handlers/request.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"

static tw_gateway_t gateway;
static tw_worker_context_t worker = {.gateway = &gateway};

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    return sizeof(*v4);
}

static const h2o_conn_callbacks_t callbacks = {.get_peername = get_peername};
static h2o_conn_t conn = {.ctx = &worker.super, .callbacks = &callbacks};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tw_network_t *proxies;
    size_t count;
    tw_text_t bad;

    tw_check(tw_networks_parse("10.0.0.0/8,2001:db8::/32", &proxies, &count, &bad));
    const tw_limits_config_t config = {.proxies = proxies, .proxy_count = count};
    tw_check(tw_auth_init(&gateway.auth, "right, other") == 2);
    tw_limits_init(&gateway.limits, &config, gateway.auth.count);
    return 0;
}

/* --- the query --- */

static size_t decode(const char *from, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; ++i) {
        bool escape = from[i] == '%' && len - i > 2 && isxdigit((unsigned char)from[i + 1]) &&
                      isxdigit((unsigned char)from[i + 2]);
        if (escape) {
            const char digits[] = {from[i + 1], from[i + 2], '\0'};
            out[n++] = (char)strtol(digits, NULL, 16);
            i += 2;
        } else {
            out[n++] = from[i] == '+' ? ' ' : from[i];
        }
    }
    return n;
}

/* Every parameter of that name, in order, is what a walk over the query finds. */
static void check_query(h2o_req_t *req, const char *name)
{
    size_t at = 0, name_len = strlen(name);
    tw_fuzz_input_t query = {(const uint8_t *)req->path.base, req->path.len};
    char *expected = malloc(req->path.len + 1);

    tw_check(expected != NULL);
    if (req->query_at != SIZE_MAX)
        tw_fuzz_bytes(&query, req->query_at + 1);
    else
        query.left = 0;
    while (query.left > 0) {
        tw_fuzz_text_t pair = tw_fuzz_until(&query, '&');
        const char *equals = pair.len > 0 ? memchr(pair.base, '=', pair.len) : NULL;
        size_t key_len = equals != NULL ? (size_t)(equals - pair.base) : pair.len;
        if (key_len != name_len || memcmp(pair.base, name, name_len) != 0)
            continue;
        size_t value_at = key_len + (equals != NULL);
        size_t len = decode(pair.base + value_at, pair.len - value_at, expected);
        h2o_iovec_t value = tw_request_query(req, name, &at);
        tw_check(value.base != NULL && value.len == len && value.base[len] == '\0');
        tw_check(memcmp(value.base, expected, len) == 0);
    }
    tw_check(tw_request_query(req, name, &at).base == NULL);
    free(expected);
}

/* --- the client --- */

/* 192.0.2.1:80, [2001:db8::1] and [2001:db8::1]:80 */
static void strip_port(tw_fuzz_text_t *item)
{
    size_t colons = 0, close = 0;

    for (size_t i = 0; i < item->len; ++i) {
        colons += item->base[i] == ':';
        if (item->base[i] == ']' && close == 0)
            close = i;
    }
    if (item->len > 0 && item->base[0] == '[' && close > 0 &&
        (close + 1 == item->len || item->base[close + 1] == ':')) {
        ++item->base;
        item->len = close - 1;
    } else if (colons == 1) {
        item->len = (size_t)((const char *)memchr(item->base, ':', item->len) - item->base);
    }
}

static bool read_address(tw_fuzz_text_t item, uint8_t whole[16])
{
    char text[64];
    struct in_addr v4;

    while (item.len > 0 && strchr(" \t", item.base[0]) != NULL && item.base[0] != '\0') {
        ++item.base;
        --item.len;
    }
    while (item.len > 0 && (item.base[item.len - 1] == ' ' || item.base[item.len - 1] == '\t'))
        --item.len;
    strip_port(&item);
    if (item.len == 0 || item.len >= INET6_ADDRSTRLEN)
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)item.len, item.base);
    if (strlen(text) != item.len && memchr(item.base, '\0', item.len) == NULL)
        return false;
    memset(whole, 0, 16);
    if (inet_pton(AF_INET, text, &v4) == 1) {
        whole[10] = whole[11] = 0xff;
        memcpy(whole + 12, &v4, 4);
        return true;
    }
    return inet_pton(AF_INET6, text, whole) == 1;
}

static bool is_trusted(const uint8_t whole[16])
{
    static const uint8_t ten[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10};
    static const uint8_t documentation[4] = {0x20, 0x01, 0x0d, 0xb8};
    return memcmp(whole, ten, sizeof(ten)) == 0 ||
           memcmp(whole, documentation, sizeof(documentation)) == 0;
}

/* The last address that is not trusted: 1; there is none: 0; the list makes no sense: -1. */
static int last_foreign(tw_fuzz_text_t list, uint8_t whole[16])
{
    while (list.len > 0) {
        size_t from = list.len;
        while (from > 0 && list.base[from - 1] != ',')
            --from;
        if (!read_address((tw_fuzz_text_t){list.base + from, list.len - from}, whole))
            return -1;
        if (!is_trusted(whole))
            return 1;
        list.len = from > 0 ? from - 1 : 0;
    }
    return 0;
}

static void check_client(h2o_req_t *req, tw_fuzz_text_t list)
{
    uint8_t whole[16];
    tw_client_key_t key;
    int found = last_foreign(list, whole);

    tw_check(tw_request_client(req, &key) == (found != 0)); /* else the proxy asks for itself */
    if (found <= 0)
        return;
    bool is_v4 = memcmp(whole, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
    tw_check(memcmp(key.address.bytes, whole, is_v4 ? 16 : 8) == 0);
}

/* --- the key --- */

static void check_key(tw_fuzz_text_t header)
{
    size_t key = 99;
    bool valid = tw_auth_check(&gateway.auth, header.base, header.len, &key);
    char text[64] = "", scheme[8], word[16], rest[2];

    tw_check(valid == (key < gateway.auth.count));
    for (size_t i = 0; i < header.len; ++i) {
        if (header.base[i] != ' ' && header.base[i] != '\t' &&
            !isgraph((unsigned char)header.base[i]))
            return; /* such bytes are not this reading's */
    }
    snprintf(text, sizeof(text), "%.*s", (int)header.len, header.base != NULL ? header.base : "");
    bool known = header.len < sizeof(text) &&
                 sscanf(text, "%7s %15s %1s", scheme, word, rest) == 2 &&
                 strcasecmp(scheme, "bearer") == 0 &&
                 (strcmp(word, "right") == 0 || strcmp(word, "other") == 0);
    if (header.len < sizeof(text))
        tw_check(valid == known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};
    tw_fuzz_text_t path = tw_fuzz_until(&input, '\n'), proxies = tw_fuzz_until(&input, '\n');
    tw_fuzz_text_t authorization = {(const char *)input.at, input.left};
    const char *mark = path.len > 0 ? memchr(path.base, '?', path.len) : NULL;
    h2o_req_t *req = calloc(1, sizeof(*req));

    tw_check(req != NULL);
    h2o_mem_init_pool(&req->pool);
    req->conn = &conn;
    req->path = h2o_iovec_init(path.base, path.len);
    req->query_at = mark != NULL ? (size_t)(mark - path.base) : SIZE_MAX;
    h2o_add_header_by_str(&req->pool, &req->headers, H2O_STRLIT("x-forwarded-for"), 0, NULL,
                          proxies.base, proxies.len);
    check_query(req, "topic");
    check_query(req, "id");
    check_client(req, proxies);
    check_key(authorization);
    h2o_mem_clear_pool(&req->pool);
    free(req);
    return 0;
}
