/** Answers out of constant data of the binary: the admin UI's files, the API's description. */
#ifndef TW_HANDLERS_ASSET_H
#define TW_HANDLERS_ASSET_H

#include <h2o.h>

#include "admin-ui/assets.h"

/**
 * Answers a GET or HEAD with 200 and the smallest form of the asset that the client takes, or with
 * 304 if it has that one. Adds to the headers that are already set. The asset's bytes outlive the
 * request; the struct need not outlive the call.
 */
void tw_reply_asset(h2o_req_t *req, const tw_ui_asset_t *asset);

#endif
