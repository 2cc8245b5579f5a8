#include "handlers/cors.h"

#include <string.h>

#include "handlers/gateway.h"

#define ASKED_MAX 32

static h2o_iovec_t header_of(const h2o_req_t *req, const char *name)
{
    ssize_t i = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    return i != -1 ? req->headers.entries[i].value : h2o_iovec_init(NULL, 0);
}

static void add_header(h2o_req_t *req, const char *name, h2o_iovec_t value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, value.base,
                          value.len);
}

void tw_cors_add(h2o_req_t *req)
{
    const tw_cors_t *cors = &tw_worker_of(req)->gateway->cors;
    bool any = cors->origins.any;
    h2o_iovec_t origin = header_of(req, "origin");

    if (!any && cors->origins.count == 0)
        return;
    if (!any)
        h2o_set_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("vary"), 0,
                              H2O_STRLIT("Origin"), 1);
    if (origin.base == NULL ||
        !tw_origins_contain(&cors->origins, tw_text(origin.base, origin.len)))
        return;
    add_header(req, "access-control-allow-origin", any ? h2o_iovec_init(H2O_STRLIT("*")) : origin);
    if (cors->credentials)
        add_header(req, "access-control-allow-credentials", h2o_iovec_init(H2O_STRLIT("true")));
    add_header(req, "access-control-expose-headers",
               h2o_iovec_init(H2O_STRLIT("x-sse-connection-id, retry-after, www-authenticate")));
}

/* RFC 9110 section 5.6.2 */
static bool is_token(tw_text_t text)
{
    for (size_t i = 0; i < text.len; ++i) {
        char c = text.base[i];
        bool alphanumeric = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.len > 0;
}

/* The fields that the page asked for; empty when it asked for none. Pages send headers that the
 * gateway has no use for (tracing, polyfills of EventSource), and fail when one is missing here. */
static h2o_iovec_t asked_headers(h2o_req_t *req)
{
    h2o_iovec_t asked = header_of(req, "access-control-request-headers");
    tw_text_t list = tw_text(asked.base, asked.len), name;
    char *names = h2o_mem_alloc_pool(&req->pool, asked.len * 2 + 1), *to = names;

    for (size_t count = 0; count < ASKED_MAX && tw_text_next_item(&list, &name);) {
        if (!is_token(name))
            continue;
        if (to > names)
            to = stpcpy(to, ", ");
        memcpy(to, name.base, name.len);
        to += name.len;
        ++count;
    }
    return h2o_iovec_init(names, (size_t)(to - names));
}

void tw_cors_add_preflight(h2o_req_t *req, h2o_iovec_t methods)
{
    static const char usual[] =
        "authorization, content-type, last-event-id, x-sse-topic, x-sse-id, x-sse-event";
    h2o_iovec_t headers = asked_headers(req);

    if (headers.len == 0)
        headers = h2o_iovec_init(usual, sizeof(usual) - 1);
    add_header(req, "access-control-allow-methods", methods);
    add_header(req, "access-control-allow-headers", headers);
    add_header(req, "access-control-max-age", h2o_iovec_init(H2O_STRLIT("600")));
}
