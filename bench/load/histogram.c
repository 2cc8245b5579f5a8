#include "bench/load/histogram.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void load_histogram_init(load_histogram_t *self)
{
    memset(self, 0, sizeof(*self));
    self->min = UINT64_MAX;
}

void load_histogram_merge(load_histogram_t *self, const load_histogram_t *from)
{
    self->count += from->count;
    self->sum += from->sum;
    if (from->max > self->max)
        self->max = from->max;
    if (from->min < self->min)
        self->min = from->min;
    for (size_t i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++)
        self->buckets[i] += from->buckets[i];
}

/* The largest value that falls into bucket `index`. */
static uint64_t bucket_bound(size_t index)
{
    if (index < (size_t)2 << LOAD_HISTOGRAM_SUB_BITS)
        return index;
    size_t sub_count = (size_t)1 << LOAD_HISTOGRAM_SUB_BITS;
    unsigned shift = (unsigned)(index >> LOAD_HISTOGRAM_SUB_BITS) - 1;
    uint64_t mantissa = (index & (sub_count - 1)) + sub_count;
    return ((mantissa + 1) << shift) - 1;
}

uint64_t load_histogram_percentile(const load_histogram_t *self, double percent)
{
    assert(percent > 0 && percent <= 100);
    if (self->count == 0)
        return 0;
    /* 99.9 has no exact binary form: the tolerance keeps it from asking for one value more. */
    double wanted = percent / 100 * (double)self->count;
    uint64_t rank = (uint64_t)ceil(wanted * (1 - 1e-12)), passed = 0;
    if (rank == 0)
        rank = 1;
    for (size_t i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        passed += self->buckets[i];
        if (passed >= rank) {
            uint64_t bound = bucket_bound(i);
            return bound < self->max ? bound : self->max;
        }
    }
    return self->max;
}

double load_histogram_mean(const load_histogram_t *self)
{
    return self->count == 0 ? 0 : (double)self->sum / (double)self->count;
}
