#include "tls/error.h"

#include <openssl/err.h>
#include <stdio.h>

static const char *status_text(tw_tls_status_t status)
{
    switch (status) {
#define X(name, value, text)                                                                       \
    case TW_TLS_##name:                                                                            \
        return text;
        TW_TLS_ERROR_TABLE(X)
#undef X
    case TW_TLS_OK:
        break;
    }
    return "";
}

int tw_tls_fail(tw_tls_error_t *error, tw_tls_status_t status, const char *subject,
                const char *detail)
{
    if (detail == NULL) {
        unsigned long code = ERR_get_error();
        detail = code != 0 ? ERR_reason_error_string(code) : NULL;
    }
    if (error != NULL)
        snprintf(error->text, sizeof(error->text), "%s %s%s%s", subject, status_text(status),
                 detail != NULL ? ": " : "", detail != NULL ? detail : "");
    ERR_clear_error();
    return status;
}
