#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define BUFFER_MAX (1u << 20)
#define LINE_MAX_BYTES 4096
#define STOP_WAIT_MS 1000
#define GATHER_NS 2000000

typedef struct tw_log_buffer {
    char *bytes;
    size_t len;
} tw_log_buffer_t;

static struct {
    _Atomic int level;
    bool json;
    int fd;
    bool running;
    bool stopping;
    bool ended;    /* the thread writes nothing more */
    bool sleeping; /* the thread waits for a line */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t over; /* by the monotonic clock */
    tw_log_buffer_t posted, writing;
    _Atomic uint64_t dropped;
    uint64_t dropped_reported;
} state = {.level = TW_LOG_INFO,
           .fd = STDERR_FILENO,
           .lock = PTHREAD_MUTEX_INITIALIZER,
           .filled = PTHREAD_COND_INITIALIZER};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

bool tw_log_enabled(tw_log_level_t level)
{
    return (int)level >= atomic_load_explicit(&state.level, memory_order_relaxed);
}

uint64_t tw_log_dropped(void)
{
    return atomic_load_explicit(&state.dropped, memory_order_relaxed);
}

/* --- one line, in a buffer of fixed size; a line that is too long is cut --- */

typedef struct tw_line {
    char bytes[LINE_MAX_BYTES];
    size_t len;
} tw_line_t;

/* Some room is reserved for the end of a line that is cut. A field needs some room for its value,
 * or it is left out. */
#define LINE_ROOM (LINE_MAX_BYTES - 8)
#define FIELD_ROOM 32

static bool has_room_for(const tw_line_t *line, const tw_log_field_t *field)
{
    return line->len + strlen(field->name) + FIELD_ROOM <= LINE_ROOM;
}

static void put(tw_line_t *line, const char *bytes, size_t len)
{
    size_t room = line->len < LINE_ROOM ? LINE_ROOM - line->len : 0;
    if (len > room)
        len = room;
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

static void put_text(tw_line_t *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Writes a JSON string. Every byte that is not printable ASCII is escaped, so that nothing that a
 * peer sent can break a log line. */
static void put_quoted(tw_line_t *line, const char *text, size_t len)
{
    char escaped[8];

    put(line, "\"", 1);
    for (size_t i = 0; i < len && line->len + sizeof(escaped) < LINE_ROOM; ++i) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            put(line, "\\", 1);
            put(line, text + i, 1);
        } else if (c >= 0x20 && c < 0x7f) {
            put(line, text + i, 1);
        } else {
            put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
        }
    }
    line->bytes[line->len++] = '"';
}

static void put_time(tw_line_t *line)
{
    char text[40];
    int64_t now_ms = tw_clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    len += (size_t)snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(now_ms % 1000));
    put(line, text, len);
}

static void put_number(tw_line_t *line, int64_t number)
{
    char text[24];
    put(line, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

static void format_json(tw_line_t *line, tw_log_level_t level, const char *message,
                        const tw_log_field_t *fields, size_t count)
{
    put_text(line, "{\"time\":\"");
    put_time(line);
    put_text(line, "\",\"level\":\"");
    put_text(line, level_names[level]);
    put_text(line, "\",\"message\":");
    put_quoted(line, message, strlen(message));
    for (size_t i = 0; i < count && has_room_for(line, &fields[i]); ++i) {
        put_text(line, ",\"");
        put_text(line, fields[i].name);
        put_text(line, "\":");
        if (fields[i].text != NULL)
            put_quoted(line, fields[i].text, fields[i].text_len);
        else
            put_number(line, fields[i].number);
    }
    line->bytes[line->len++] = '}';
}

static void format_text(tw_line_t *line, tw_log_level_t level, const char *message,
                        const tw_log_field_t *fields, size_t count)
{
    put_time(line);
    put(line, " ", 1);
    put_text(line, level_names[level]);
    put(line, " ", 1);
    put_text(line, message);
    for (size_t i = 0; i < count && has_room_for(line, &fields[i]); ++i) {
        put(line, " ", 1);
        put_text(line, fields[i].name);
        put(line, "=", 1);
        if (fields[i].text != NULL)
            put_quoted(line, fields[i].text, fields[i].text_len);
        else
            put_number(line, fields[i].number);
    }
}

/* --- writing --- */

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < len; ++i)
        lines += bytes[i] == '\n';
    return lines;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, 100);
            continue;
        }
        if (written <= 0) { /* the disk is full or the pipe is closed: these lines are dropped */
            atomic_fetch_add(&state.dropped, count_lines(bytes, len));
            return;
        }
        bytes += written;
        len -= (size_t)written;
    }
}

