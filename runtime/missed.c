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

static tw_missed_lane_t *lane_of(const tw_missed_t *missed, uint16_t topic)
{
    return &missed->lanes[missed->set->places[topic]];
}

void tw_missed_init(tw_missed_t *missed, tw_hub_t *hub, tw_lane_set_t *set,
                    const tw_topic_name_t *names, uint16_t topic_count, const tw_resume_t *resume)
{
    const char *id = resume->last_event_id;
    size_t id_len = resume->last_event_id_len;

    *missed = (tw_missed_t){.hub = hub,
                            .names = names,
                            .topic_count = topic_count,
                            .id = tw_strndup(id, id_len),
                            .id_len = id_len,
                            .id_hash = tw_hash(id, id_len),
                            .set = set,
                            .lanes = tw_alloc(set->count * sizeof(tw_missed_lane_t)),
                            .topics = tw_alloc(topic_count * sizeof(tw_missed_topic_t))};
    for (size_t k = 0; k < set->count; ++k)
        missed->lanes[k].begun = tw_hub_position(hub, set->lanes[k]);
    missed->below = lane_of(missed, 0)->begun.seq + 1;
}

void tw_missed_dispose(tw_missed_t *missed)
{
    for (size_t i = 0; i < missed->event_count; ++i)
        tw_event_unref(missed->events[i]);
    free(missed->id);
    free(missed->lanes);
    free(missed->topics);
    free(missed->dropped);
    free(missed->events);
    *missed = (tw_missed_t){0};
}

void tw_missed_restart(tw_missed_t *missed)
{
    tw_missed_t old = *missed;
    const tw_resume_t resume = {.last_event_id = old.id, .last_event_id_len = old.id_len};

    tw_missed_init(missed, old.hub, old.set, old.names, old.topic_count, &resume);
    tw_missed_dispose(&old);
}

/* --- the event that was seen last --- */

/* The id is that of a kept event, which tells of its lane, and of none when it is ambiguous.
 * Returns whether it is. */
static bool settle_by_event(tw_missed_t *missed)
{
    bool any = false;

    for (size_t k = 0; k < missed->set->count; ++k) {
        tw_missed_lane_t *lane = &missed->lanes[k];
        lane->gap = missed->erased ? TW_GAP_EVICTED : TW_GAP_UNKNOWN_ID;
        if (lane->seen.seq == 0)
            continue;
        any = true;
        /* An event that is kept from another epoch does not tell what else was there after it. */
        if (!missed->ambiguous)
            lane->gap = lane->seen.epoch == lane->begun.epoch ? TW_GAP_NONE : TW_GAP_OTHER_EPOCH;
        else
            lane->seen = (tw_position_t){0};
    }
    return any;
}

/* The id is one of the gateway's, with positions; the first one of a lane's epoch counts. */
static void settle_by_positions(tw_missed_t *missed, const tw_position_t *positions, size_t count)
{
    for (size_t k = 0; k < missed->set->count; ++k) {
        tw_missed_lane_t *lane = &missed->lanes[k];
        lane->gap = TW_GAP_OTHER_EPOCH;
        for (size_t i = 0; i < count && lane->gap == TW_GAP_OTHER_EPOCH; ++i) {
            if (positions[i].epoch != lane->begun.epoch)
                continue;
            lane->gap = positions[i].seq > lane->begun.seq ? TW_GAP_UNKNOWN_ID : TW_GAP_NONE;
            if (lane->gap == TW_GAP_NONE)
                lane->seen = positions[i];
        }
    }
}

/* Decides from where on the client has missed events, when all topics have been looked at. */
static void settle_position(tw_missed_t *missed)
{
    tw_position_t positions[TW_LANES_MAX];

    missed->found = true;
    missed->topic = 0;
    if (!settle_by_event(missed)) {
        size_t count = tw_positions_parse(missed->id, missed->id_len, positions);
        if (count > 0)
            settle_by_positions(missed, positions, count);
    }
    for (uint16_t i = 0; i < missed->topic_count; ++i)
        missed->topics[i].taken = lane_of(missed, i)->seen.seq;
}

/* Whether the client may have got what has the id by another lane. */
static bool is_ambiguous(const tw_missed_t *missed, const tw_missed_lane_t *here,
                         const tw_event_t *event)
{
    bool elsewhere = missed->set->count > 1 && event->is_part;
    for (size_t k = 0; k < missed->set->count; ++k)
        elsewhere |= &missed->lanes[k] != here && missed->lanes[k].seen.seq != 0;
    return elsewhere;
}

/* Looks at events from the newest one down. Returns how many; *done says whether there are no more
 * that matter. */
