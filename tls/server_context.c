#include "tls/server_context.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tls/key_updates.h"

/*
 * Every TLS 1.2 suite here has forward secrecy and an AEAD cipher, and HTTP/2 does not prohibit it
 * (RFC 9113 appendix A). AES-128 is first because it is the cheapest with AES instructions.
 */
#define CIPHERS_TLS12                                                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

#define TICKET_ROTATION_S (6L * 60 * 60)

typedef struct tw_tls_retired {
    struct tw_tls_retired *next; /* owned; older */
    SSL_CTX *context;            /* shared: ref */
    int64_t replaced_ms;         /* tw_clock_ms() */
} tw_tls_retired_t;

struct tw_tls_store {
    _Atomic(SSL_CTX *) current; /* shared: ref */
    atomic_llong not_after;     /* seconds since 1970 */
    tw_tls_retired_t *retired;  /* owned; newest first */
    tw_ticket_keys_t *keys;     /* shared: ref; never changes */
    char *chain_path;           /* owned, NULL with an ephemeral certificate; never changes */
    char *key_path;             /* owned; likewise */
};

/* In the format of the wire, each with its length before it, the preferred one first. */
static const unsigned char alpn_protocols[] = "\x02h2\x08http/1.1";

static int on_alpn_select(SSL *ssl, const unsigned char **selected, unsigned char *selected_length,
                          const unsigned char *offered, unsigned offered_length, void *data)
{
    unsigned char *choice;

    if (SSL_select_next_proto(&choice, selected_length, alpn_protocols, sizeof(alpn_protocols) - 1,
                              offered, offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol, RFC 7301 section 3.2 */
    *selected = choice;
    return SSL_TLSEXT_ERR_OK;
}

static void set_protocol(SSL_CTX *context)
{
    /* These are constants: a failure is a mistake in this file. */
    if (!SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(context, CIPHERS_TLS12) ||
        !SSL_CTX_set_ciphersuites(context, CIPHERS_TLS13) ||
        !SSL_CTX_set1_groups_list(context, GROUPS))
        abort();
    /* A client that prefers ChaCha20 has no AES instructions, so it gets that. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, on_alpn_select, NULL);
    tw_key_updates_limit(context);
}

static void set_sessions(SSL_CTX *context, tw_ticket_keys_t *keys)
{
    static const unsigned char id[] = "tideway";

    /* Sessions are resumed by tickets only: a shared cache would need a lock, and memory that
     * clients control. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, id, sizeof(id) - 1);
    SSL_CTX_set_timeout(context, TICKET_ROTATION_S);
    SSL_CTX_set_num_tickets(context, 1); /* a client of HTTP/2 needs one connection */
    tw_ticket_keys_attach(keys, context);
}

SSL_CTX *tw_tls_server_context_create(const tw_certificate_t *certificate, tw_ticket_keys_t *keys,
                                      const char *subject, tw_tls_error_t *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL)
        abort();
    set_protocol(context);
    set_sessions(context, keys);
    ERR_clear_error();
    if (!SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key, certificate->chain,
                                  1)) {
        tw_tls_fail(error, TW_TLS_REFUSED, subject, NULL);
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

/* Makes a context from the files, or from an ephemeral certificate. */
static int make_context(const tw_tls_store_t *store, SSL_CTX **context, time_t *not_after,
                        tw_tls_error_t *error)
{
    const char *subject =
        store->chain_path != NULL ? store->chain_path : "the ephemeral certificate";
    tw_certificate_t *certificate;
    int status;

    if (store->chain_path != NULL)
        status = tw_certificate_load(&certificate, store->chain_path, store->key_path, error);
    else
        status = tw_certificate_create_ephemeral(&certificate, error);
    if (status != 0)
        return status;
    *context = tw_tls_server_context_create(certificate, store->keys, subject, error);
    if (*context == NULL)
        status = TW_TLS_REFUSED;
    else
        *not_after = tw_certificate_not_after(certificate);
    tw_certificate_destroy(certificate);
    return status;
}

int tw_tls_store_create(tw_tls_store_t **store, const char *chain_path, const char *key_path,
                        tw_tls_error_t *error)
{
    tw_tls_store_t *made = tw_alloc(sizeof(*made));
    SSL_CTX *context = NULL;
    time_t not_after = 0;
    int status;

    assert((chain_path == NULL) == (key_path == NULL));
    made->keys = tw_ticket_keys_create(TICKET_ROTATION_S);
    if (chain_path != NULL) {
        made->chain_path = tw_strndup(chain_path, strlen(chain_path));
        made->key_path = tw_strndup(key_path, strlen(key_path));
    }
    status = make_context(made, &context, &not_after, error);
    if (status != 0) {
        tw_tls_store_destroy(made);
        return status;
    }
    atomic_init(&made->current, context);
    atomic_init(&made->not_after, not_after);
    *store = made;
    return TW_TLS_OK;
}

static void free_retired(tw_tls_retired_t **list)
{
    while (*list != NULL) {
        tw_tls_retired_t *gone = *list;
        *list = gone->next;
        SSL_CTX_free(gone->context);
        free(gone);
    }
}

void tw_tls_store_destroy(tw_tls_store_t *store)
{
    if (store == NULL)
        return;
    free_retired(&store->retired);
    SSL_CTX_free(atomic_load(&store->current));
    tw_ticket_keys_unref(store->keys);
    free(store->chain_path);
    free(store->key_path);
    free(store);
}

SSL_CTX *tw_tls_store_context(tw_tls_store_t *store)
{
    return atomic_load_explicit(&store->current, memory_order_acquire);
}

int tw_tls_store_load(const tw_tls_store_t *store, SSL_CTX **context, time_t *not_after,
                      tw_tls_error_t *error)
{
    assert(store->chain_path != NULL);
    return make_context(store, context, not_after, error);
}

void tw_tls_store_replace(tw_tls_store_t *store, SSL_CTX *context, time_t not_after)
{
    tw_tls_retired_t *entry = tw_alloc(sizeof(*entry));
    tw_tls_retired_t **link = &store->retired;
    int64_t now_ms = tw_clock_ms();

    /* The list is ordered by age: all entries behind the first one that is old enough are, too. */
    while (*link != NULL && now_ms - (*link)->replaced_ms <= TW_TLS_CONTEXT_GRACE_S * 1000)
        link = &(*link)->next;
    free_retired(link);

    entry->context = atomic_exchange_explicit(&store->current, context, memory_order_acq_rel);
    entry->replaced_ms = now_ms;
    entry->next = store->retired;
    store->retired = entry;
    atomic_store(&store->not_after, not_after);
}

time_t tw_tls_store_not_after(tw_tls_store_t *store)
{
    return (time_t)atomic_load(&store->not_after);
}

const char *tw_tls_store_chain_path(const tw_tls_store_t *store)
{
    return store->chain_path;
}

const char *tw_tls_store_key_path(const tw_tls_store_t *store)
{
    return store->key_path;
}
