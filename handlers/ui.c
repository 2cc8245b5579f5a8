/*
 * /admin/: the admin UI, out of the binary. Paths that name no file are addresses of the UI's own
 * views, so they get its page; what is missing below assets/ is a part of another version's UI.
 */
#include <string.h>

#include "admin-ui/assets.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request.h"

#define PAGE "index.html"
#define ASSETS "assets/"
#define ETAG_HASH_LEN 32

/* Nothing but this gateway's own files, and no other page around it. */
#define CONTENT_SECURITY_POLICY                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "                   \
    "frame-ancestors 'none'"

static const struct {
    const char *name, *value;
} security_headers[] = {
    {"content-security-policy", CONTENT_SECURITY_POLICY},
    {"x-content-type-options", "nosniff"},
    {"referrer-policy", "no-referrer"},
    {"cross-origin-opener-policy", "same-origin"},
    {"cross-origin-resource-policy", "same-origin"},
    {"permissions-policy", "camera=(), geolocation=(), microphone=()"},
};

static const tw_ui_asset_t *find(const char *path, size_t len)
{
    for (size_t i = 0; i < tw_ui_asset_count; ++i)
        if (strlen(tw_ui_assets[i].path) == len && memcmp(tw_ui_assets[i].path, path, len) == 0)
            return &tw_ui_assets[i];
    return NULL;
}

static const tw_ui_asset_t *find_or_page(h2o_iovec_t path)
{
    const tw_ui_asset_t *asset = find(path.base, path.len);
    bool below_assets =
        path.len >= strlen(ASSETS) && memcmp(path.base, ASSETS, strlen(ASSETS)) == 0;

    return asset != NULL || below_assets ? asset : find(PAGE, strlen(PAGE));
}

static void add_header(h2o_req_t *req, const char *name, const char *value, size_t len)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, len);
}

static void add_security_headers(h2o_req_t *req)
{
    for (size_t i = 0; i < sizeof(security_headers) / sizeof(security_headers[0]); ++i)
        add_header(req, security_headers[i].name, security_headers[i].value,
                   strlen(security_headers[i].value));
}

/* The smallest form that the client takes; its name is empty for the plain one. */
static tw_ui_body_t choose_body(const h2o_req_t *req, const tw_ui_asset_t *asset,
                                const char **encoding)
{
    int accepted = h2o_get_compressible_types(&req->headers);

    if (asset->brotli.bytes != NULL && (accepted & H2O_COMPRESSIBLE_BROTLI) != 0) {
        *encoding = "br";
        return asset->brotli;
    }
    if (asset->gzip.bytes != NULL && (accepted & H2O_COMPRESSIBLE_GZIP) != 0) {
        *encoding = "gzip";
        return asset->gzip;
    }
    *encoding = "";
    return asset->plain;
}

/* Each encoding is a representation of its own, so it has a strong tag of its own (RFC 9110 8.8.3).
 */
static h2o_iovec_t etag_of(h2o_req_t *req, const tw_ui_asset_t *asset, const char *encoding)
{
    return h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("\"")),
                      h2o_iovec_init(asset->hash, ETAG_HASH_LEN),
                      h2o_iovec_init(encoding, strlen(encoding)), h2o_iovec_init(H2O_STRLIT("\"")));
}

/* If-None-Match, RFC 9110 13.1.2: a list of tags, compared weakly, or `*`. */
static bool client_has(const h2o_req_t *req, h2o_iovec_t etag)
{
    h2o_iovec_t list = tw_request_header(req, "if-none-match");
    const char *tag;
    size_t len;

    while (list.base != NULL && (tag = h2o_next_token(&list, ',', &len, NULL)) != NULL) {
        if (len >= 2 && memcmp(tag, "W/", 2) == 0)
            tag += 2, len -= 2;
        if ((len == 1 && *tag == '*') || (len == etag.len && memcmp(tag, etag.base, len) == 0))
            return true;
    }
    return false;
}

static void send_asset(h2o_req_t *req, const tw_ui_asset_t *asset)
{
    static h2o_generator_t nothing_follows = {NULL, NULL};
    const char *encoding;
    tw_ui_body_t body = choose_body(req, asset, &encoding);
    h2o_iovec_t etag = etag_of(req, asset, encoding), bytes = h2o_iovec_init(body.bytes, body.len);
    bool unchanged = client_has(req, etag);
    bool head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));

    req->res.status = unchanged ? 304 : 200;
    req->res.reason = unchanged ? "Not Modified" : "OK";
    add_header(req, "etag", etag.base, etag.len);
    add_header(req, "vary", H2O_STRLIT("accept-encoding"));
    if (asset->immutable)
        add_header(req, "cache-control", H2O_STRLIT("public, max-age=31536000, immutable"));
    else
        add_header(req, "cache-control", H2O_STRLIT("no-cache"));
    if (!unchanged) {
        add_header(req, "content-type", asset->content_type, strlen(asset->content_type));
        if (*encoding != '\0')
            add_header(req, "content-encoding", encoding, strlen(encoding));
        req->res.content_length = body.len;
    }
    /* The bytes are constant: sent from where they are, never copied. */
    h2o_start_response(req, &nothing_follows);
    h2o_send(req, &bytes, unchanged || head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void tw_handle_ui(h2o_req_t *req, tw_path_parameter_t file)
{
    static const char left_out[] =
        "The admin UI is not part of this build: it was left out (TIDEWAY_ADMIN_UI=OFF), or not "
        "built before the gateway. './dev build' builds both. The API under /v1/admin/ works.\n";
    const tw_ui_asset_t *asset = find_or_page(file);

    add_security_headers(req);
    if (asset != NULL)
        send_asset(req, asset);
    else if (tw_ui_asset_count == 0)
        tw_reply_text(req, 404, "text/plain; charset=utf-8", left_out, sizeof(left_out) - 1);
    else
        tw_reply_error(req, TW_ERROR_NOT_FOUND);
}
