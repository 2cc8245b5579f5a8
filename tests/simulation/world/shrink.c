#include "tests/simulation/world/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/world/world.h"

static bool still_breaks(const tw_sim_schedule_t *schedule, const bool *keep,
                         tw_sim_verdict_t verdict)
{
    tw_sim_schedule_t part;

    tw_sim_schedule_copy(&part, schedule, keep);
    bool breaks = tw_sim_world_run(&part) == verdict;
    tw_sim_schedule_dispose(&part);
    return breaks;
}

static void replace(tw_sim_schedule_t *schedule, const bool *keep)
{
    tw_sim_schedule_t part;
    tw_sim_schedule_copy(&part, schedule, keep);
    tw_sim_schedule_dispose(schedule);
    *schedule = part;
}

/* Leaves out pieces of so many entries, each that is not needed; false: all are. */
static bool leave_out(tw_sim_schedule_t *schedule, tw_sim_verdict_t verdict, size_t piece,
                      unsigned *runs)
{
    size_t count = schedule->count;
    bool *keep = tw_alloc(count), any = false;

    memset(keep, true, count);
    /* From the end: what comes late is needed least. */
    for (size_t end = count; end > 0 && *runs > 0; end -= end < piece ? end : piece) {
        size_t start = end < piece ? 0 : end - piece;
        memset(keep + start, false, end - start);
        --*runs;
        if (still_breaks(schedule, keep, verdict))
            any = true;
        else
            memset(keep + start, true, end - start);
    }
    replace(schedule, keep);
    free(keep);
    return any;
}

/* Makes a number of an entry smaller as long as it still breaks. */
static void make_smaller(tw_sim_schedule_t *schedule, tw_sim_verdict_t verdict, unsigned *runs)
{
    for (size_t i = 0; i < schedule->count; ++i)
        for (size_t p = 0; p<TW_SIM_PARAMS && * runs> 0; ++p) {
            int64_t *param = &schedule->entries[i].params[p];
            while (*param > 1 && *runs > 0) {
                int64_t before = *param;
                *param /= 2;
                --*runs;
                if (still_breaks(schedule, NULL, verdict))
                    continue;
                *param = before;
                break;
            }
        }
}

void tw_sim_shrink(tw_sim_schedule_t *schedule, tw_sim_verdict_t verdict, unsigned runs)
{
    for (size_t piece = schedule->count; piece > 0 && runs > 0; piece /= 2)
        while (leave_out(schedule, verdict, piece, &runs) && piece > 1 && runs > 0)
            ;
    while (runs > 0 && leave_out(schedule, verdict, 1, &runs))
        ;
    make_smaller(schedule, verdict, &runs);
}
