/*
 * GET /openapi.json: the description of the HTTP API. Its source is beside this file. It needs no
 * key, because it is the same for all gateways of a version.
 */
#include "handlers/asset.h"
#include "handlers/cors.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "tideway_openapi.h"

/* The assembler includes the file. */
__asm__(
    ".pushsection .rodata\n"
    "tw_openapi_bytes:\n.incbin \"" TIDEWAY_OPENAPI_FILE
    "\"\n"
    ".popsection\n");
extern const char tw_openapi_bytes[];

void tw_handle_openapi(h2o_req_t *req)
{
    const tw_ui_asset_t document = {
        .content_type = "application/json",
        .hash = TIDEWAY_OPENAPI_HASH,
        .plain = {tw_openapi_bytes, TIDEWAY_OPENAPI_SIZE},
    };

    tw_cors_add(req);
    tw_reply_asset(req, &document);
}
