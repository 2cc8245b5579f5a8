/**
 * Inside of the Redis adapter: this node, as its files share it. Control loop only, but what says
 * otherwise.
 *
 *     adapter.c     the contract's table, the workers' side of it
 *     session.c     connecting, catching up, losing Redis; marks and the probe
 *     routing.c     which topics this node gets, and the streams that wait for them
 *     publishing.c  publishing, what other nodes count
 *     early_drop.c  whether anyone follows, before the body is read
 *     history.c     what was missed, and what a resuming stream needs
 *     registry.c    topics and streams of this node
 *     lease.c       its lease, its coming and going; the burial of dead ones
 *     queries.c     the admin's reads
 *     peers.c       requests between nodes
 */
#ifndef TW_REDIS_NODE_H
#define TW_REDIS_NODE_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <jansson.h>

#include "base/log_limit.h"
#include "base/loop.h"
#include "base/table.h"
#include "runtime/hub.h"
#include "runtime/redis/adapter.h"
#include "runtime/redis/args.h"
#include "runtime/redis/client/client.h"
#include "runtime/redis/codec.h"
#include "runtime/redis/scripts.h"

#define TW_REDIS_LEASE_MS 15000
#define TW_REDIS_LEASE_EVERY_MS 5000
#define TW_REDIS_PROBE_EVERY_MS 1000
#define TW_REDIS_PROBE_TIMEOUT_MS 3000
#define TW_REDIS_OPEN_TIMEOUT_MS 5000 /* a new stream waits so long for Redis */
#define TW_REDIS_PUBLISH_TIMEOUT_MS                                                                \
    5000 /* an accepted event waits so long for its delivery here                                  \
          */
#define TW_REDIS_REGISTER_EVERY_MS 5
#define TW_REDIS_LEAVE_TIMEOUT_MS 3000 /* a stopping node waits so long for Redis */
#define TW_REDIS_HISTORY_MS                                                                        \
    (60 * 60 * 1000)                  /* a topic's events stay so long after the last of them */
#define TW_REDIS_RENEW_EVERY_MS 30000 /* and its time to live is that much longer */
#define TW_REDIS_RENEWED_PLACES 4096
#define TW_REDIS_CHANNELS_PER_COMMAND 256
/* What a step of a stream's opening or closing costs the control loop, and each of its topics. */
#define TW_REDIS_STEP_NS 2000
#define TW_REDIS_STEP_TOPIC_NS 1500
#define TW_REDIS_KEY_MAX (TW_TOPIC_NAME_MAX + 16)

/* name, label: what /readyz says */
#define TW_REDIS_PHASE_TABLE(X)                                                                    \
    X(STOPPED, "the adapter is stopped")                                                           \
    X(DOWN, "Redis is not connected")                                                              \
    X(JOINING, "joining the cluster")                                                              \
    X(SUBSCRIBING, "subscribing to topics again")                                                  \
    X(CATCHING_UP, "catching up with missed events")                                               \
    X(UP, "")

typedef enum tw_redis_phase {
#define X(name, label) TW_REDIS_PHASE_##name,
    TW_REDIS_PHASE_TABLE(X)
#undef X
} tw_redis_phase_t;

typedef struct tw_redis_node tw_redis_node_t;
typedef struct tw_redis_opening tw_redis_opening_t;
typedef struct tw_redis_publish tw_redis_publish_t;
typedef struct tw_redis_call tw_redis_call_t;

typedef TAILQ_HEAD(tw_redis_openings, tw_redis_opening) tw_redis_openings_t;
typedef TAILQ_HEAD(tw_redis_publishes, tw_redis_publish) tw_redis_publishes_t;

/** A topic that this node gets from Redis, or is about to, or has just registered. */
typedef struct tw_redis_route {
    tw_table_entry_t node;
    LIST_ENTRY(tw_redis_route) all;
    TAILQ_ENTRY(tw_redis_route) changed; /* while is_changed */
    uint64_t since;                      /* held: every later event is dispatched here */
    uint32_t users;                      /* openings and streams that need it */
    uint32_t publishes;                  /* events of ours that will come back by it */
    uint32_t streams;                    /* registered or to be registered */
    bool is_changed;                     /* `streams` has to be registered */
    bool asked;                          /* SUBSCRIBE was sent in this session */
    bool subscribed;                     /* and confirmed */
    bool held;                           /* the hub keeps its events */
    bool primed;                         /* and has those of before `since` */
    bool priming;
    bool leaving;                /* UNSUBSCRIBE was sent: whether Redis counts us is not known */
    bool windowing, windowed;    /* its resume window is being opened; is open */
    tw_redis_openings_t waiting; /* until it is subscribed, or primed */
    tw_topic_name_t name;        /* bytes below */
    char bytes[];
} tw_redis_route_t;

