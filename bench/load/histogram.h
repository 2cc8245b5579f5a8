/*
 * A histogram of durations with a fixed relative error, after the idea of HdrHistogram: buckets
 * grow with the value, 128 to an octave, so that any percentile is right within 0.8 %.
 *
 * Recording is a few instructions and never allocates. An object belongs to one thread; merge the
 * histograms of several threads when they have stopped.
 */
#ifndef TW_BENCH_HISTOGRAM_H
#define TW_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Values above this (36 minutes in nanoseconds) are counted in the last bucket. */
#define TW_HISTOGRAM_VALUE_MAX ((UINT64_C(1) << 41) - 1)
#define TW_HISTOGRAM_SUB_BITS 7
#define TW_HISTOGRAM_BUCKETS ((size_t)(41 - TW_HISTOGRAM_SUB_BITS + 1) << TW_HISTOGRAM_SUB_BITS)

typedef struct st_tw_histogram_t {
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* UINT64_MAX while nothing was recorded */
    uint64_t max; /* exact, not a bucket's bound */
    uint64_t buckets[TW_HISTOGRAM_BUCKETS];
} tw_histogram_t;

static inline size_t tw_histogram_index(uint64_t value)
{
    if (value > TW_HISTOGRAM_VALUE_MAX)
        value = TW_HISTOGRAM_VALUE_MAX;
    if (value < UINT64_C(2) << TW_HISTOGRAM_SUB_BITS)
        return (size_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - TW_HISTOGRAM_SUB_BITS;
    return ((size_t)shift << TW_HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

/* Counts `value` `times` times. */
static inline void tw_histogram_record_n(tw_histogram_t *self, uint64_t value, uint64_t times)
{
    self->count += times;
    self->sum += value * times;
    if (value > self->max)
        self->max = value;
    if (value < self->min)
        self->min = value;
    self->buckets[tw_histogram_index(value)] += times;
}

static inline void tw_histogram_record(tw_histogram_t *self, uint64_t value)
{
    tw_histogram_record_n(self, value, 1);
}

void tw_histogram_init(tw_histogram_t *self);

/* Adds what `from` has counted. */
void tw_histogram_merge(tw_histogram_t *self, const tw_histogram_t *from);

/*
 * The value that `percent` (0 < percent <= 100) of the recorded values do not exceed, rounded up to
 * its bucket's bound but never above the maximum; 0 when nothing was recorded.
 */
uint64_t tw_histogram_percentile(const tw_histogram_t *self, double percent);

/* The mean, 0 when nothing was recorded. */
double tw_histogram_mean(const tw_histogram_t *self);

#endif
