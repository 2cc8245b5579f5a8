/**
 * Who may follow and publish what: keys, and tokens in their place.
 *
 * A stream that names a private topic needs a token, from the Authorization header, the query
 * parameter access_token, or the cookie, in this order; the first one counts. A publish carries a
 * key, which may publish everything, or a token from the header or the query. It takes none from a
 * cookie, which browsers send along with requests that other sites have caused. All checks come
 * before anything is asked about topics, so that no answer tells whether one exists. On the thread
 * of the request's worker.
 *
 * It owns nothing but a publisher's reference to its token. Callers: handlers/publish.c,
 * handlers/stream/stream.c.
 */
#ifndef TW_HANDLERS_ACCESS_H
#define TW_HANDLERS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include <h2o.h>

#include "handlers/tokens/token.h"
#include "runtime/model/topic_name.h"

/** How many rates of publishes tokens share; each subject counts in one of them. */
#define TW_TOKEN_RATES 1024

/**
 * Whether a stream on these topics may be opened. If not, the request has been answered. *token is
 * borrowed until the next request is looked at; NULL: none of the topics is private, and no token
 * was looked at.
 */
bool tw_access_may_follow(h2o_req_t *req, const tw_topic_list_t *topics, tw_token_t **token);

/** Who publishes. */
typedef struct tw_publisher {
    size_t rate;       /* for tw_limits_publish_wait_s() */
    tw_token_t *token; /* owned reference; NULL: a key, which may publish everything */
} tw_publisher_t;

/** Finds out who publishes. Returns NULL, or the code of the error that the request has been
 * answered with: then there is nothing to dispose. */
const char *tw_access_publisher(h2o_req_t *req, tw_publisher_t *publisher);

/** Whether the publisher may publish to these topics. If not, the request has been answered with
 * topic_forbidden. */
bool tw_access_may_publish(h2o_req_t *req, const tw_publisher_t *publisher,
                           const tw_topic_list_t *topics);

/** Gives back what the publisher holds, and leaves it empty. */
void tw_publisher_dispose(tw_publisher_t *publisher);

#endif