/** A stream on its way to being open. The worker owns `subscriber`, on_open and data, Control the
 * rest. */
struct tw_redis_opening {
    tw_slice_t slice; /* first member */
    tw_redis_node_t *node;
    TAILQ_ENTRY(tw_redis_opening) all;  /* in node->openings, until it is answered */
    TAILQ_ENTRY(tw_redis_opening) link; /* in *list */
    tw_redis_openings_t *list;          /* what it waits for; NULL: its next step is scheduled */
    tw_loop_t *worker;
    tw_subscriber_t *subscriber; /* NULL: the stream was closed meanwhile */
    tw_opened_fn on_open;
    void *data;
    char *last_event_id; /* owned; NULL: a fresh stream */
    size_t last_event_id_len;
    uint64_t deadline_ms;
    bool marked; /* the cluster's position was asked for since its routes are there */
    tw_status_t status;
    char *member; /* owned: what the registry says about the stream; NULL until it is open */
    size_t topic_count;
    tw_redis_route_t **routes; /* owned; borrowed routes, one use of each */
    tw_topic_name_t topics[];  /* bytes behind */
};

/** Who waits until everything up to the cluster's newest event has come here. */
typedef struct tw_redis_mark {
    TAILQ_ENTRY(tw_redis_mark) link;
    uint64_t token;
    uint64_t sent_us;
    bool for_session; /* the catching up waits for it */
    tw_redis_openings_t openings;
} tw_redis_mark_t;

/** An event that was published here and waits for its answer. */
struct tw_redis_publish {
    tw_redis_node_t *node;
    tw_table_entry_t by_token;          /* while returns */
    TAILQ_ENTRY(tw_redis_publish) link; /* parked; to_publish; unreturned, while it is replied */
    tw_loop_t *worker;
    tw_event_t *event; /* owned reference */
    tw_published_fn on_done;
    void *data;
    uint64_t token;
    char *body; /* owned until it is sent */
    size_t body_len;
    bool returns;   /* it will come back by a route */
    bool returned;  /* and has been queued by our workers */
    bool in_flight; /* our workers are queueing it */
    bool replied;   /* Redis has answered */
    tw_status_t status;
    uint64_t deadline_ms;
    tw_position_t position;
    uint64_t delivered;
    size_t accepted_count;
    uint8_t *accepted;         /* owned, per topic */
    tw_redis_route_t **routes; /* owned; per topic: pinned, or NULL */
};

/** A published event that waits until the node has caught up. */
typedef struct tw_redis_held {
    uint64_t seq;
    char *body; /* owned */
    size_t len;
} tw_redis_held_t;

/** When the time to live of a topic's history was set last, by us. */
typedef struct tw_redis_renewed {
    uint64_t hash; /* of the topic */
    uint64_t at_ms;
} tw_redis_renewed_t;

typedef struct tw_redis_held_list {
    tw_redis_held_t *items; /* owned */
    size_t count, capacity;
    size_t bytes;
} tw_redis_held_list_t;

struct tw_redis_node {
    tw_adapter_t super;
    tw_hub_t *hub;              /* borrowed */
    const tw_node_info_t *info; /* borrowed */
    tw_redis_access_t access;
    char client_name[32];
    char sha[TW_REDIS_SCRIPT_COUNT][TW_REDIS_SHA_LEN + 1];
    uint64_t origin; /* this process, in the events that it publishes */
    uint32_t
        keep; /* events in a topic's stream: one more than a tail, which proves the tail whole */

    tw_loop_t *loop;   /* borrowed: the control loop, by which workers reach us */
    uv_prepare_t turn; /* the end of each turn: sends what the turn has gathered */
    uv_timer_t pulse;  /* every 250 ms */
    uv_timer_t registering;
    unsigned handles;
    unsigned steps; /* scheduled by tw_redis_schedule() and not begun */
    void (*on_stopped)(void *data);
    void *stop_data;
    bool stopping, stopped;
    _Atomic uint64_t openings_open, publishes_open; /* those that a worker may still post about */
    unsigned peer_reads;                            /* questions of others that workers answer */

