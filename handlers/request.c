#include "handlers/request.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "handlers/gateway.h"
#include "handlers/reply.h"
#include "handlers/turns.h"

/* What it costs to read a list of topics, nanoseconds. */
#define TOPIC_BYTE_NS 5
#define TOPIC_NS 200

h2o_iovec_t tw_request_path(const h2o_req_t *req)
{
    return h2o_iovec_init(req->path.base,
                          req->query_at != SIZE_MAX ? req->query_at : req->path.len);
}

int tw_request_wants_header(const h2o_iovec_t *name)
{
    static const char *const names[] = {
        "authorization",
        "cookie",
        "x-sse-topic",
        "x-sse-id",
        "x-sse-event",
        "last-event-id",
        "accept-encoding",
        "if-none-match",
        "origin",
        "access-control-request-method",
        "access-control-request-headers",
        "x-forwarded-for",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (strlen(names[i]) == name->len && memcmp(names[i], name->base, name->len) == 0)
            return 1;
    return 0;
}

h2o_iovec_t tw_request_header(const h2o_req_t *req, const char *name)
{
    const h2o_iovec_t wanted = h2o_iovec_init(name, strlen(name));
    assert(tw_request_wants_header(&wanted));
    ssize_t i = h2o_find_header_by_str(&req->headers, name, wanted.len, -1);
    return i != -1 ? req->headers.entries[i].value : h2o_iovec_init(NULL, 0);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

h2o_iovec_t tw_request_decode(h2o_req_t *req, const char *base, size_t len, bool plus)
{
    char *out = h2o_mem_alloc_pool(&req->pool, len + 1), *to = out;

    for (size_t i = 0; i < len; ++i) {
        int high, low;
        if (base[i] == '%' && i + 2 < len && (high = hex_digit(base[i + 1])) >= 0 &&
            (low = hex_digit(base[i + 2])) >= 0) {
            *to++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *to++ = plus && base[i] == '+' ? ' ' : base[i];
        }
    }
    *to = '\0';
    return h2o_iovec_init(out, (size_t)(to - out));
}

bool tw_request_next_parameter(const h2o_req_t *req, size_t *at, tw_text_t *name, tw_text_t *value)
{
    if (req->query_at == SIZE_MAX)
        return false;
    if (*at == 0)
        *at = req->query_at + 1;
    if (*at >= req->path.len)
        return false;
    const char *pair = req->path.base + *at;
    const char *ampersand = memchr(pair, '&', req->path.len - *at);
    const char *end = ampersand != NULL ? ampersand : req->path.base + req->path.len;
    const char *equals = memchr(pair, '=', (size_t)(end - pair));

    *at = (size_t)(end - req->path.base) + 1;
    *name = tw_text(pair, (size_t)((equals != NULL ? equals : end) - pair));
    *value = equals != NULL ? tw_text(equals + 1, (size_t)(end - equals) - 1) : tw_text(end, 0);
    return true;
}

h2o_iovec_t tw_request_query(h2o_req_t *req, const char *name, size_t *at)
{
    tw_text_t found, value;

    while (tw_request_next_parameter(req, at, &found, &value))
        if (h2o_memis(found.base, found.len, name, strlen(name)))
            return tw_request_decode(req, value.base, value.len, true);
    return h2o_iovec_init(NULL, 0);
}

/* False: the request has been answered. */
static bool add_topics(h2o_req_t *req, tw_topic_list_t *topics, h2o_iovec_t text)
{
    size_t known = topics->count;
    tw_topic_list_result_t result = tw_topic_list_add(topics, text.base, text.len);

    tw_turn_spend(req, text.len * TOPIC_BYTE_NS + (topics->count - known) * TOPIC_NS);
    switch (result) {
    case TW_TOPIC_LIST_OK:
        return true;
    case TW_TOPIC_LIST_INVALID:
        tw_reply_error_about(req, TW_ERROR_INVALID_TOPIC, topics->bad.base, topics->bad.len);
        return false;
    case TW_TOPIC_LIST_TOO_MANY:
        tw_reply_error_text(req, TW_ERROR_TOO_MANY_TOPICS, "name at most %zu topics in one request",
                            topics->max);
        return false;
    }
    return false;
}

bool tw_request_topics(h2o_req_t *req, bool query, tw_topic_list_t *topics)
{
    static const char name[] = "x-sse-topic";
    ssize_t cursor = -1;

    while ((cursor = h2o_find_header_by_str(&req->headers, name, sizeof(name) - 1, cursor)) != -1)
        if (!add_topics(req, topics, req->headers.entries[cursor].value))
            return false;
    if (query) {
        size_t at = 0;
        h2o_iovec_t value;
        while ((value = tw_request_query(req, "topic", &at)).base != NULL)
            if (!add_topics(req, topics, value))
                return false;
    }
    if (topics->count == 0)
        tw_reply_error(req, TW_ERROR_MISSING_TOPIC);
    return topics->count > 0;
}

bool tw_request_printable(h2o_iovec_t text, size_t max)
{
    if (text.len == 0 || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; ++i)
        if (text.base[i] < ' ' || text.base[i] > '~')
            return false;
    return true;
}

bool tw_request_number(h2o_req_t *req, const char *name, tw_error_t error, uint64_t max,
                       uint64_t *value)
{
    size_t at = 0;
    h2o_iovec_t text = tw_request_query(req, name, &at);
    uint64_t number = 0;
    bool valid = text.len > 0;

    if (text.base == NULL)
        return true;
    for (size_t i = 0; i < text.len && valid; ++i) {
        valid = text.base[i] >= '0' && text.base[i] <= '9';
        /* A number that is too large stays so, however many digits follow. */
        if (number <= UINT64_MAX / 10 - 1)
            number = number * 10 + (uint64_t)(text.base[i] - '0');
    }
    if (!valid || number == 0) {
        tw_reply_error(req, error);
        return false;
    }
    *value = number < max ? number : max;
    return true;
}

/* What X-Forwarded-For tells, read from its end. */
typedef enum tw_forwarded {
    TW_FORWARDED_FOREIGN,  /* the first address that is not a trusted proxy's is the client's */
    TW_FORWARDED_TRUSTED,  /* all addresses are trusted proxies', or there are none */
    TW_FORWARDED_NONSENSE, /* an item is not an address */
} tw_forwarded_t;

typedef struct tw_forwarded_client {
    tw_text_t text; /* as the proxy wrote it; in the request */
    tw_address_t address;
} tw_forwarded_client_t;

/* Removes blanks, brackets and a port: 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:80. */
static tw_text_t bare_address(tw_text_t text)
{
    text = tw_text_trim(text);
    const char *from = text.base, *to = from + text.len, *colon;

    if (from < to && *from == '[') {
        const char *close = memchr(from, ']', text.len);
        if (close != NULL && (close + 1 == to || close[1] == ':'))
            return tw_text(from + 1, (size_t)(close - from - 1));
    }
    colon = from < to ? memchr(from, ':', text.len) : NULL;
    if (colon != NULL && memchr(colon + 1, ':', (size_t)(to - colon - 1)) == NULL)
        to = colon;
    return tw_text(from, (size_t)(to - from));
}

/* Sets *found to the last address of the list that is not a trusted proxy's. */
static tw_forwarded_t last_foreign(const tw_limits_t *limits, h2o_iovec_t list,
                                   tw_forwarded_client_t *found)
{
    const char *end = list.base + list.len;

    while (end > list.base) {
        const char *comma = memrchr(list.base, ',', (size_t)(end - list.base));
        const char *item = comma != NULL ? comma + 1 : list.base;

        found->text = bare_address(tw_text(item, (size_t)(end - item)));
        if (!tw_address_parse(found->text, &found->address))
            return TW_FORWARDED_NONSENSE;
        if (!tw_limits_is_proxy(limits, &found->address))
            return TW_FORWARDED_FOREIGN;
        end = comma != NULL ? comma : list.base;
    }
    return TW_FORWARDED_TRUSTED;
}

/* Several headers form one list in their order (RFC 9110 section 5.3): the last item was written by
 * the proxy that is next to the gateway. */
static tw_forwarded_t read_forwarded(const h2o_req_t *req, tw_forwarded_client_t *client)
{
    const tw_limits_t *limits = &tw_worker_of(req)->gateway->limits;
    tw_forwarded_t found = TW_FORWARDED_TRUSTED;

    for (size_t i = req->headers.size; i > 0 && found == TW_FORWARDED_TRUSTED; --i) {
        const h2o_header_t *header = &req->headers.entries[i - 1];
        if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("x-forwarded-for")))
            found = last_foreign(limits, header->value, client);
    }
    return found;
}

