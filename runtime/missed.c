#include "runtime/missed.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

/* Events that a step looks at, at most; and so many may be left for the end. */
#define STEP_EVENTS 256
/* Topics that get events faster than they are gone through are taken as they are after so many
 * rounds. */
#define ROUNDS_MAX 8
/* What a step costs its loop, nanoseconds: with its lock; for each event whose id is compared; for
 * each that is taken. */
#define STEP_NS 300
#define COMPARE_NS 20
#define TAKE_NS 50

void tw_missed_init(tw_missed_t *missed, tw_hub_t *hub, const tw_topic_name_t *names,
                    uint16_t topic_count, const tw_resume_t *resume)
{
    const char *id = resume->last_event_id;
    size_t id_len = resume->last_event_id_len;

    *missed = (tw_missed_t){.hub = hub,
                            .names = names,
                            .topic_count = topic_count,
                            .id = tw_strndup(id, id_len),
                            .id_len = id_len,
                            .id_hash = tw_hash(id, id_len),
                            .begun = tw_hub_position(hub),
                            .topics = tw_alloc(topic_count * sizeof(tw_missed_topic_t))};
    missed->below = missed->begun.seq + 1;
}

void tw_missed_dispose(tw_missed_t *missed)
{
    for (size_t i = 0; i < missed->event_count; ++i)
        tw_event_unref(missed->events[i]);
    free(missed->id);
    free(missed->topics);
    free(missed->dropped);
    free(missed->events);
    *missed = (tw_missed_t){0};
}

void tw_missed_restart(tw_missed_t *missed)
{
    tw_missed_t old = *missed;
    const tw_resume_t resume = {.last_event_id = old.id, .last_event_id_len = old.id_len};

    tw_missed_init(missed, old.hub, old.names, old.topic_count, &resume);
    tw_missed_dispose(&old);
}

/* --- the event that was seen last --- */

/* Reads the id as one of the gateway's own; returns the reason for a gap when it is none of this
 * epoch. */
static tw_gap_t read_own_id(const tw_missed_t *missed, tw_position_t *seen)
{
    tw_position_t named;

    if (!tw_position_parse(missed->id, missed->id_len, &named))
        return TW_GAP_UNKNOWN_ID;
    if (named.epoch != missed->begun.epoch)
        return TW_GAP_OTHER_EPOCH;
    if (named.seq > missed->begun.seq)
        return TW_GAP_UNKNOWN_ID;
    *seen = named;
    return TW_GAP_NONE;
}

/* Decides from where on the client has missed events, when all topics have been looked at. */
static void settle_position(tw_missed_t *missed)
{
    missed->found = true;
    missed->topic = 0;
    if (missed->seen.seq == 0)
        missed->gap = read_own_id(missed, &missed->seen);
    else if (missed->seen.epoch != missed->begun.epoch)
        missed->gap = TW_GAP_OTHER_EPOCH; /* it does not tell what else was there after it */
    for (uint16_t i = 0; i < missed->topic_count; ++i)
        missed->topics[i].taken = missed->seen.seq;
}

/* Looks at events from the newest one down. Returns how many; *done says whether there are no more
 * that matter. */
static uint32_t look_at(tw_missed_t *missed, const tw_tail_t *tail, bool *done)
{
    uint32_t top = tw_tail_after(tail, missed->below - 1), i = top;

    for (; i > 0 && top - i < STEP_EVENTS; --i) {
        const tw_event_t *event = tw_tail_at(tail, i - 1);
        missed->below = event->position.seq;
        /* An older one would tell of less. */
        if (event->position.seq <= missed->seen.seq) {
            *done = true;
            return top - i;
        }
        if (tw_event_has_id(event, missed->id, missed->id_len, missed->id_hash)) {
            missed->seen = event->position;
            *done = true;
            return top - i + 1;
        }
    }
    *done = i == 0;
    return top - i;
}

static uint64_t look_further(tw_missed_t *missed)
{
    const tw_topic_name_t *name = &missed->names[missed->topic];
    tw_index_stripe_t *stripe = tw_topic_index_lock(&missed->hub->index, name);
    const tw_topic_t *topic = tw_topic_index_find(stripe, name);
    bool done = true;
    uint32_t looked_at = topic != NULL ? look_at(missed, &topic->tail, &done) : 0;
    tw_topic_index_unlock(stripe);

    if (done) {
        missed->below = missed->begun.seq + 1;
        if (++missed->topic == missed->topic_count)
            settle_position(missed);
    }
    return STEP_NS + looked_at * COMPARE_NS;
}

/* --- the events after it --- */

