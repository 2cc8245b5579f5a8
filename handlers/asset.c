#include "handlers/asset.h"

#include <string.h>

#include "handlers/pieces.h"
#include "handlers/request.h"

#define ETAG_HASH_LEN 32

static void add_header(h2o_req_t *req, const char *name, const char *value, size_t len)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, len);
}

/* Returns the smallest encoding that the client accepts. The name is empty when it is not encoded.
 */
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

/* Each encoding is another representation, so it has another strong tag (RFC 9110 section 8.8.3).
 */
static h2o_iovec_t etag_of(h2o_req_t *req, const tw_ui_asset_t *asset, const char *encoding)
{
    return h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("\"")),
                      h2o_iovec_init(asset->hash, ETAG_HASH_LEN),
                      h2o_iovec_init(encoding, strlen(encoding)), h2o_iovec_init(H2O_STRLIT("\"")));
}

/* If-None-Match is a list of tags, which are compared weakly, or `*` (RFC 9110 section 13.1.2). */
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

void tw_reply_asset(h2o_req_t *req, const tw_ui_asset_t *asset)
{
    const char *encoding;
    tw_ui_body_t body = choose_body(req, asset, &encoding);
    h2o_iovec_t etag = etag_of(req, asset, encoding);
    bool unchanged = client_has(req, etag);

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
    tw_pieces_send_constant(req, body.bytes, unchanged ? 0 : body.len);
}