    /* session */
    tw_redis_client_t *commands, *pushes; /* owned */
    bool commands_up, pushes_up;
    tw_redis_server_t server;               /* what `commands` talks to, or did last */
    char pushes_run[TW_REDIS_IDENTITY_MAX]; /* the identity of what `pushes` talks to */
    _Atomic int phase;                      /* tw_redis_phase_t; written by the control loop */
    char last_reason[TW_REDIS_ERROR_MAX];   /* of the last failure that was logged */
    uint64_t epoch;                         /* 0: never joined */
    uint64_t epoch_start;                   /* the number before its first */
    uint64_t last;      /* newest number that was dispatched or passed over here */
    uint64_t floor;     /* see LEASE */
    size_t unconfirmed; /* channels that are asked for, in this session */
    tw_redis_route_t *resubscribe_next;
    bool own_channel_confirmed;
    TAILQ_HEAD(tw_redis_marks, tw_redis_mark) marks;
    TAILQ_HEAD(tw_redis_calls, tw_redis_call) calls;
    tw_redis_openings_t to_mark; /* go with the next mark */
    uint64_t next_token;
    uint64_t up_at_ms, probe_sent_ms, leased_at_ms;
    tw_log_limit_t refusals; /* lines about errors that Redis returned */
    bool leasing, burying;
    char *peers; /* owned: ids of the live nodes but us, NUL after each, an empty one at the end */

    /* routing */
    tw_table_t routes;
    LIST_HEAD(tw_redis_route_list, tw_redis_route) all_routes;
    TAILQ_HEAD(tw_redis_changed, tw_redis_route) changed_routes;
    size_t changed_count;
    tw_redis_openings_t openings;    /* all that are not answered, oldest first */
    tw_redis_openings_t waiting;     /* those that wait for the session */
    tw_redis_route_t **to_subscribe; /* owned */
    size_t to_subscribe_count, to_subscribe_capacity;

    /* history */
    tw_redis_held_list_t held;
    tw_redis_route_t *fill_next;
    unsigned fills_pending;
    uint64_t fill_after, caught_up_to;
    uint64_t backlog_lost_to; /* not 0: what was held was too much, and nothing up to there is */
    bool epoch_changed;       /* and the streams were not told yet */

    /* publishing */
    tw_table_t publishes;            /* by token */
    tw_redis_publishes_t to_publish; /* gathered in this turn */
    tw_redis_publishes_t unreturned;
    tw_redis_renewed_t renewed[TW_REDIS_RENEWED_PLACES];
    tw_table_t counts;         /* what other nodes count, by topic */
    struct tw_redis_ask *asks; /* early drops of this turn, a list */
    /* What waits until a channel is left: only then Redis' counts are those of others. */
    struct tw_redis_ask *parked_asks;
    tw_redis_publishes_t parked;

    /* registry */
    struct tw_redis_change *changes, **changes_end; /* streams to add or take away, oldest first */
    tw_table_t adds;                                /* those that add and were not sent, by id */
    size_t change_count;
    unsigned registry_in_flight;
    bool introduced; /* what an earlier process of our name left is gone */
    bool registered; /* the lease was taken at least once */
    bool draining;
    bool walking;       /* everything is being registered again */
    bool registry_torn; /* since then Redis refused something, or may have lost it */
    bool leaving;
    uint64_t up_since_ms;
    void (*on_gone)(tw_redis_node_t *node);

    _Atomic uint64_t stats[sizeof(tw_redis_stats_t) / sizeof(uint64_t)];
};

#define TW_REDIS_STAT(node, field)                                                                 \
    (&(node)->stats[offsetof(tw_redis_stats_t, field) / sizeof(uint64_t)])

static inline tw_redis_node_t *tw_redis_node_of_adapter(tw_adapter_t *adapter)
{
    return (tw_redis_node_t *)adapter;
}

/** Whether events flow. Any thread. */
static inline bool tw_redis_node_up(tw_redis_node_t *node)
{
    return atomic_load_explicit(&node->phase, memory_order_acquire) == TW_REDIS_PHASE_UP;
}

/** Has run(slice) called in a later turn: what many streams ask for at once must not keep the loop
 * from publishing. It begins with tw_redis_step_begins(). */
static inline void tw_redis_schedule(tw_redis_node_t *node, tw_slice_t *slice, tw_slice_fn run)
{
    ++node->steps;
    tw_loop_defer(node->loop, slice, run);
}

/** A scheduled step on so many topics runs. */
static inline void tw_redis_step_begins(tw_redis_node_t *node, size_t topics)
{
    --node->steps;
    tw_loop_spend(node->loop, TW_REDIS_STEP_NS + topics * TW_REDIS_STEP_TOPIC_NS);
}

