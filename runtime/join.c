#include "runtime/join.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "runtime/missed.h"

/* What a join costs its loop, nanoseconds, without its request; for each of its topics; and what a
 * resume costs besides its search. */
#define JOIN_NS 3000
#define JOIN_TOPIC_NS 1000
#define RESUME_NS 4000
/* What it costs to sort a missed event and to queue it. */
#define MISSED_EVENT_NS 50

/* A join that waits until its loop has time, or has been posted to it. */
typedef struct tw_join {
    tw_slice_t slice;
    tw_hub_t *hub;
    tw_subscriber_t *subscriber;
    tw_opened_fn on_open;
    void *data;
    tw_opening_t opening;
    bool resumes;
    tw_lane_set_t set;
    tw_missed_t missed;          /* of one that resumes */
    tw_topic_name_t *gap_topics; /* owned; their bytes are those of subscriber->joining */
} tw_join_t;

static void free_join(tw_join_t *join)
{
    tw_missed_dispose(&join->missed);
    tw_lane_set_dispose(&join->set);
    free(join->gap_topics);
    free(join);
}

static void unfollow_all(tw_hub_t *hub, const tw_subscriber_t *subscriber)
{
    int64_t now_ms = tw_clock_ms();
    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        tw_topic_name_t name = tw_subscriber_topic(subscriber, i);
        tw_topic_index_unfollow(&hub->index, &name, subscriber->connection->shard->index, now_ms);
    }
    tw_limit_give(&hub->streams);
    if (!subscriber->spans)
        return;
    pthread_mutex_lock(&hub->order);
    --hub->spanning;
    pthread_mutex_unlock(&hub->order);
}

tw_status_t tw_hub_check_token(tw_hub_t *hub, const tw_subscriber_t *subscriber)
{
    const tw_grant_t *grant = subscriber->grant;

    if (grant == NULL)
        return TW_OK;
    return tw_revocations_check(&hub->revocations, tw_text(grant->subject, grant->subject_len),
                                grant->issued_at_ms);
}

/* JOINING → NEW: the caller destroys it in on_open. */
static void refuse(tw_join_t *join, tw_status_t status)
{
    unfollow_all(join->hub, join->subscriber);
    join->subscriber->state = TW_SUBSCRIBER_NEW;
    join->on_open(join->data, status, NULL);
}

static void on_join(void *owner, void *data)
{
    tw_fanout_t *fanout = owner;
    tw_join_t *join = data;
    tw_subscriber_t *subscriber = join->subscriber;
    tw_status_t status;

    if (subscriber->state == TW_SUBSCRIBER_LEFT) {
        free(subscriber->joining);
        free(subscriber);
    } else if ((status = tw_hub_check_token(join->hub, subscriber)) != TW_OK) {
        /* LIVE streams are closed when their tokens are revoked: nothing comes between this look
         * and the joining. */
        refuse(join, status);
    } else {
        tw_topic_name_t *names = subscriber->joining;
        subscriber->joining = NULL;
        tw_fanout_join(fanout, subscriber, names);
        tw_subscriber_replay(subscriber, join->missed.events, join->missed.event_count);
        join->missed.event_count = 0; /* the subscriber has taken over the references */
        join->on_open(join->data, TW_OK, &join->opening);
        free(names); /* after on_open, since the gap's topics borrow its bytes */
    }
    free_join(join);
}

/* Follows every topic, and takes what is left of what was missed. Called under the order lock. */
static void follow_all(tw_hub_t *hub, tw_join_t *join)
{
    tw_subscriber_t *subscriber = join->subscriber;

    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        const tw_topic_name_t *name = &subscriber->joining[i];
        tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
        tw_topic_t *topic =
            tw_topic_index_follow(&hub->index, stripe, name, subscriber->connection->shard->index);
        if (join->resumes)
            tw_missed_take_rest(&join->missed, i, &topic->tail);
        tw_topic_index_unlock(stripe);
    }
    for (size_t k = 0; k < join->set.count; ++k)
        join->set.positions[k] = hub->lanes[join->set.lanes[k]].last;
    subscriber->spans = join->set.count > 1;
    hub->spanning += subscriber->spans;
}

