/*
 * /admin/: the admin UI, whose files are part of the binary. A path that names no file is the
 * address of a view of the UI, so it gets the page. A file that is missing below assets/ belongs to
 * the UI of another version, and is not found.
 *
 * A proxy may have stripped a prefix of the path, so nothing here knows the page's whole address:
 * the page finds its files and the API relative to itself.
 */
#include <string.h>

#include "admin-ui/assets.h"
#include "handlers/asset.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"

#define PAGE "index.html"
#define ASSETS "assets/"

/* The page loads only files of this gateway, and no other page may embed it. */
#define CONTENT_SECURITY_POLICY                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "                   \
    "frame-ancestors 'none'"

static const struct {
    const char *name, *value;
} security_headers[] = {
    {"content-security-policy", CONTENT_SECURITY_POLICY},
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

/* The page names its files relative to itself, so an address further down than /admin/ asks for
 * them below its own folder. Returns the part of the path from `assets/` on, if it has one. */
static h2o_iovec_t asset_part(h2o_iovec_t path)
{
    for (size_t i = 0; i + strlen(ASSETS) <= path.len; ++i)
        if ((i == 0 || path.base[i - 1] == '/') &&
            memcmp(path.base + i, ASSETS, strlen(ASSETS)) == 0)
            return h2o_iovec_init(path.base + i, path.len - i);
    return h2o_iovec_init(NULL, 0);
}

static const tw_ui_asset_t *find_or_page(h2o_iovec_t path)
{
    h2o_iovec_t below_assets = asset_part(path);

    if (below_assets.base != NULL)
        return find(below_assets.base, below_assets.len);
    const tw_ui_asset_t *asset = find(path.base, path.len);
    return asset != NULL ? asset : find(PAGE, strlen(PAGE));
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

void tw_handle_ui(h2o_req_t *req)
{
    static const char left_out[] =
        "The admin UI is not part of this build: it was left out (TIDEWAY_ADMIN_UI=OFF), or not "
        "built before the gateway. './dev build' builds both. The API under /v1/admin/ works.\n";
    const tw_ui_asset_t *asset = find_or_page(tw_routed(req)->parameter);

    add_security_headers(req);
    if (asset != NULL)
        tw_reply_asset(req, asset);
    else if (tw_ui_asset_count == 0)
        tw_reply_text(req, 404, "text/plain; charset=utf-8", left_out, sizeof(left_out) - 1);
    else
        tw_reply_error(req, TW_ERROR_NOT_FOUND);
}
