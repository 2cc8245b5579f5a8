#include "handlers/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/cors.h"
#include "handlers/gateway.h"
#include "handlers/turns.h"

#define MESSAGE_MAX 512
#define ABOUT_MAX 80
#define RETRY_AFTER "1"
#define JSON_BYTE_NS 10 /* what it costs to make a tree of values and its text, for each byte */

static const struct {
    int status;
    const char *code;
    const char *message;
} errors[] = {
#define X(name, status, code, message) {status, code, message},
    TW_ERROR_TABLE(X)
#undef X
};

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return status < 500 ? "Error" : "Internal Server Error";
    }
}

/*
 * The length to announce. An answer on HTTP/2 that precedes the end of the request's body announces
 * none; its frames show where it ends. curl stops reading at the announced length, and then misses
 * the window updates that the rest of its body waits for.
 */
static size_t announced_length(const h2o_req_t *req, size_t len)
{
    bool body_read = req->entity.base != NULL;
    return req->version >= 0x200 && !body_read &&
                   h2o_memis(req->method.base, req->method.len, "POST", 4)
               ? SIZE_MAX
               : len;
}

static void set_head(h2o_req_t *req, int status, const char *content_type)
{
    req->res.status = status;
    req->res.reason = reason_of(status);
    if (content_type != NULL)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                       strlen(content_type));
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, H2O_STRLIT("no-store"),
                   0);
    tw_cors_add(req);
    if (status >= 400 && status < 500 && tw_worker_of(req)->shard != NULL)
        tw_count(&tw_worker_of(req)->shard->counters.bad_requests, 1);
}

void tw_reply_text(h2o_req_t *req, int status, const char *content_type, const char *text,
                   size_t len)
{
    set_head(req, status, content_type);
    req->res.content_length = announced_length(req, len);
    tw_turn_spend(req, TW_TURN_WRITE_NS(len));
    h2o_send_inline(req, text, len);
}

void tw_reply_json(h2o_req_t *req, int status, json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

    json_decref(value);
    if (text == NULL) {
        tw_reply_error(req, TW_ERROR_INTERNAL);
        return;
    }
    size_t len = strlen(text);
    tw_turn_spend(req, len * JSON_BYTE_NS);
    if (len <= TW_PIECE_BYTES) {
        tw_reply_text(req, status, "application/json", text, len);
        free(text);
    } else {
        set_head(req, status, "application/json");
        req->res.content_length = announced_length(req, len);
        tw_pieces_send_text(req, text, len);
    }
}

void tw_reply_pieces(h2o_req_t *req, int status, const char *content_type, tw_pieces_t *pieces,
                     tw_piece_fn next)
{
    set_head(req, status, content_type);
    tw_pieces_start(pieces, req, next);
}

static void reply_message(h2o_req_t *req, tw_error_t error, json_t *message)
{
    if (errors[error].status == 503 &&
        h2o_find_header_by_str(&req->res.headers, H2O_STRLIT("retry-after"), -1) == -1)
        h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("retry-after"), 0, NULL,
                              H2O_STRLIT(RETRY_AFTER));
    tw_reply_json(
        req, errors[error].status,
        json_pack("{s:{s:s,s:o}}", "error", "code", errors[error].code, "message", message));
}

void tw_reply_error(h2o_req_t *req, tw_error_t error)
{
    reply_message(req, error, json_string(errors[error].message));
}

void tw_reply_error_wait(h2o_req_t *req, tw_error_t error, unsigned seconds)
{
    char *text = h2o_mem_alloc_pool(&req->pool, 16);
    int len = snprintf(text, 16, "%u", seconds);

    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("retry-after"), 0, NULL, text,
                          (size_t)len);
    tw_reply_error_text(req, error, "%s; try again in %u %s", errors[error].message, seconds,
                        seconds == 1 ? "second" : "seconds");
}

void tw_reply_error_text(h2o_req_t *req, tw_error_t error, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    reply_message(req, error, tw_json_text(text, strlen(text)));
}

void tw_reply_error_about(h2o_req_t *req, tw_error_t error, const char *text, size_t len)
{
    bool cut = len > ABOUT_MAX;
    tw_reply_error_text(req, error, "\"%.*s%s\": %s", (int)(cut ? ABOUT_MAX : len), text,
                        cut ? "…" : "", errors[error].message);
}

const char *tw_error_code(tw_error_t error)
{
    return errors[error].code;
}

tw_error_t tw_error_of(tw_status_t status)
{
    switch (status) {
    case TW_OVER_CAPACITY:
        return TW_ERROR_OVER_CAPACITY;
    case TW_UNAVAILABLE:
        return TW_ERROR_RUNTIME_UNAVAILABLE;
    case TW_NO_MEMORY:
        return TW_ERROR_NO_MEMORY;
    case TW_NOT_FOUND:
        return TW_ERROR_NOT_FOUND;
    case TW_REVOKED:
        return TW_ERROR_TOKEN_INVALID;
    case TW_FULL:
        return TW_ERROR_TOO_MANY_REVOCATIONS;
    case TW_OK:
        break;
    }
    return TW_ERROR_INTERNAL;
}

void tw_reply_status(h2o_req_t *req, tw_status_t status)
{
    tw_reply_error(req, tw_error_of(status));
}

void tw_reply_h2o_error(h2o_req_t *req, int status, const char *reason, const char *body, int flags)
{
    if ((flags & H2O_SEND_ERROR_HTTP1_CLOSE_CONNECTION) != 0)
        req->http1_is_persistent = 0;
    switch (status) {
    case 404:
        tw_reply_error(req, TW_ERROR_NOT_FOUND);
        break;
    case 405:
        tw_reply_error(req, TW_ERROR_METHOD_NOT_ALLOWED);
        break;
    case 413:
        tw_reply_error_text(req, TW_ERROR_PAYLOAD_TOO_LARGE, "send a body of at most %zu bytes",
                            req->entity_max);
        break;
    case 431:
        tw_reply_error(req, TW_ERROR_HEADERS_TOO_LARGE);
        break;
    case 503:
        tw_reply_error(req, TW_ERROR_OVER_CAPACITY);
        break;
    default:
        tw_reply_error(req, status < 500 ? TW_ERROR_BAD_REQUEST : TW_ERROR_INTERNAL);
        break;
    }
}

json_t *tw_json_text(const char *bytes, size_t len)
{
    static const char replacement[] = "\xef\xbf\xbd";
    json_t *text = json_stringn(bytes, len);
    if (text != NULL)
        return text;
    char *clean = tw_alloc(len * 3 + 1), *to = clean;
    for (size_t i = 0; i < len; ++i) {
        if ((unsigned char)bytes[i] < 0x80) {
            *to++ = bytes[i];
        } else {
            memcpy(to, replacement, 3);
            to += 3;
        }
    }
    text = json_stringn(clean, (size_t)(to - clean));
    free(clean);
    return text;
}
