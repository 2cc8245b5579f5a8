#include "tests/simulation/world/checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tests/simulation/virtual/machine.h"
#include "tests/simulation/world/world.h"

static tw_sim_verdict_t verdict;
static char text[512];

const char *tw_sim_verdict_label(tw_sim_verdict_t of)
{
    static const char *const labels[] = {
#define X(name, label, promise) label,
        TW_SIM_VERDICT_TABLE(X)
#undef X
    };
    return labels[of];
}

tw_sim_verdict_t tw_sim_verdict(void)
{
    return verdict;
}

const char *tw_sim_verdict_text(void)
{
    return text;
}

void tw_sim_judge_anew(void)
{
    verdict = TW_SIM_NONE;
    text[0] = '\0';
}

void tw_sim_fail(tw_sim_verdict_t broken, const char *format, ...)
{
    va_list arguments;

    if (verdict != TW_SIM_NONE)
        return;
    verdict = broken;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    tw_sim_say("BROKEN %s: %s", tw_sim_verdict_label(broken), text);
}

/* --- once, and in order --- */

/* What is known of each event, for one client: where it came first, and in which part of its items
 * it came last. A gap after which kept events follow begins another part. */
typedef struct tw_sim_sight {
    uint32_t first_at; /* index + 1; 0: it did not come */
    uint32_t part;
    uint32_t count;
} tw_sim_sight_t;

/* Where a client is in one lane. */
typedef struct tw_sim_place {
    uint32_t part;
    const tw_sim_event_t *before;
} tw_sim_place_t;

/* What is of one lane comes once in each part of it. What is of several comes once for each lane of
 * which the client follows a topic of it. */
static void judge_count(const tw_sim_history_t *history, const tw_sim_record_t *record,
                        const tw_sim_item_t *item, tw_sim_sight_t *sight,
                        const tw_sim_place_t *places)
{
    const tw_sim_event_t *event = &history->events[item->event];
    bool lanes[TW_LANES_MAX] = {false};
    uint32_t most = 0;

    ++sight->count;
    for (int i = 0; event->lane < 0 && i < event->topic_count; ++i) {
        uint32_t lane = tw_sim_topic_lane(event->topics[i]);
        if (lanes[lane] || !tw_sim_record_follows(record, history->topics, event->topics[i]))
            continue;
        lanes[lane] = true;
        most += places[lane].part;
    }
    if (event->lane >= 0 ? sight->part == places[event->lane].part : sight->count > most)
        tw_sim_fail(TW_SIM_TWICE, "client %" PRIu32 " got e%" PRIu32 " twice, again at %.6f s",
                    record->client, item->event, (double)item->at_us / 1e6);
    if (event->lane >= 0)
        sight->part = places[event->lane].part;
}

static void judge_item(const tw_sim_history_t *history, const tw_sim_record_t *record, size_t at,
                       const tw_sim_event_t **before)
{
    uint32_t number = record->items[at].event;
    const tw_sim_event_t *event = &history->events[number];
    bool follows = false;

    for (int i = 0; i < event->topic_count; ++i)
        follows |= tw_sim_record_follows(record, history->topics, event->topics[i]);
    if (!follows)
        tw_sim_fail(TW_SIM_WRONG, "client %" PRIu32 " got e%" PRIu32 ", which is not for it",
                    record->client, number);
    if (event->outcome != TW_SIM_ANSWERED || event->seq == 0)
        return; /* one of several lanes has no number */
    if (*before != NULL && (*before)->epoch == event->epoch && (*before)->seq >= event->seq)
        tw_sim_fail(TW_SIM_ORDER,
                    "client %" PRIu32 " got e%" PRIu32 " (number %" PRIu64 ") after e%" PRIu32
                    " (number %" PRIu64 ")",
                    record->client, number, event->seq, (uint32_t)(*before - history->events),
                    (*before)->seq);
    *before = event;
}

static void judge_items(const tw_sim_history_t *history, const tw_sim_record_t *record,
                        tw_sim_sight_t *sights)
{
    tw_sim_place_t places[TW_LANES_MAX];

    for (size_t i = 0; i < TW_LANES_MAX; ++i)
        places[i] = (tw_sim_place_t){.part = 1};
    for (size_t i = 0; i < record->item_count; ++i) {
        const tw_sim_item_t *item = &record->items[i];
        if (item->event == TW_SIM_GAP) {
            tw_sim_place_t *place = &places[tw_sim_topic_lane(item->topic)];
            if (item->begins_anew)
                *place = (tw_sim_place_t){.part = place->part + 1};
            continue;
        }
        if (item->event >= history->event_count) {
            tw_sim_fail(TW_SIM_WRONG, "client %" PRIu32 " got an event that nobody published",
                        record->client);
            return;
        }
        tw_sim_sight_t *sight = &sights[item->event];
        judge_count(history, record, item, sight, places);
        if (sight->first_at == 0)
            sight->first_at = (uint32_t)i + 1;
        int lane = history->events[item->event].lane;
        judge_item(history, record, i, lane >= 0 ? &places[lane].before : NULL);
    }
}

