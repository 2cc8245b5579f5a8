#include "runtime/redis/openings.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "runtime/join.h"

#define OPENING_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_opening_t, wait)

#define OPEN_TIMEOUT_MS 5000 /* a new stream waits so long for Redis */
/* What a step costs the control loop, and each of its topics. */
#define STEP_NS 2000
#define STEP_TOPIC_NS 1500

static void step(tw_redis_opening_t *opening);
static void on_ready(void *owner, void *data);

void tw_redis_openings_init(tw_redis_openings_t *openings, tw_redis_lanes_t *lanes, tw_hub_t *hub)
{
    openings->lanes = lanes;
    openings->hub = hub;
    TAILQ_INIT(&openings->all);
    TAILQ_INIT(&openings->away);
    for (size_t i = 0; i < TW_LANES_MAX; ++i)
        TAILQ_INIT(&openings->to_catch_up[i]);
}

/* --- steps --- */

static void on_step(tw_slice_t *slice)
{
    tw_redis_opening_t *opening = (tw_redis_opening_t *)slice;
    tw_loop_spend(opening->openings->loop, STEP_NS + opening->uses->count * STEP_TOPIC_NS);
    step(opening);
}

/* Many may wait for the same: each goes on in a slice of its own. */
static void schedule(tw_redis_opening_t *opening)
{
    opening->state = TW_REDIS_OPENING_STEPPING;
    tw_loop_defer(opening->openings->loop, &opening->slice, on_step);
}

static void on_wait_over(tw_redis_wait_t *wait)
{
    schedule(OPENING_OF(wait));
}

/* Done with it here: the worker joins the hub, or says why not. */
static void answer(tw_redis_opening_t *opening, tw_status_t status)
{
    tw_redis_openings_t *openings = opening->openings;

    tw_redis_wait_cancel(&opening->wait);
    tw_loop_cancel(openings->loop, &opening->slice);
    TAILQ_REMOVE(&openings->all, opening, all);
    atomic_fetch_sub(&openings->lanes->common.stats.openings, 1);
    opening->state = TW_REDIS_OPENING_JOINING;
    opening->status = status;
    tw_loop_post(opening->worker, on_ready, opening);
}

static void wait_for_session(tw_redis_opening_t *opening)
{
    opening->state = TW_REDIS_OPENING_AWAY;
    tw_redis_wait_in(&opening->openings->away, &opening->wait);
}

static bool waits_for_routes(tw_redis_opening_t *opening)
{
    for (size_t i = 0; i < opening->uses->count; ++i) {
        tw_redis_route_t *route = opening->uses->routes[i];
        if (!tw_redis_session_up(route->routes->session)) {
            wait_for_session(opening);
            return true;
        }
        if (route->state == TW_REDIS_ROUTE_FOLLOWED)
            continue;
        opening->state = TW_REDIS_OPENING_FOLLOWING;
        tw_redis_wait_in(&route->waits, &opening->wait);
        return true;
    }
    return false;
}

static bool waits_for_inbox(tw_redis_opening_t *opening)
{
    for (size_t i = 0; i < opening->uses->count; ++i) {
        const tw_redis_session_t *session = opening->uses->routes[i]->routes->session;
        if (opening->caught_up[session->index] == session->generation_joined)
            continue;
        opening->state = TW_REDIS_OPENING_CATCHING_UP;
        tw_redis_wait_in(&opening->openings->to_catch_up[session->index], &opening->wait);
        return true;
    }
    return false;
}

/* Has the histories read that are missing. */
static bool waits_for_history(tw_redis_opening_t *opening)
{
    tw_redis_lane_t *lanes = opening->openings->lanes->items;
    tw_redis_route_t *unprimed = NULL;

    for (size_t i = 0; i < opening->uses->count; ++i) {
        tw_redis_route_t *route = opening->uses->routes[i];
        if (route->primed)
            continue;
        tw_redis_history_prime(&lanes[route->routes->session->index].history, route);
        unprimed = route;
    }
    if (unprimed == NULL)
        return false;
    if (unprimed->priming == NULL) {
        wait_for_session(opening); /* it could not be sent */
        return true;
    }
    opening->state = TW_REDIS_OPENING_PRIMING;
    tw_redis_history_when_read(unprimed, &opening->wait);
    return true;
}

static void step(tw_redis_opening_t *opening)
{
    bool resumes = opening->last_event_id != NULL;

    if (opening->openings->stopping)
        answer(opening, TW_UNAVAILABLE);
    else if (!waits_for_routes(opening) &&
             (!resumes || (!waits_for_inbox(opening) && !waits_for_history(opening))))
        answer(opening, TW_OK);
}

/* --- catching up --- */