/* Whether the peer is a trusted proxy. *peer is its address; all zeros when it has none. */
static bool peer_is_proxy(h2o_conn_t *conn, tw_address_t *peer)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = conn->callbacks->get_peername(conn, (struct sockaddr *)&address);
    const tw_worker_context_t *worker = (const tw_worker_context_t *)conn->ctx;

    *peer = tw_address_of((struct sockaddr *)&address);
    return len != 0 && tw_limits_is_proxy(&worker->gateway->limits, peer);
}

static bool is_proxied(const h2o_req_t *req, tw_address_t *peer)
{
    return peer_is_proxy(req->conn, peer);
}

int tw_request_conn_is_shared(h2o_conn_t *conn)
{
    tw_address_t peer;
    return peer_is_proxy(conn, &peer);
}

void tw_request_peer_text(const h2o_req_t *req, char *text, size_t size)
{
    struct sockaddr_storage address;
    char host[INET6_ADDRSTRLEN] = "";
    socklen_t len = req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&address);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;

    text[0] = '\0';
    if (len == 0)
        return;
    /* A client of a socket on [::] that comes over IPv4 is shown as such. */
    bool mapped = address.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
    if (address.ss_family == AF_INET || mapped) {
        inet_ntop(AF_INET, mapped ? (const void *)&v6->sin6_addr.s6_addr[12] : &v4->sin_addr, host,
                  sizeof(host));
        snprintf(text, size, "%s:%d", host, ntohs(mapped ? v6->sin6_port : v4->sin_port));
    } else if (address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(text, size, "[%s]:%d", host, ntohs(v6->sin6_port));
    }
}

