/**
 * For log lines that a peer can cause as often as it likes: at most one a second, which says how
 * often the thing has happened since the line before.
 *
 * A limit is all zeros at first and belongs to one thread.
 *
 * It belongs to whoever embeds it. Callers: everybody, on that thread.
 */
#ifndef TW_BASE_LOG_LIMIT_H
#define TW_BASE_LOG_LIMIT_H

#include <stdint.h>

#define TW_LOG_LIMIT_INTERVAL_MS 1000

typedef struct tw_log_limit {
    int64_t logged_ms; /* when the last line was due; 0: none was yet */
    uint64_t count;    /* since then */
} tw_log_limit_t;

/**
 * Counts one occurrence at now_ms, a time above 0 of any clock that never jumps. Returns 0 when
 * nothing is to be logged, else the number of occurrences that the line stands for.
 */
static inline uint64_t tw_log_limit_count(tw_log_limit_t *limit, int64_t now_ms)
{
    uint64_t count = ++limit->count;

    if (limit->logged_ms != 0 && now_ms - limit->logged_ms < TW_LOG_LIMIT_INTERVAL_MS)
        return 0;
    *limit = (tw_log_limit_t){.logged_ms = now_ms};
    return count;
}

#endif
