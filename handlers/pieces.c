#include "handlers/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "handlers/gateway.h"
#include "handlers/turns.h"

static void send_next(tw_pieces_t *pieces)
{
    h2o_req_t *req = pieces->req;
    h2o_iovec_t piece = pieces->next(pieces);

    if (piece.len == 0 && !pieces->last)
        return;
    pieces->sending = true;
    tw_turn_spend(req, TW_TURN_WRITE_NS(piece.len) + piece.len * pieces->ns_per_byte);
    if (pieces->last)
        pieces->req = NULL;
    /* The final call may free the request, and `pieces` with it. */
    h2o_send(req, &piece, piece.len > 0,
             pieces->last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void on_time(tw_slice_t *slice)
{
    send_next(TW_CONTAINER_OF(slice, tw_pieces_t, later));
}

void tw_pieces_pump(tw_pieces_t *pieces)
{
    if (pieces->req == NULL || pieces->sending)
        return;
    if (pieces->loop != NULL && !tw_loop_has_time(pieces->loop))
        tw_loop_defer(pieces->loop, &pieces->later, on_time);
    else
        send_next(pieces);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    tw_pieces_t *pieces = TW_CONTAINER_OF(generator, tw_pieces_t, generator);

    pieces->sending = false;
    tw_pieces_pump(pieces);
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    tw_pieces_dispose(TW_CONTAINER_OF(generator, tw_pieces_t, generator));
}

void tw_pieces_dispose(tw_pieces_t *pieces)
{
    pieces->req = NULL;
    if (pieces->loop != NULL)
        tw_loop_cancel(pieces->loop, &pieces->later);
}

void tw_pieces_start(tw_pieces_t *pieces, h2o_req_t *req, tw_piece_fn next)
{
    tw_shard_t *shard = tw_worker_of(req)->shard;

    pieces->generator = (h2o_generator_t){.proceed = on_proceed, .stop = on_stop};
    pieces->req = req;
    pieces->next = next;
    pieces->loop = shard != NULL ? &shard->loop : NULL;
    h2o_start_response(req, &pieces->generator);
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
        pieces->req = NULL;
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    } else {
        send_next(pieces);
    }
}

/* --- pieces of what is in memory --- */

typedef struct tw_bytes {
    tw_pieces_t super;
    const char *at;
    size_t left;
    char *owned; /* NULL: the bytes are constant */
} tw_bytes_t;

static void on_bytes_gone(void *data)
{
    tw_bytes_t *self = data;
    tw_pieces_dispose(&self->super);
    free(self->owned);
}

static h2o_iovec_t next_bytes(tw_pieces_t *pieces)
{
    tw_bytes_t *self = (tw_bytes_t *)pieces;
    h2o_iovec_t piece =
        h2o_iovec_init(self->at, self->left < TW_PIECE_BYTES ? self->left : TW_PIECE_BYTES);

    self->at += piece.len;
    self->left -= piece.len;
    pieces->last = self->left == 0;
    return piece;
}

static void send_bytes(h2o_req_t *req, const char *bytes, size_t len, char *owned)
{
    tw_bytes_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_bytes_gone);

    memset(self, 0, sizeof(*self));
    self->at = bytes;
    self->left = len;
    self->owned = owned;
    tw_pieces_start(&self->super, req, next_bytes);
}

void tw_pieces_send_text(h2o_req_t *req, char *text, size_t len)
{
    send_bytes(req, text, len, text);
}

void tw_pieces_send_constant(h2o_req_t *req, const char *bytes, size_t len)
{
    send_bytes(req, bytes, len, NULL);
}
