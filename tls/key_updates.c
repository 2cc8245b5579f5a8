#include "tls/key_updates.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

#define MINUTE_MS 60000
#define COUNT_BITS 8 /* of a connection's mark, above which is the minute that they are of */

_Static_assert(TW_KEY_UPDATES_PER_MINUTE + 1 < 1 << COUNT_BITS, "the count must fit");

static _Atomic uint64_t refused;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int mark_index; /* of the mark among an SSL's extra data: a number, not a pointer */

static void make_index(void)
{
    mark_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (mark_index < 0)
        abort();
}

static void on_key_update(SSL *ssl)
{
    uintptr_t minute = (uintptr_t)(tw_clock_ms() / MINUTE_MS) << COUNT_BITS;
    uintptr_t mark = (uintptr_t)SSL_get_ex_data(ssl, mark_index);

    mark = mark > minute ? mark + 1 : minute + 1;
    SSL_set_ex_data(ssl, mark_index, (void *)mark);
    if (mark - minute <= TW_KEY_UPDATES_PER_MINUTE)
        return;
    /* What is read from here on is the end of the connection. */
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    atomic_fetch_add(&refused, 1);
}

/* OpenSSL calls it for messages of the handshake protocol and alerts, never for data. */
static void on_info(const SSL *ssl, int where, int result)
{
    (void)result;
    if (where == SSL_CB_ACCEPT_LOOP && SSL_get_state(ssl) == TLS_ST_SR_KEY_UPDATE)
        on_key_update((SSL *)ssl);
}

void tw_key_updates_limit(SSL_CTX *context)
{
    pthread_once(&once, make_index);
    SSL_CTX_set_info_callback(context, on_info);
}

const _Atomic uint64_t *tw_key_updates_refused(void)
{
    return &refused;
}