/* All openings of a turn ask together how far the cluster is in a lane. */
typedef struct tw_redis_position {
    tw_redis_wait_t wait; /* first member: until the inbox was read to where it was */
    tw_redis_openings_t *openings;
    tw_redis_lane_t *lane;
    tw_redis_waits_t waits;
    uint32_t generation;
    uint64_t newest;
} tw_redis_position_t;

static void end_position(tw_redis_position_t *position, bool caught_up)
{
    tw_redis_wait_t *wait;
    while ((wait = TAILQ_FIRST(&position->waits)) != NULL) {
        tw_redis_opening_t *opening = OPENING_OF(wait);
        tw_redis_wait_cancel(wait);
        if (caught_up)
            opening->caught_up[position->lane->session.index] = position->generation;
        schedule(opening);
    }
    free(position);
}

static void on_inbox_there(tw_redis_wait_t *wait)
{
    tw_redis_position_t *position = (tw_redis_position_t *)wait;
    const tw_redis_session_t *session = &position->lane->session;
    bool same = position->generation == session->generation_joined;
    if (same)
        tw_hub_advance(position->openings->hub, session->index, position->newest);
    end_position(position, same);
}

/* {newest number, newest in our inbox} */
static void on_position(const redisReply *reply, void *data)
{
    tw_redis_position_t *position = data;
    tw_redis_wait_t *wait;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        position->newest = strtoull(reply->element[0]->str, NULL, 10);
        position->wait.run = on_inbox_there;
        tw_redis_inbox_when_read(&position->lane->inbox, &position->wait,
                                 strtoull(reply->element[1]->str, NULL, 10));
        return;
    }
    if (reply == NULL) {
        end_position(position, false); /* they ask again in the next session */
        return;
    }
    tw_redis_session_refused(&position->lane->session, "the cluster's position", reply);
    while ((wait = TAILQ_FIRST(&position->waits)) != NULL)
        answer(OPENING_OF(wait), TW_UNAVAILABLE);
    free(position);
}

static void ask_position(tw_redis_openings_t *openings, tw_redis_lane_t *lane)
{
    tw_redis_waits_t *to_catch_up = &openings->to_catch_up[lane->session.index];
    tw_redis_position_t *position = tw_alloc(sizeof(*position));
    tw_redis_wait_t *wait;
    tw_redis_args_t args;

    position->openings = openings;
    position->lane = lane;
    position->generation = lane->session.generation_joined;
    TAILQ_INIT(&position->waits);
    while ((wait = TAILQ_FIRST(to_catch_up)) != NULL) {
        tw_redis_wait_cancel(wait);
        tw_redis_wait_in(&position->waits, wait);
    }
    tw_redis_script_begin_own(&lane->session, &args, TW_REDIS_SCRIPT_FOLLOW);
    tw_redis_session_send(&lane->session, &args, on_position, position);
}

void tw_redis_openings_turn(tw_redis_openings_t *openings)
{
    for (uint32_t i = 0; i < openings->lanes->count; ++i)
        if (!TAILQ_EMPTY(&openings->to_catch_up[i]))
            ask_position(openings, &openings->lanes->items[i]);
}

/* --- beginning and giving up --- */

static void begin(tw_slice_t *slice)
{
    tw_redis_opening_t *opening = (tw_redis_opening_t *)slice;
    tw_redis_openings_t *openings = opening->openings;

    for (size_t i = 0; i < opening->uses->count; ++i)
        opening->uses->routes[i] = tw_redis_route_use(
            &tw_redis_lane_of(openings->lanes, &opening->topics[i])->routes, &opening->topics[i]);
    opening->caught_up = tw_alloc(openings->lanes->count * sizeof(*opening->caught_up));
    opening->deadline_ms = uv_now(openings->loop->uv) + OPEN_TIMEOUT_MS;
    TAILQ_INSERT_TAIL(&openings->all, opening, all);
    atomic_fetch_add(&openings->lanes->common.stats.openings, 1);
    on_step(slice);
}

static void on_request(void *owner, void *data)
{
    tw_redis_opening_t *opening = data;
    opening->wait.run = on_wait_over;
    tw_loop_defer(opening->openings->loop, &opening->slice, begin);
}

void tw_redis_openings_begin(tw_redis_openings_t *openings, tw_subscriber_t *subscriber,
                             const tw_resume_t *resume, tw_opened_fn on_open, void *data)
{
    size_t count = subscriber->topic_count;
    tw_redis_opening_t *opening =
        tw_alloc(sizeof(*opening) + tw_topic_names_size(subscriber->joining, count));

    opening->openings = openings;
    opening->worker = &subscriber->connection->shard->loop;
    opening->subscriber = subscriber;
    opening->on_open = on_open;
    opening->data = data;
    opening->uses = tw_alloc(sizeof(*opening->uses) + count * sizeof(opening->uses->routes[0]));
    opening->uses->openings = openings;
    opening->uses->count = (uint32_t)count;
    tw_topic_names_copy(opening->topics, subscriber->joining, count);
    if (resume != NULL && resume->last_event_id != NULL && resume->last_event_id_len > 0) {
        opening->last_event_id = tw_strndup(resume->last_event_id, resume->last_event_id_len);
        opening->last_event_id_len = resume->last_event_id_len;
    }
    subscriber->opening = opening;
    atomic_fetch_add(&openings->count, 1);
    tw_loop_post(openings->loop, on_request, opening);
}