static void settle_resume(tw_join_t *join, tw_shard_t *shard)
{
    tw_missed_t *missed = &join->missed;
    tw_opening_t *opening = &join->opening;

    join->gap_topics = tw_alloc(missed->topic_count * sizeof(*join->gap_topics));
    opening->topic_count = tw_missed_settle(missed, join->gap_topics);
    opening->topics = join->gap_topics;
    opening->gap = missed->gap;
    tw_count(opening->gap == TW_GAP_NONE ? &shard->counters.resumes_exact
                                         : &shard->counters.resumes_gap,
             1);
    tw_loop_spend(&shard->loop, RESUME_NS + missed->event_count * MISSED_EVENT_NS);
}

/* The call that it posts runs on the same thread, after this function. False: the hub has begun
 * another epoch, in which what was found says nothing. */
static bool start_join(tw_join_t *join)
{
    tw_hub_t *hub = join->hub;
    tw_subscriber_t *subscriber = join->subscriber;
    tw_shard_t *shard = subscriber->connection->shard;

    pthread_mutex_lock(&hub->order);
    bool current = !join->resumes || tw_missed_is_current(&join->missed);
    if (current) {
        follow_all(hub, join);
        tw_loop_post(&shard->loop, on_join, join);
    }
    pthread_mutex_unlock(&hub->order);
    if (!current)
        return false;
    subscriber->join = NULL;
    tw_loop_spend(&shard->loop, JOIN_NS + subscriber->topic_count * JOIN_TOPIC_NS);
    if (join->resumes)
        settle_resume(join, shard);
    join->opening.position = join->set.positions[0];
    join->opening.positions = join->set.positions;
    join->opening.position_count = join->set.count;
    return true;
}

static void on_time_to_search(tw_slice_t *slice);

/* Searches while the loop has time, and joins when that is done. */
static void search(tw_join_t *join)
{
    tw_loop_t *loop = &join->subscriber->connection->shard->loop;
    uint64_t ns;

    while (tw_loop_has_time(loop)) {
        bool goes_on = tw_missed_step(&join->missed, &ns);
        tw_loop_spend(loop, ns);
        if (goes_on)
            continue;
        if (start_join(join))
            return;
        tw_missed_restart(&join->missed);
    }
    tw_loop_defer(loop, &join->slice, on_time_to_search);
}

static void on_time_to_search(tw_slice_t *slice)
{
    search(TW_CONTAINER_OF(slice, tw_join_t, slice));
}

tw_status_t tw_hub_join(tw_hub_t *hub, tw_subscriber_t *subscriber, const tw_resume_t *resume,
                        tw_opened_fn on_open, void *data)
{
    bool resumes = resume != NULL && resume->last_event_id != NULL && resume->last_event_id_len > 0;

    assert(subscriber->state == TW_SUBSCRIBER_NEW);
    /* Open streams must not be closed because of what new ones have missed and do not read. */
    if (resumes && !tw_backlog_may_replay(&hub->backlog))
        return TW_OVER_CAPACITY;
    if (!tw_limit_take(&hub->streams))
        return TW_OVER_CAPACITY;
    tw_join_t *join = tw_alloc(sizeof(*join));
    *join = (tw_join_t){
        .hub = hub, .subscriber = subscriber, .on_open = on_open, .data = data, .resumes = resumes};
    tw_lane_set_init(&join->set, hub, subscriber->joining, subscriber->topic_count);
    subscriber->state = TW_SUBSCRIBER_JOINING;
    if (resumes) {
        subscriber->join = join;
        tw_missed_init(&join->missed, hub, &join->set, subscriber->joining, subscriber->topic_count,
                       resume);
        search(join);
    } else {
        start_join(join);
    }
    return TW_OK;
}

/* Ends a join that has not begun; the subscriber follows no topic yet. */
static void cancel_join(tw_hub_t *hub, tw_subscriber_t *subscriber)
{
    tw_join_t *join = subscriber->join;

    tw_loop_cancel(&subscriber->connection->shard->loop, &join->slice);
    free_join(join);
    subscriber->join = NULL;
    subscriber->state = TW_SUBSCRIBER_NEW;
    tw_limit_give(&hub->streams);
    tw_subscriber_destroy(subscriber);
}

void tw_hub_leave(tw_hub_t *hub, tw_subscriber_t *subscriber)
{
    if (subscriber->join != NULL) {
        cancel_join(hub, subscriber);
        return;
    }
    unfollow_all(hub, subscriber);
    if (subscriber->state == TW_SUBSCRIBER_LIVE) {
        tw_fanout_leave(hub->fanouts[subscriber->connection->shard->index], subscriber);
        tw_subscriber_destroy(subscriber);
    } else {
        assert(subscriber->state == TW_SUBSCRIBER_JOINING);
        tw_subscriber_abandon(subscriber);
    }
}
