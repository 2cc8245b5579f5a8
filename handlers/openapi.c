/*
 * GET /openapi.json: the HTTP contract as a document. Its source lies beside this file; no key is
 * needed, since it is the same for every gateway of a version.
 */
#include "handlers/asset.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "tideway_openapi.h"

/* The assembler reads the file. */
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

    tw_reply_add_cors(req);
    tw_reply_asset(req, &document);
}