void tw_redis_openings_expire(tw_redis_openings_t *openings, uint64_t now_ms, bool all)
{
    tw_redis_opening_t *opening;
    while ((opening = TAILQ_FIRST(&openings->all)) != NULL &&
           (all || now_ms >= opening->deadline_ms))
        answer(opening, TW_UNAVAILABLE);
}

void tw_redis_openings_up(tw_redis_openings_t *openings)
{
    tw_redis_wait_wake(&openings->away);
}

/* --- what a stream uses --- */

/* Its worker has said that it is open, or over, or the one right after the other. */
static void settle(tw_slice_t *slice)
{
    tw_redis_uses_t *uses = (tw_redis_uses_t *)slice;
    bool counts = uses->is_open && !uses->is_over;

    tw_loop_spend(uses->openings->loop, STEP_NS + uses->count * STEP_TOPIC_NS);
    for (uint32_t i = 0; i < uses->count; ++i) {
        if (counts != uses->is_counted)
            tw_redis_route_count(uses->routes[i], counts ? 1 : -1);
        if (uses->is_over)
            tw_redis_route_unuse(uses->routes[i]);
    }
    uses->is_counted = counts;
    atomic_fetch_sub(&uses->openings->count, 1);
    if (uses->is_over)
        free(uses);
}

/* The opening is over, and leaves what the stream uses. */
static tw_redis_uses_t *end_opening(tw_redis_opening_t *opening)
{
    tw_redis_uses_t *uses = opening->uses;

    free(opening->caught_up);
    free(opening->last_event_id);
    free(opening);
    return uses;
}

static void on_opened(void *owner, void *data)
{
    tw_redis_uses_t *uses = end_opening(data);

    uses->is_open = true;
    tw_loop_defer(uses->openings->loop, &uses->slice, settle);
}

static void on_closed(void *owner, void *data)
{
    tw_redis_uses_t *uses = data;
    tw_redis_openings_t *openings = uses->openings;

    if (openings->stopped) {
        free(uses);
        return;
    }
    uses->is_over = true;
    if (uses->is_counted)
        atomic_fetch_add(&openings->count, 1);
    tw_loop_defer(openings->loop, &uses->slice, settle);
}

static void on_given_up(void *owner, void *data)
{
    on_closed(owner, end_opening(data));
}

/* --- the worker's part --- */

static void refuse(tw_redis_opening_t *opening, tw_status_t status)
{
    if (opening->subscriber != NULL) {
        opening->subscriber->opening = NULL;
        opening->on_open(opening->data, status, NULL);
    }
    tw_loop_post(opening->openings->loop, on_given_up, opening);
}

/* The hub has the stream. */
static void on_joined(void *data, tw_status_t status, const tw_opening_t *begins)
{
    tw_redis_opening_t *opening = data;
    tw_opened_fn on_open = opening->on_open;
    void *open_data = opening->data;

    if (status != TW_OK) {
        refuse(opening, status);
        return;
    }
    opening->subscriber->opening = opening->uses;
    tw_loop_post(opening->openings->loop, on_opened, opening);
    on_open(open_data, TW_OK, begins);
}

static void on_ready(void *owner, void *data)
{
    tw_redis_opening_t *opening = data;
    tw_status_t status = opening->status;
    const tw_resume_t resume = {.last_event_id = opening->last_event_id,
                                .last_event_id_len = opening->last_event_id_len};

    if (opening->subscriber == NULL)
        status = TW_UNAVAILABLE; /* it was closed meanwhile, and nobody is told */
    else if (status == TW_OK)
        status =
            tw_hub_join(opening->openings->hub, opening->subscriber, &resume, on_joined, opening);
    if (status != TW_OK)
        refuse(opening, status);
}

void tw_redis_openings_close(tw_redis_openings_t *openings, tw_subscriber_t *subscriber)
{
    void *opening = subscriber->opening; /* of one that is LIVE, what it uses */
    bool is_live = subscriber->state == TW_SUBSCRIBER_LIVE;

    if (subscriber->state == TW_SUBSCRIBER_NEW) {
        ((tw_redis_opening_t *)opening)->subscriber = NULL; /* it comes back and finds nobody */
        tw_subscriber_destroy(subscriber);
        return;
    }
    /* The hub forgets a join without a word: its opening ends here. */
    tw_hub_leave(openings->hub, subscriber);
    tw_loop_post(openings->loop, is_live ? on_closed : on_given_up, opening);
}
