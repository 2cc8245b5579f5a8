/*
 * A histogram of durations with a fixed relative error, after the idea of HdrHistogram: buckets
 * grow with the value, 128 to an octave, so that any percentile is right within 0.8 %.
 *
 * Recording is a few instructions and never allocates. An object belongs to one thread; merge the
 * histograms of several threads when they have stopped.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Values above this (36 minutes in nanoseconds) are counted in the last bucket. */
#define LOAD_HISTOGRAM_VALUE_MAX ((UINT64_C(1) << 41) - 1)
#define LOAD_HISTOGRAM_SUB_BITS 7
#define LOAD_HISTOGRAM_BUCKETS                                                                     \
    ((size_t)(41 - LOAD_HISTOGRAM_SUB_BITS + 1) << LOAD_HISTOGRAM_SUB_BITS)

typedef struct load_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* UINT64_MAX while nothing was recorded */
    uint64_t max; /* exact, not a bucket's bound */
    uint64_t buckets[LOAD_HISTOGRAM_BUCKETS];
} load_histogram_t;

static inline size_t load_histogram_index(uint64_t value)
{
    if (value > LOAD_HISTOGRAM_VALUE_MAX)
        value = LOAD_HISTOGRAM_VALUE_MAX;
    if (value < UINT64_C(2) << LOAD_HISTOGRAM_SUB_BITS)
        return (size_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - LOAD_HISTOGRAM_SUB_BITS;
    return ((size_t)shift << LOAD_HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

/* Counts `value` `times` times. */
static inline void load_histogram_record_n(load_histogram_t *self, uint64_t value, uint64_t times)
{
    self->count += times;
    self->sum += value * times;
    if (value > self->max)
        self->max = value;
    if (value < self->min)
        self->min = value;
    self->buckets[load_histogram_index(value)] += times;
}

static inline void load_histogram_record(load_histogram_t *self, uint64_t value)
{
    load_histogram_record_n(self, value, 1);
}

void load_histogram_init(load_histogram_t *self);

/* Adds what `from` has counted. */
void load_histogram_merge(load_histogram_t *self, const load_histogram_t *from);

/*
 * The value that `percent` (0 < percent <= 100) of the recorded values do not exceed, rounded up to
 * its bucket's bound but never above the maximum; 0 when nothing was recorded.
 */
uint64_t load_histogram_percentile(const load_histogram_t *self, double percent);

/* The mean, 0 when nothing was recorded. */
double load_histogram_mean(const load_histogram_t *self);

#endif