bool tw_request_conn_client(h2o_conn_t *conn, tw_client_key_t *key)
{
    tw_address_t peer;

    if (peer_is_proxy(conn, &peer))
        return false;
    *key = tw_client_key(&peer);
    return true;
}

bool tw_request_proxied(const h2o_req_t *req, tw_text_t *text)
{
    tw_forwarded_client_t client;
    tw_address_t peer;

    *text = tw_text(NULL, 0);
    if (!is_proxied(req, &peer))
        return false;
    if (read_forwarded(req, &client) == TW_FORWARDED_FOREIGN)
        *text = client.text;
    return true;
}

bool tw_request_client(const h2o_req_t *req, tw_client_key_t *key)
{
    tw_forwarded_client_t client;
    tw_address_t peer;

    if (is_proxied(req, &peer)) {
        switch (read_forwarded(req, &client)) {
        case TW_FORWARDED_FOREIGN:
            *key = tw_client_key(&client.address);
            return true;
        case TW_FORWARDED_TRUSTED:
            return false;
        case TW_FORWARDED_NONSENSE:
            break; /* limited like the proxy itself, so that nonsense lifts no limit */
        }
    }
    *key = tw_client_key(&peer);
    return true;
}

/* Too many wrong keys are what wrong keys are refused for; a right one never is, since others may
 * be behind the same address. */
void tw_request_refuse(h2o_req_t *req, tw_error_t error, bool wrong)
{
    bool had_token = error == TW_ERROR_TOKEN_INVALID || error == TW_ERROR_TOKEN_EXPIRED;
    const char *challenge = had_token ? "Bearer error=\"invalid_token\"" : "Bearer";
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_limits_t *limits = &worker->gateway->limits;
    tw_client_key_t client;

    if (wrong && tw_request_client(req, &client)) {
        unsigned wait_s = tw_limits_key_wait_s(limits, &client);
        if (wait_s > 0) {
            tw_reply_error_wait(req, TW_ERROR_TOO_MANY_FAILURES, wait_s);
            return;
        }
        tw_limits_key_failed(limits, &client);
    }
    tw_count(&worker->shard->counters.unauthorized, 1);
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("www-authenticate"), 0, NULL,
                          challenge, strlen(challenge));
    tw_reply_error(req, error);
}

bool tw_request_authorized(h2o_req_t *req)
{
    h2o_iovec_t header = tw_request_header(req, "authorization");
    bool valid = tw_auth_check(&tw_worker_of(req)->gateway->auth, header.base, header.len, NULL);

    if (!valid)
        tw_request_refuse(req, TW_ERROR_UNAUTHORIZED, header.base != NULL);
    return valid;
}