static void *write_loop(void *unused)
{
    pthread_mutex_lock(&state.lock);
    for (;;) {
        while (state.posted.len == 0 && !state.stopping) {
            state.sleeping = true;
            pthread_cond_wait(&state.filled, &state.lock);
            state.sleeping = false;
        }
        /* Under load there are tens of thousands of lines a second: one write takes all lines of
         * a few milliseconds. */
        if (!state.stopping && state.posted.len < BUFFER_MAX / 4) {
            pthread_mutex_unlock(&state.lock);
            nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
            pthread_mutex_lock(&state.lock);
        }
        if (state.posted.len == 0)
            break;
        tw_log_buffer_t full = state.posted;
        state.posted = state.writing;
        state.posted.len = 0;
        state.writing = full;
        pthread_mutex_unlock(&state.lock);
        write_all(state.fd, full.bytes, full.len);
        pthread_mutex_lock(&state.lock);
    }
    state.ended = true;
    pthread_cond_signal(&state.over);
    pthread_mutex_unlock(&state.lock);
    return NULL;
}

void tw_log_start(int fd, tw_log_level_t level, bool json)
{
    pthread_condattr_t monotonic;

    state.fd = fd;
    state.json = json;
    atomic_store(&state.level, (int)level);
    state.posted.bytes = tw_alloc(BUFFER_MAX);
    state.writing.bytes = tw_alloc(BUFFER_MAX);
    state.stopping = state.ended = false;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&state.over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&state.thread, NULL, write_loop, NULL) == 0)
        state.running = true;
}

void tw_log_stop(void)
{
    struct timespec until;

    if (!state.running)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_WAIT_MS / 1000;
    pthread_mutex_lock(&state.lock);
    state.stopping = true;
    pthread_cond_signal(&state.filled);
    while (!state.ended && pthread_cond_timedwait(&state.over, &state.lock, &until) == 0)
        ;
    bool ended = state.ended;
    pthread_mutex_unlock(&state.lock);
    /* A reader that does not read blocks the thread in write(); the process ends nevertheless. */
    if (!ended)
        return;
    pthread_join(state.thread, NULL);
    state.running = false;
    free(state.posted.bytes);
    free(state.writing.bytes);
    state.posted = state.writing = (tw_log_buffer_t){0};
}

static bool append(const tw_line_t *line)
{
    if (state.posted.len + line->len > BUFFER_MAX)
        return false;
    memcpy(state.posted.bytes + state.posted.len, line->bytes, line->len);
    state.posted.len += line->len;
    return true;
}

static void finish_line(tw_line_t *line, tw_log_level_t level, const char *message,
                        const tw_log_field_t *fields, size_t count)
{
    line->len = 0;
    (state.json ? format_json : format_text)(line, level, message, fields, count);
    line->bytes[line->len++] = '\n';
}

/* Reports once how many lines are missing, as soon as there is room. */
static void report_dropped(void)
{
    tw_line_t line;
    uint64_t dropped = tw_log_dropped();

    if (dropped == state.dropped_reported || state.posted.len > BUFFER_MAX / 2)
        return;
    const tw_log_field_t field =
        tw_log_number("lines", (int64_t)(dropped - state.dropped_reported));
    state.dropped_reported = dropped;
    finish_line(&line, TW_LOG_WARN,
                "log lines dropped: stderr is not read fast enough, or cannot be written", &field,
                1);
    append(&line);
}

void tw_log_write(tw_log_level_t level, const char *message, const tw_log_field_t *fields,
                  size_t count)
{
    tw_line_t line;

    if (!tw_log_enabled(level))
        return;
    finish_line(&line, level, message, fields, count);
    if (!state.running) {
        write_all(state.fd, line.bytes, line.len);
        return;
    }
    pthread_mutex_lock(&state.lock);
    report_dropped();
    if (!append(&line))
        atomic_fetch_add(&state.dropped, 1);
    bool wake = state.sleeping;
    state.sleeping = false;
    pthread_mutex_unlock(&state.lock);
    if (wake)
        pthread_cond_signal(&state.filled);
}
