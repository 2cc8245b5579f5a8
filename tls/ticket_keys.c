#include "tls/ticket_keys.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define NAME_BYTES 16
#define KEY_COUNT 2

typedef struct tw_ticket_key {
    unsigned char name[NAME_BYTES];
    unsigned char cipher[32]; /* AES-256-CBC */
    unsigned char mac[32];    /* HMAC-SHA256 */
} tw_ticket_key_t;

struct tw_ticket_keys {
    atomic_uint references;
    long rotation_s;
    pthread_mutex_t lock;            /* guards the fields below */
    int64_t made_ms;                 /* of keys[0], tw_clock_ms() */
    tw_ticket_key_t keys[KEY_COUNT]; /* newest first; keys[1] is random before the first rotation */
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int keys_index; /* of the SSL_CTX's extra data */

static void make_key(tw_ticket_key_t *key)
{
    /* There is no TLS without random numbers. */
    if (RAND_bytes((unsigned char *)key, sizeof(*key)) != 1)
        abort();
}

static void rotate_locked(tw_ticket_keys_t *keys)
{
    memmove(&keys->keys[1], &keys->keys[0], sizeof(keys->keys[0]) * (KEY_COUNT - 1));
    make_key(&keys->keys[0]);
    keys->made_ms = tw_clock_ms();
}

/* More than one rotation is due when the keys were not used for long. */
static void rotate_if_due_locked(tw_ticket_keys_t *keys)
{
    int64_t age_ms = tw_clock_ms() - keys->made_ms;
    int64_t rotation_ms = (int64_t)keys->rotation_s * 1000;

    if (age_ms >= rotation_ms * KEY_COUNT)
        rotate_locked(keys);
    if (age_ms >= rotation_ms)
        rotate_locked(keys);
}

tw_ticket_keys_t *tw_ticket_keys_create(long rotation_s)
{
    tw_ticket_keys_t *keys = tw_alloc(sizeof(*keys));
    size_t i;

    assert(rotation_s > 0);
    atomic_init(&keys->references, 1);
    keys->rotation_s = rotation_s;
    pthread_mutex_init(&keys->lock, NULL);
    keys->made_ms = tw_clock_ms();
    for (i = 0; i < KEY_COUNT; ++i)
        make_key(&keys->keys[i]);
    return keys;
}

tw_ticket_keys_t *tw_ticket_keys_ref(tw_ticket_keys_t *keys)
{
    atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);
    return keys;
}

void tw_ticket_keys_unref(tw_ticket_keys_t *keys)
{
    if (keys == NULL || atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&keys->lock);
    OPENSSL_cleanse(keys, sizeof(*keys));
    free(keys);
}

void tw_ticket_keys_rotate(tw_ticket_keys_t *keys)
{
    pthread_mutex_lock(&keys->lock);
    rotate_locked(keys);
    pthread_mutex_unlock(&keys->lock);
}

/* Copies the newest key, for a NULL `name`, or the key of this name. Returns 1 for the newest key,
 * 2 for an older one, 0 when there is no such key. */
static int find_key(tw_ticket_keys_t *keys, const unsigned char *name, tw_ticket_key_t *found)
{
    int result = 0;
    int i;

    pthread_mutex_lock(&keys->lock);
    rotate_if_due_locked(keys);
    for (i = 0; i < KEY_COUNT && result == 0; ++i) {
        if (name == NULL || CRYPTO_memcmp(name, keys->keys[i].name, NAME_BYTES) == 0) {
            *found = keys->keys[i];
            result = i == 0 ? 1 : 2;
        }
    }
    pthread_mutex_unlock(&keys->lock);
    return result;
}

static int set_mac_key(EVP_MAC_CTX *mac, tw_ticket_key_t *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, parameters);
}

/*
 * OpenSSL encrypts (`encrypting`) or decrypts a ticket. Returns, as in
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 continue, 2 continue and give the client a new ticket,
 * 0 no such key (a full handshake follows), -1 error.
 */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int encrypting)
{
    tw_ticket_keys_t *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index);
    tw_ticket_key_t key;
    int result;
    int ready;

    if (encrypting) {
        result = find_key(keys, NULL, &key);
        memcpy(name, key.name, NAME_BYTES);
        ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
    } else {
        result = find_key(keys, name, &key);
        if (result == 0)
            return 0;
        ready = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
    }
    ready = ready && set_mac_key(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    return ready ? result : -1;
}

static void on_context_freed(void *context, void *keys, CRYPTO_EX_DATA *all, int index, long argl,
                             void *argp)
{
    tw_ticket_keys_unref(keys);
}

static void make_index(void)
{
    keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_freed);
    if (keys_index < 0)
        abort();
}

void tw_ticket_keys_attach(tw_ticket_keys_t *keys, SSL_CTX *context)
{
    pthread_once(&index_once, make_index);
    assert(SSL_CTX_get_ex_data(context, keys_index) == NULL);
    if (!SSL_CTX_set_ex_data(context, keys_index, tw_ticket_keys_ref(keys)) ||
        !SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key))
        abort();
}
