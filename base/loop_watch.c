#include "base/loop_watch.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define PERIOD_NS (UINT64_C(30) * 1000000000)
/* Reading a thread's CPU time is a system call, too dear for every turn of a busy loop. */
#define CPU_READ_EVERY_NS UINT64_C(1000000)

static uint64_t thread_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static void raise_to(_Atomic uint64_t *longest, uint64_t us)
{
    if (us > atomic_load_explicit(longest, memory_order_relaxed))
        atomic_store_explicit(longest, us, memory_order_relaxed);
}

static void begin_period(tw_loop_watch_t *watch, uint64_t now_ns)
{
    tw_loop_longest_t *now = &watch->longest[0], *before = &watch->longest[1];
    watch->period_began_ns = now_ns;
    atomic_store(&before->wall_us, atomic_exchange(&now->wall_us, 0));
    atomic_store(&before->cpu_us, atomic_exchange(&now->cpu_us, 0));
}

void tw_loop_watch_turn(tw_loop_watch_t *watch, uv_loop_t *uv)
{
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(uv);
    uint64_t took_us = (now_ns - watch->turned_ns - (idle_ns - watch->idle_ns)) / 1000;
    bool is_first = watch->turned_ns == 0;

    watch->turned_ns = now_ns;
    watch->idle_ns = idle_ns;
    if (now_ns - watch->cpu_read_ns >= CPU_READ_EVERY_NS) {
        uint64_t cpu_ns = thread_cpu_ns();
        if (!is_first)
            raise_to(&watch->longest[0].cpu_us, (cpu_ns - watch->cpu_ns) / 1000);
        watch->cpu_ns = cpu_ns;
        watch->cpu_read_ns = now_ns;
    }
    if (is_first)
        return;
    raise_to(&watch->longest[0].wall_us, took_us);
    if (took_us > TW_LOOP_STALL_US)
        atomic_fetch_add_explicit(&watch->stalls, 1, memory_order_relaxed);
    if (now_ns - watch->period_began_ns >= PERIOD_NS)
        begin_period(watch, now_ns);
}

void tw_loop_watch_init(tw_loop_watch_t *watch, uv_loop_t *uv, const char *name)
{
    int error = uv_loop_configure(uv, UV_METRICS_IDLE_TIME);
    assert(error == 0);
    snprintf(watch->name, sizeof(watch->name), "%s", name);
    watch->period_began_ns = uv_hrtime();
}

static uint64_t longer(const _Atomic uint64_t *a, const _Atomic uint64_t *b)
{
    uint64_t x = atomic_load_explicit(a, memory_order_relaxed);
    uint64_t y = atomic_load_explicit(b, memory_order_relaxed);
    return x > y ? x : y;
}

uint64_t tw_loop_watch_wall_us(const tw_loop_watch_t *watch)
{
    return longer(&watch->longest[0].wall_us, &watch->longest[1].wall_us);
}

uint64_t tw_loop_watch_cpu_us(const tw_loop_watch_t *watch)
{
    return longer(&watch->longest[0].cpu_us, &watch->longest[1].cpu_us);
}