/* --- session.c --- */

/** Logs an error reply, now and then; nothing if it is none. */
void tw_redis_refused(tw_redis_node_t *node, const char *what, const redisReply *reply);

/** Creates the clients and begins to connect. */
void tw_redis_session_start(tw_redis_node_t *node);

/** Drops both connections, for `reason`, and begins again. */
void tw_redis_session_reset(tw_redis_node_t *node, const char *reason);

/** The catching up has got everything: the session is up. */
void tw_redis_session_caught_up(tw_redis_node_t *node);

/** What a turn's end sends. */
void tw_redis_session_turn(tw_redis_node_t *node);

/** Every 250 ms. */
void tw_redis_session_pulse(tw_redis_node_t *node, uint64_t now_ms);

/** Drops both connections for good. */
void tw_redis_session_end(tw_redis_node_t *node);

/** Frees what the session owns, after the loop has ended. */
void tw_redis_session_dispose(tw_redis_node_t *node);

/* --- routing.c --- */

/** The topic's channel and stream; returns its length. */
size_t tw_redis_topic_key(const tw_topic_name_t *topic, char key[TW_REDIS_KEY_MAX]);

tw_redis_route_t *tw_redis_route_find(tw_redis_node_t *node, const tw_topic_name_t *topic);

/** One user more of a route that is made if it is not there. */
tw_redis_route_t *tw_redis_route_use(tw_redis_node_t *node, const tw_topic_name_t *topic);

/** One user less: the last leaves the channel. */
void tw_redis_route_unuse(tw_redis_node_t *node, tw_redis_route_t *route);

/** Leaves the channel and frees the route if nothing needs it any more. */
void tw_redis_route_collect(tw_redis_node_t *node, tw_redis_route_t *route);

/** So many streams of the topic more or fewer are to be registered. */
void tw_redis_route_count(tw_redis_node_t *node, tw_redis_route_t *route, int change);

/** A SUBSCRIBE was confirmed. */
void tw_redis_route_confirmed(tw_redis_node_t *node, const char *channel, size_t len);

/** An UNSUBSCRIBE was confirmed. */
void tw_redis_route_left(tw_redis_node_t *node, const char *channel, size_t len);

/** A stream wants to open; posted call. */
void tw_redis_on_open_request(void *owner, void *data);

/** The stream was closed while it joined the hub; worker's thread. */
void tw_redis_opening_give_up(tw_redis_opening_t *opening);

/** Schedules the next step of everyone in the list. */
void tw_redis_openings_advance(tw_redis_node_t *node, tw_redis_openings_t *openings);

/** All that wait in one list wait in another. */
void tw_redis_openings_move(tw_redis_openings_t *from, tw_redis_openings_t *to);

/** Gives up openings that waited too long; all of them with `all`. */
void tw_redis_openings_expire(tw_redis_node_t *node, uint64_t now_ms, bool all);

/** Sends what the turn gathered. */
void tw_redis_routing_turn(tw_redis_node_t *node);

/** The session is lost: no channel is confirmed, marked openings wait again. */
void tw_redis_routing_lost(tw_redis_node_t *node);

/** Subscribes to everything again, a batch after the other. */
void tw_redis_resubscribe(tw_redis_node_t *node);

void tw_redis_routing_dispose(tw_redis_node_t *node);

/* --- publishing.c --- */

/** Posted call: a tw_redis_publish_t. */
void tw_redis_on_publish_request(void *owner, void *data);

/** An event came, newer than all before: brings it to the hub. */
void tw_redis_event_arrived(tw_redis_node_t *node, uint64_t seq, const char *body, size_t len);

/** Sends what the turn gathered. */
void tw_redis_publishing_turn(tw_redis_node_t *node);

/** Channels were left, or the session is lost: who waited for that goes on. */
void tw_redis_publishing_unpark(tw_redis_node_t *node);

/** Publishes whose event did not come back in time. `caught_up`: nor will it, since everything has
 * come. */
void tw_redis_publishes_expire(tw_redis_node_t *node, uint64_t now_ms, bool caught_up);

void tw_redis_publishing_dispose(tw_redis_node_t *node);

/* --- early_drop.c --- */

/** A question on its way. */
typedef struct tw_redis_ask {
    tw_redis_node_t *node;
    struct tw_redis_ask *next;
    tw_loop_t *worker;
    tw_followed_fn on_answer;
    void *data;
    tw_status_t status;
    uint8_t *followed; /* owned */
    size_t topic_count;
    tw_topic_name_t topics[]; /* bytes behind */
} tw_redis_ask_t;

