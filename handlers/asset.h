/**
 * Answers from constant data in the binary: the files of the admin UI, the description of the API.
 * On the thread of the request's worker.
 *
 * Callers: handlers/openapi.c, handlers/ui.c.
 */
#ifndef TW_HANDLERS_ASSET_H
#define TW_HANDLERS_ASSET_H

#include <h2o.h>

#include "admin-ui/assets.h"

/**
 * Answers a GET or HEAD with 200 and the smallest encoding of the asset that the client accepts, or
 * with 304 if the client has that one. Keeps the headers that are set already. The bytes of the
 * asset outlive the request; the struct need not outlive the call.
 */
void tw_reply_asset(h2o_req_t *req, const tw_ui_asset_t *asset);

#endif
