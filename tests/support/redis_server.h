/**
 * A real redis-server (or sentinel) for one test: on a free loopback port, in a directory of its
 * own, gone with the test process.
 */
#ifndef TW_TEST_REDIS_SERVER_H
#define TW_TEST_REDIS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct tw_test_redis {
    pid_t pid; /* 0: not running */
    uint16_t port;
    char directory[64];
} tw_test_redis_t;

/**
 * Starts redis-server with `options` (a NULL-terminated list of command line arguments, may be
 * NULL) and waits until it accepts connections; fails the test when it does not. A server that ran
 * before keeps its port and directory.
 */
void tw_test_redis_start(tw_test_redis_t *redis, const char *const *options);

/**
 * Starts a TLS-only server whose certificate for localhost is signed by <directory>/ca.pem, as is
 * that of a client in client.pem and client.key there. `options` as above.
 */
void tw_test_redis_start_tls(tw_test_redis_t *redis, const char *const *options);

/** Starts a sentinel that watches the master under the name "main". `lines`, which may be NULL, are
 * added to its configuration. */
void tw_test_redis_start_sentinel(tw_test_redis_t *sentinel, const tw_test_redis_t *master,
                                  const char *lines);

/** Kills it (SIGKILL) and waits for its end. It can be started again. */
void tw_test_redis_kill(tw_test_redis_t *redis);

/** SIGSTOP and SIGCONT. */
void tw_test_redis_pause(const tw_test_redis_t *redis, bool paused);

/** Kills it if it runs, and removes its directory. */
void tw_test_redis_dispose(tw_test_redis_t *redis);

/** Runs redis-cli with these arguments (a NULL-terminated list) and returns what it prints, without
 * the last newline; free() it. */
char *tw_test_redis_cli(const tw_test_redis_t *redis, const char *const *arguments);

#endif