/** Posted call: a tw_redis_ask_t. */
void tw_redis_on_ask_request(void *owner, void *data);

/** Sends what the turn gathered. */
void tw_redis_asks_turn(tw_redis_node_t *node);

/* --- history.c --- */

/** Keeps a published event until the node has caught up. */
void tw_redis_hold_event(tw_redis_node_t *node, uint64_t seq, const char *body, size_t len);

/** All channels are confirmed and everything up to `seq` has come or is in Redis: reads what was
 * missed. */
void tw_redis_catch_up(tw_redis_node_t *node, uint64_t seq);

/** Drops what was held. */
void tw_redis_history_lost(tw_redis_node_t *node);

/** Reads the route's older events into the hub's tail. */
void tw_redis_prime(tw_redis_node_t *node, tw_redis_route_t *route);

/** Splits the id and the body of a stream's entry; 0, or -1 when it is none. */
int tw_redis_entry(const redisReply *entry, uint64_t *seq, const redisReply **body);

/* --- registry.c, lease.c --- */

/** Nothing of ours is in Redis any more: all topics and streams go there again, in the usual pace.
 */
void tw_redis_register_everything(tw_redis_node_t *node);

/** The session is up: says so to the cluster. */
void tw_redis_registry_up(tw_redis_node_t *node);

/** The session is lost. */
void tw_redis_registry_lost(tw_redis_node_t *node);

/** Posted calls: a tw_redis_opening_t that is open; a tw_redis_left_t. */
void tw_redis_on_opened(void *owner, void *data);
void tw_redis_on_left(void *owner, void *data);

/** A stream that was closed. */
typedef struct tw_redis_left {
    tw_slice_t slice; /* first member */
    tw_redis_node_t *node;
    char id[TW_STREAM_ID_SIZE];
    bool was_open;
    size_t topic_count;
    tw_topic_name_t topics[]; /* bytes behind */
} tw_redis_left_t;

/** What the registry says of a live stream: "<id> <json>"; free() it. Worker's thread. */
char *tw_redis_member(const tw_subscriber_t *subscriber);

/** Sends what changed, as far as the pace allows. */
void tw_redis_registry_flush(tw_redis_node_t *node);

void tw_redis_registry_pulse(tw_redis_node_t *node, uint64_t now_ms);

/** Takes the node out of the cluster; on_gone is called once, later or now. */
void tw_redis_registry_leave(tw_redis_node_t *node, void (*on_gone)(tw_redis_node_t *node));

/** Waits no longer for it. */
void tw_redis_registry_abandon_leave(tw_redis_node_t *node);

/** Says that the node goes away soon. */
void tw_redis_registry_drain(tw_redis_node_t *node);

void tw_redis_registry_dispose(tw_redis_node_t *node);

/* --- queries.c --- */

void tw_redis_list_topics(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                          tw_topics_fn on_page, void *data);
void tw_redis_list_streams(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                           tw_streams_fn on_page, void *data);
void tw_redis_list_nodes(tw_adapter_t *adapter, tw_loop_t *from, tw_nodes_fn on_nodes, void *data);
void tw_redis_tail_events(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                          const tw_position_t *after, size_t limit, tw_tail_fn on_tail, void *data);

/* --- peers.c --- */

/** A message on the node's own channel that is no mark. */
void tw_redis_peer_message(tw_redis_node_t *node, const char *message, size_t len);

/** What a node answered; NULL: nothing in time. Borrowed. */
typedef void (*tw_redis_answer_fn)(void *data, const json_t *answer);

/** Asks a node (also ourselves) for something; `request` is taken over. The answer may come before
 * this returns. */
void tw_redis_call(tw_redis_node_t *node, const char *peer, json_t *request,
                   tw_redis_answer_fn on_answer, void *data);

/** The same, for a caller who sends the message himself; free() it. Its token is node->next_token.
 */
char *tw_redis_call_message(tw_redis_node_t *node, json_t *request, tw_redis_answer_fn on_answer,
                            void *data);

/** Questions without answer in time; all of them with `all`. */
void tw_redis_peers_expire(tw_redis_node_t *node, uint64_t now_ms, bool all);

void tw_redis_peers_dispose(tw_redis_node_t *node);

void tw_redis_close_by_id(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                          tw_close_reason_t reason, tw_status_fn on_done, void *data);

#endif