static uint32_t look_at(tw_missed_t *missed, const tw_tail_t *tail, bool *done)
{
    uint32_t top = tw_tail_after(tail, missed->below - 1), i = top;
    tw_missed_lane_t *lane = lane_of(missed, missed->topic);

    for (; i > 0 && top - i < STEP_EVENTS; --i) {
        const tw_event_t *event = tw_tail_at(tail, i - 1);
        missed->below = event->position.seq;
        /* An older one would tell of less. */
        if (event->position.seq <= lane->seen.seq) {
            *done = true;
            return top - i;
        }
        if (tw_event_has_id(event, missed->id, missed->id_len, missed->id_hash)) {
            missed->ambiguous |= is_ambiguous(missed, lane, event);
            lane->seen = event->position;
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
    missed->erased = missed->erased || *tw_topic_index_erased(stripe, name) > 0;
    tw_topic_index_unlock(stripe);
    if (done && ++missed->topic == missed->topic_count)
        settle_position(missed);
    else if (done)
        missed->below = lane_of(missed, missed->topic)->begun.seq + 1;
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
    for (size_t k = 0; k < missed->set->count; ++k)
        if (missed->hub->lanes[missed->set->lanes[k]].last.epoch != missed->lanes[k].begun.epoch)
            return false;
    return true;
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

/* Puts the events of each lane behind those of the one before. */
static void group_by_lane(tw_missed_t *missed)
{
    size_t n = missed->event_count, count = missed->set->count, at = 0;

    missed->lanes[0].events_end = n;
    if (count == 1)
        return;
    tw_event_t **grouped = tw_alloc((n + 1) * sizeof(*grouped));
    uint8_t *lanes = tw_alloc(n + 1);
    for (size_t i = 0; i < n; ++i)
        lanes[i] = (uint8_t)tw_hub_lane_of(missed->hub, &missed->events[i]->topics[0]);
    for (size_t k = 0; k < count; ++k) {
        for (size_t i = 0; i < n; ++i)
            if (lanes[i] == missed->set->lanes[k])
                grouped[at++] = missed->events[i];
        missed->lanes[k].events_end = at;
    }
    free(lanes);
    free(missed->events);
    missed->events = grouped;
}

static size_t events_begin(const tw_missed_t *missed, size_t place)
{
    return place > 0 ? missed->lanes[place - 1].events_end : 0;
}

/* Puts the events of each lane into order. An event that several topics kept stays once; restored
 * events are copies, one for each topic. */
static void sort_events(tw_missed_t *missed)
{
    size_t kept = 0, from = 0;

    group_by_lane(missed);
    if (missed->topic_count == 1)
        return; /* the events of one tail are in order */
    for (size_t k = 0; k < missed->set->count; ++k) {
        size_t first = kept, end = missed->lanes[k].events_end;
        if (from < end)
            qsort(missed->events + from, end - from, sizeof(*missed->events), compare_events);
        for (; from < end; ++from) {
            if (kept > first &&
                compare_events(&missed->events[kept - 1], &missed->events[from]) == 0)
                tw_event_unref(missed->events[from]);
            else
                missed->events[kept++] = missed->events[from];
        }
        missed->lanes[k].events_end = kept;
    }
    missed->event_count = kept;
}

/*
 * Puts blocks with the positions in all lanes between the missed events of a stream that spans
 * them: at the end of each lane, and before that as often as they do not outweigh the events.
 */
static void add_trails(tw_missed_t *missed)
{
    size_t lanes = missed->set->count, count = 0, bytes = 0;
    tw_event_t **events = tw_alloc(2 * missed->event_count * sizeof(*events));
    tw_position_t *at = tw_alloc(lanes * sizeof(*at));

    for (size_t k = 0; k < lanes; ++k)
        at[k] = missed->set->positions[k];
    for (size_t k = 0; k < lanes; ++k) {
        size_t end = missed->lanes[k].events_end;
        for (size_t i = events_begin(missed, k); i < end; ++i) {
            events[count++] = missed->events[i];
            bytes += missed->events[i]->frame_len;
            at[k] = missed->events[i]->position;
            if (i + 1 < end && bytes < lanes * TW_POSITION_ID_SIZE)
                continue;
            events[count++] = tw_hub_trail(at, lanes);
            bytes = 0;
        }
    }
    free(at);
    free(missed->events);
    missed->events = events;
    missed->event_count = count;
}

static void name_gap(tw_missed_t *missed, tw_gap_t gap)
{
    static const uint8_t says[] = {
        [TW_GAP_NONE] = 0, [TW_GAP_EVICTED] = 1, [TW_GAP_UNKNOWN_ID] = 2, [TW_GAP_OTHER_EPOCH] = 3};
    if (says[missed->gap] < says[gap])
        missed->gap = gap;
}

/* All topics of a lane of which it is not known where the client is, else those that lost an event.
 */
static size_t settle_gap(tw_missed_t *missed, tw_topic_name_t *gap_topics)
{
    size_t count = 0;

    for (size_t i = 0; i < missed->dropped_count; ++i) {
        const tw_dropped_t *dropped = &missed->dropped[i];
        size_t begin = events_begin(missed, missed->set->places[dropped->topic]),
               end = lane_of(missed, dropped->topic)->events_end;
        if (begin == end || bsearch(&dropped->seq, missed->events + begin, end - begin,
                                    sizeof(*missed->events), compare_seq) == NULL)
            missed->topics[dropped->topic].lost = true;
    }
    for (uint16_t i = 0; i < missed->topic_count; ++i) {
        tw_gap_t gap = lane_of(missed, i)->gap;
        if (gap == TW_GAP_NONE && missed->topics[i].lost)
            gap = TW_GAP_EVICTED;
        name_gap(missed, gap);
        if (gap != TW_GAP_NONE)
            gap_topics[count++] = missed->names[i];
    }
    return count;
}

size_t tw_missed_settle(tw_missed_t *missed, tw_topic_name_t *gap_topics)
{
    sort_events(missed);
    size_t count = settle_gap(missed, gap_topics);
    for (size_t k = 0; k < missed->set->count; ++k) {
        size_t begin = events_begin(missed, k);
        if (begin < missed->lanes[k].events_end)
            missed->set->positions[k].seq = missed->events[begin]->position.seq - 1;
    }
    if (missed->set->count > 1 && missed->event_count > 0)
        add_trails(missed);
    return count;
}
