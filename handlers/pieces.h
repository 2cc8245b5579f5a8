/**
 * Answers that are written piece by piece: files, pages, and streams of operators.
 *
 * The next piece is made when h2o has taken the one before and the loop has time for it
 * (base/loop.h). So an answer of any size costs its turn no more than a piece, and a client that
 * does not read holds one piece and what its maker refers to. On the request's thread.
 *
 * The maker owns the struct, in the request's pool. Callers: handlers/.
 */
#ifndef TW_HANDLERS_PIECES_H
#define TW_HANDLERS_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "base/loop.h"

/** How large a piece should be at most, bytes: that of a TLS record. */
#define TW_PIECE_BYTES 16384

typedef struct tw_pieces tw_pieces_t;

/**
 * Makes the next piece. Its bytes stay as they are until the next call or the end of the request.
 * Returns an empty one when it has nothing now; tw_pieces_pump() asks again. Sets pieces->last
 * with the last piece, after which it is not called again.
 */
typedef h2o_iovec_t (*tw_piece_fn)(tw_pieces_t *pieces);

/** Embedded as the first member of what makes the pieces, which lies in the request's pool. */
struct tw_pieces {
    h2o_generator_t generator;
    h2o_req_t *req; /* NULL once the client has gone or the answer has ended */
    tw_piece_fn next;
    tw_loop_t *loop;      /* borrowed; NULL on the ops listener, where nothing waits */
    uint64_t ns_per_byte; /* that it costs to make a piece, besides writing it */
    tw_slice_t later;     /* deferred until the loop has time for the next piece */
    bool last;            /* set by `next` */
    bool sending;         /* h2o has not taken the last piece yet */
};

/**
 * Begins the answer, whose status and headers are set, with its first piece. A HEAD is answered
 * without. The struct is all zeros but for ns_per_byte.
 */
void tw_pieces_start(tw_pieces_t *pieces, h2o_req_t *req, tw_piece_fn next);

/** Goes on after an empty piece, when there may be something to send. A no-op while a piece is on
 * its way. */
void tw_pieces_pump(tw_pieces_t *pieces);

/** Answers with this text, which the request's end frees. Status and headers are set. */
void tw_pieces_send_text(h2o_req_t *req, char *text, size_t len);

/** Answers with constant bytes, which are not copied. Status and headers are set. */
void tw_pieces_send_constant(h2o_req_t *req, const char *bytes, size_t len);

/** To be called when the request's pool frees what contains the struct. */
void tw_pieces_dispose(tw_pieces_t *pieces);

#endif
