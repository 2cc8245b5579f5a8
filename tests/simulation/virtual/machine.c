#include "tests/simulation/virtual/machine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/support/check.h"

#define LOOK_COSTS_NS 5000

static int64_t now_us;
static int64_t spent_ns;
static tw_sim_host_t *host;
static bool log_is_shown;

/* --- time --- */

int64_t tw_sim_now_us(void)
{
    return now_us;
}

void tw_sim_reset(void)
{
    now_us = 0;
    spent_ns = 0;
    host = NULL;
}

void tw_sim_set_now(int64_t us)
{
    tw_check(us >= now_us);
    now_us = us;
}

int64_t tw_sim_take_spent_us(void)
{
    int64_t us = spent_ns / 1000;
    spent_ns = 0;
    return us;
}

tw_sim_host_t *tw_sim_enter(tw_sim_host_t *entered)
{
    tw_sim_host_t *before = host;
    host = entered;
    return before;
}

int64_t tw_sim_wall_us(const tw_sim_host_t *of)
{
    return TW_SIM_EPOCH_US + now_us + (of != NULL ? of->wall_offset_us : 0);
}

/* The prototypes of the C library have attributes that a definition cannot repeat. */
int clock_gettime(clockid_t id, struct timespec *time)
{
    if (id == CLOCK_PROCESS_CPUTIME_ID)
        return (int)syscall(SYS_clock_gettime, id, time);
    spent_ns += LOOK_COSTS_NS;
    int64_t us = (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? tw_sim_wall_us(host)
                                                                      : now_us + 1000000) +
                 spent_ns / 1000;
    time->tv_sec = us / 1000000;
    time->tv_nsec = us % 1000000 * 1000;
    return 0;
}

double tw_sim_cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* --- randomness --- */

ssize_t getrandom(void *out, size_t len, unsigned flags)
{
    static tw_test_random_t nobody;
    tw_test_random_t *random = host != NULL ? &host->random : &nobody;
    unsigned char *to = out;

    for (size_t left = len; left > 0;) {
        uint64_t bits = tw_test_random_next(random);
        size_t piece = left < sizeof(bits) ? left : sizeof(bits);
        memcpy(to, &bits, piece);
        to += piece;
        left -= piece;
    }
    return (ssize_t)len;
}

uint64_t tw_sim_fresh_seed(void)
{
    uint64_t seed = 0;
    tw_check(syscall(SYS_getrandom, &seed, sizeof(seed), 0) == (long)sizeof(seed));
    return seed & 0xffffffff;
}

/* --- the log --- */

void tw_sim_show_log(bool shown)
{
    log_is_shown = shown;
}

static void say_when(const char *who)
{
    printf("%10.6f %-8s ", (double)now_us / 1e6, who);
}

void tw_sim_say(const char *format, ...)
{
    va_list arguments;

    if (!log_is_shown)
        return;
    say_when("");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

bool tw_log_enabled(tw_log_level_t level)
{
    return log_is_shown;
}

void tw_log_write(tw_log_level_t level, const char *message, const tw_log_field_t *fields,
                  size_t count)
{
    if (!log_is_shown)
        return;
    say_when(host != NULL ? host->name : "");
    printf("%s", message);
    for (size_t i = 0; i < count; ++i) {
        if (fields[i].text != NULL)
            printf(" %s=%.*s", fields[i].name, (int)fields[i].text_len, fields[i].text);
        else
            printf(" %s=%" PRId64, fields[i].name, fields[i].number);
    }
    putchar('\n');
}
