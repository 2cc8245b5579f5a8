/**
 * The log: one line for each thing that an operator may want to know, as JSON or text.
 *
 * Lines are formatted by the thread that logs and written by a thread of the log's own, so that a
 * full pipe or disk never blocks a loop. Lines that do not fit into its bounded buffer are dropped
 * and counted, and a line reports their number when there is room again. Any thread.
 *
 * There is one log for the process, and it owns its buffers and its thread. Callers: everybody;
 * server/main.c and server/control.c start and stop it.
 */
#ifndef TW_BASE_LOG_H
#define TW_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum tw_log_level { TW_LOG_DEBUG, TW_LOG_INFO, TW_LOG_WARN, TW_LOG_ERROR } tw_log_level_t;

/** One field of a line; borrowed for the call. Its value is the number when text is NULL. */
typedef struct tw_log_field {
    const char *name;
    const char *text;
    size_t text_len;
    int64_t number;
} tw_log_field_t;

static inline tw_log_field_t tw_log_bytes(const char *name, const char *text, size_t len)
{
    return (tw_log_field_t){.name = name, .text = text, .text_len = len};
}

static inline tw_log_field_t tw_log_text(const char *name, const char *text)
{
    return tw_log_bytes(name, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static inline tw_log_field_t tw_log_number(const char *name, int64_t number)
{
    return (tw_log_field_t){.name = name, .number = number};
}

/** Starts the writing thread. Before that, the calling thread writes its lines itself. fd is
 * borrowed. */
void tw_log_start(int fd, tw_log_level_t level, bool json);

/** Writes the lines that wait, for at most a second, and ends the thread. */
void tw_log_stop(void);

/** Whether lines of this level are written; lets a caller avoid the work of making one. */
bool tw_log_enabled(tw_log_level_t level);

/** How many lines were dropped since the start because the log could not be written. */
uint64_t tw_log_dropped(void);

/** See tw_log(). */
void tw_log_write(tw_log_level_t level, const char *message, const tw_log_field_t *fields,
                  size_t count);

/** Logs a line with at least one field:
 * tw_log(TW_LOG_INFO, "listening", tw_log_text("address", a), tw_log_number("port", 1)). */
#define tw_log(level, message, ...)                                                                \
    tw_log_write(level, message, (const tw_log_field_t[]){__VA_ARGS__},                            \
                 sizeof((const tw_log_field_t[]){__VA_ARGS__}) / sizeof(tw_log_field_t))

#endif
