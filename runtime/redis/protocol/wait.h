/**
 * Somebody who waits until a room has something: that the inbox was read up to a number, that a
 * topic is followed, that its history was read. Control loop only.
 *
 * It is embedded in what waits, and is in one list at a time. `run` is called once, after it was
 * taken out of its list; whoever loses interest takes it out.
 *
 * The list belongs to the room, the wait to whoever waits. Callers: runtime/redis/lane/,
 * runtime/redis/openings.c.
 */
#ifndef TW_REDIS_WAIT_H
#define TW_REDIS_WAIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

typedef struct tw_redis_wait tw_redis_wait_t;
typedef TAILQ_HEAD(tw_redis_waits, tw_redis_wait) tw_redis_waits_t;

struct tw_redis_wait {
    TAILQ_ENTRY(tw_redis_wait) link;
    tw_redis_waits_t *list; /* NULL: does not wait */
    uint64_t upto;          /* for those who wait for a number */
    void (*run)(tw_redis_wait_t *wait);
};

/** Waits in this list, behind the others. */
static inline void tw_redis_wait_in(tw_redis_waits_t *list, tw_redis_wait_t *wait)
{
    wait->list = list;
    TAILQ_INSERT_TAIL(list, wait, link);
}

/** Waits no more, if it did. */
static inline void tw_redis_wait_cancel(tw_redis_wait_t *wait)
{
    if (wait->list != NULL)
        TAILQ_REMOVE(wait->list, wait, link);
    wait->list = NULL;
}

/** Calls all that wait now. */
static inline void tw_redis_wait_wake(tw_redis_waits_t *list)
{
    tw_redis_waits_t woken = TAILQ_HEAD_INITIALIZER(woken);
    tw_redis_wait_t *wait;

    TAILQ_CONCAT(&woken, list, link);
    TAILQ_FOREACH(wait, &woken, link)
    wait->list = &woken;
    while ((wait = TAILQ_FIRST(&woken)) != NULL) {
        tw_redis_wait_cancel(wait);
        wait->run(wait);
    }
}

#endif
