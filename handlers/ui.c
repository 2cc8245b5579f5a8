/* /admin/: the admin UI. */
#include "handlers/handlers.h"
#include "handlers/reply.h"

void tw_handle_ui(h2o_req_t *req, tw_path_parameter_t file)
{
    static const char text[] =
        "This gateway was built without the admin UI (TIDEWAY_ADMIN_UI=OFF). The API under "
        "/v1/admin/ works.\n";

    (void)file;
    tw_reply_text(req, 404, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}