/* Takes note of what the tail has lost that was not taken from it. */
static void note_lost(tw_missed_t *missed, uint16_t topic, const tw_tail_t *tail)
{
    tw_missed_topic_t *of = &missed->topics[topic];
    size_t n = tw_tail_elsewhere(tail, of->taken, NULL);

    of->lost = of->lost || tail->lost_seq > of->taken;
    if (of->lost || n == 0)
        return;
    uint64_t *seqs = tw_alloc(n * sizeof(*seqs));
    tw_tail_elsewhere(tail, of->taken, seqs);
    missed->dropped =
        tw_realloc(missed->dropped, (missed->dropped_count + n) * sizeof(*missed->dropped));
    for (size_t i = 0; i < n; ++i)
        missed->dropped[missed->dropped_count++] = (tw_dropped_t){.seq = seqs[i], .topic = topic};
    free(seqs);
}

/* Takes the next events of the topic, at most `max`. Returns how many there were. */
static uint32_t take(tw_missed_t *missed, uint16_t topic, const tw_tail_t *tail, uint32_t max)
{
    tw_missed_topic_t *of = &missed->topics[topic];

    note_lost(missed, topic, tail);
    uint32_t from = tw_tail_after(tail, of->taken), n = tail->count - from;
    if (n > max)
        n = max;
    if (missed->event_count + n > missed->event_capacity) {
        missed->event_capacity = 2 * (missed->event_count + n);
        missed->events = tw_realloc(missed->events, missed->event_capacity * sizeof(tw_event_t *));
    }
    for (uint32_t i = 0; i < n; ++i)
        missed->events[missed->event_count++] = tw_event_ref(tw_tail_at(tail, from + i));
    if (n > 0)
        of->taken = missed->events[missed->event_count - 1]->position.seq;
    return n;
}

void tw_missed_take_rest(tw_missed_t *missed, uint16_t topic, const tw_tail_t *tail)
{
    take(missed, topic, tail, UINT32_MAX);
}

static uint64_t take_more(tw_missed_t *missed)
{
    const tw_topic_name_t *name = &missed->names[missed->topic];
    tw_index_stripe_t *stripe = tw_topic_index_lock(&missed->hub->index, name);
    const tw_topic_t *topic = tw_topic_index_find(stripe, name);
    uint32_t taken = topic != NULL ? take(missed, missed->topic, &topic->tail, STEP_EVENTS) : 0;
    tw_topic_index_unlock(stripe);

    missed->round_events += taken;
    if (taken < STEP_EVENTS)
        ++missed->topic;
    return STEP_NS + taken * TAKE_NS;
}

bool tw_missed_step(tw_missed_t *missed, uint64_t *ns)
{
    if (!missed->found) {
        *ns = look_further(missed);
        return true;
    }
    if (missed->topic < missed->topic_count) {
        *ns = take_more(missed);
        return true;
    }
    *ns = 0;
    bool more = missed->round_events > STEP_EVENTS && ++missed->rounds < ROUNDS_MAX;
    missed->round_events = 0;
    if (more)
        missed->topic = 0;
    return more;
}

bool tw_missed_is_current(const tw_missed_t *missed)
{
    return missed->hub->last.epoch == missed->begun.epoch;
}

/* --- all of them --- */

static int compare_events(const void *a, const void *b)
{
    uint64_t x = (*(tw_event_t *const *)a)->position.seq,
             y = (*(tw_event_t *const *)b)->position.seq;
    return x < y ? -1 : x > y;
}

static int compare_seq(const void *key, const void *element)
{
    uint64_t x = *(const uint64_t *)key, y = (*(tw_event_t *const *)element)->position.seq;
    return x < y ? -1 : x > y;
}

/* Puts the events into order. An event that several topics kept stays once; restored events are
 * copies, one for each topic. */
static void sort_events(tw_missed_t *missed)
{
    size_t kept = 0;

    if (missed->topic_count == 1 || missed->event_count == 0)
        return; /* the events of one tail are in order */
    qsort(missed->events, missed->event_count, sizeof(*missed->events), compare_events);
    for (size_t i = 0; i < missed->event_count; ++i) {
        if (kept > 0 && compare_events(&missed->events[kept - 1], &missed->events[i]) == 0)
            tw_event_unref(missed->events[i]);
        else
            missed->events[kept++] = missed->events[i];
    }
    missed->event_count = kept;
}

size_t tw_missed_settle(tw_missed_t *missed, tw_topic_name_t *gap_topics)
{
    bool all = missed->gap != TW_GAP_NONE;
    size_t count = 0;

    sort_events(missed);
    for (size_t i = 0; i < missed->dropped_count; ++i) {
        const tw_dropped_t *dropped = &missed->dropped[i];
        if (missed->event_count == 0 || bsearch(&dropped->seq, missed->events, missed->event_count,
                                                sizeof(*missed->events), compare_seq) == NULL)
            missed->topics[dropped->topic].lost = true;
    }
    /* A gap that has a reason already is one of all topics. */
    for (uint16_t i = 0; i < missed->topic_count; ++i)
        if (all || missed->topics[i].lost)
            gap_topics[count++] = missed->names[i];
    if (count > 0 && !all)
        missed->gap = TW_GAP_EVICTED;
    return count;
}