/* --- nothing is lost --- */

/* Whether one event stands before another, as far as that is known: by number, or by time. Two
 * masters at a time have no order. */
static bool stands_before(const tw_sim_event_t *a, const tw_sim_event_t *b)
{
    if (a->seq != 0 && b->seq != 0 && a->epoch == b->epoch)
        return a->seq < b->seq;
    return a->is_left_behind == b->is_left_behind && a->outcome != TW_SIM_PENDING &&
           a->ended_us < b->begun_us;
}

/* (One of several lanes may have come by another one, and tells nothing of this.) */
static bool share_topic(const tw_sim_history_t *history, const tw_sim_record_t *record,
                        const tw_sim_event_t *a, const tw_sim_event_t *b)
{
    for (int i = 0; b->lane >= 0 && i < a->topic_count; ++i)
        if (((a->accepted >> i) & 1) != 0 && tw_sim_event_topic(b, a->topics[i]) >= 0 &&
            tw_sim_record_follows(record, history->topics, a->topics[i]))
            return true;
    return false;
}

/* Whether a gap of one of the event's topics came after it was published and before all that stands
 * behind it. What stands before it may come after the gap: a gap that opens what was missed tells
 * of all of it. Something behind it must have come, or all must have come by now. */
static bool gap_covers(const tw_sim_history_t *history, const tw_sim_record_t *record,
                       const tw_sim_sight_t *sights, const tw_sim_event_t *event)
{
    for (size_t i = 0; i < record->item_count; ++i) {
        const tw_sim_item_t *item = &record->items[i];
        if (item->event == TW_SIM_GAP) {
            if (item->at_us >= event->begun_us && tw_sim_event_topic(event, item->topic) >= 0)
                return true;
            continue;
        }
        const tw_sim_event_t *other = &history->events[item->event];
        if (sights[item->event].first_at == i + 1 && share_topic(history, record, event, other) &&
            stands_before(event, other))
            return false;
    }
    return !record->is_open; /* it was gone before it could get it */
}

static bool is_due(const tw_sim_history_t *history, const tw_sim_record_t *record,
                   const tw_sim_event_t *event)
{
    if (event->outcome != TW_SIM_ANSWERED || event->begun_us < record->since_us ||
        (event->excused != NULL && event->excused[record->client]))
        return false;
    for (int i = 0; i < event->topic_count; ++i)
        if (((event->accepted >> i) & 1) != 0 &&
            tw_sim_record_follows(record, history->topics, event->topics[i]))
            return true;
    return false;
}

static void judge_losses(const tw_sim_history_t *history, const tw_sim_record_t *record,
                         const tw_sim_sight_t *sights)
{
    for (size_t i = 0; i < history->event_count && verdict == TW_SIM_NONE; ++i) {
        const tw_sim_event_t *event = &history->events[i];
        if (sights[i].first_at != 0 || !is_due(history, record, event) ||
            gap_covers(history, record, sights, event))
            continue;
        tw_sim_fail(TW_SIM_LOST,
                    "client %" PRIu32 " (topics %" PRIu32 "+%" PRIu32
                    ") did not get e%zu of topic "
                    "%" PRIu32 ", published at %.6f s, accepted, number %" PRIu64,
                    record->client, record->first_topic, record->topic_count, i, event->topics[0],
                    (double)event->begun_us / 1e6, event->seq);
    }
}

static void judge_owed(const tw_sim_history_t *history, const tw_sim_record_t *record)
{
    for (size_t i = 0; i < record->owed_count; ++i) {
        const tw_sim_owed_t *owed = &record->owed[i];
        const tw_sim_event_t *event = &history->events[owed->event];
        bool told = false;
        for (size_t k = 0; k < record->item_count && !told; ++k)
            told = record->items[k].event == TW_SIM_GAP && record->items[k].topic == owed->topic &&
                   record->items[k].at_us >= event->begun_us;
        if (!told)
            tw_sim_fail(TW_SIM_FALSE_DROP,
                        "e%" PRIu32 " was dropped for topic %" PRIu32
                        " at %.6f s while a stream of "
                        "client %" PRIu32 " was open, which got no gap",
                        owed->event, owed->topic, (double)event->begun_us / 1e6, record->client);
    }
}

void tw_sim_judge_record(const tw_sim_history_t *history, const tw_sim_record_t *record)
{
    if (record->since_us < 0 || history->event_count == 0)
        return;
    tw_sim_sight_t *sights = tw_alloc(history->event_count * sizeof(*sights));
    judge_items(history, record, sights);
    if (verdict == TW_SIM_NONE)
        judge_losses(history, record, sights);
    if (verdict == TW_SIM_NONE && record->is_open)
        judge_owed(history, record);
    free(sights);
}
