/**
 * A world: gateways, servers, the network and clients, run from a schedule to its end and judged.
 *
 * world.c runs it; clients.c is who subscribes, publishers.c who publishes and asks, faults.c what
 * goes wrong, ending.c what must be right at the end.
 */
#ifndef TW_SIM_WORLD_H
#define TW_SIM_WORLD_H

#include "tests/simulation/virtual/network.h"
#include "tests/simulation/world/checker.h"
#include "tests/simulation/world/gateway.h"
#include "tests/simulation/world/schedule.h"
#include "tests/support/fake_transport.h"

#define TW_SIM_CLIENTS 512
#define TW_SIM_ID_MAX TW_POSITIONS_ID_SIZE

typedef struct tw_sim_client {
    bool exists; /* was opened and has not left */
    tw_sim_record_t record;
    char *topics;              /* owned: as the URL has them */
    uint32_t place;            /* where it goes when it comes back */
    tw_sim_gateway_t *gateway; /* NULL: it has no stream */
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;
    bool has_stream; /* to be disposed of */
    bool is_open;    /* answered with 200 */
    bool is_torn;    /* its connection breaks behind a block, and it learns of it later */
    uint32_t tears;  /* so many blocks are still to come until then; 0: it does not break */
    bool is_deaf;    /* reads nothing any more: what is sent is lost on the way */
    bool comes_back;
    uint32_t left_place; /* where it had its last stream, and … */
    int64_t left_us;     /* … when that ended */
    int64_t stream_since_us, heard_us;
    char last_id[TW_SIM_ID_MAX];
    tw_test_random_t random;
} tw_sim_client_t;

/** A subject that an operator has revoked. */
typedef struct tw_sim_revoked {
    bool was_asked;
    int64_t certain_us;             /* when it was answered that none will miss it; 0: it was not */
    const tw_sim_gateway_t *keeper; /* who answered; NULL: it has ended */
} tw_sim_revoked_t;

typedef struct tw_sim_world {
    const tw_sim_schedule_t *schedule;
    size_t next_entry;
    LIST_HEAD(tw_sim_gateways, tw_sim_gateway) gateways; /* also those that end */
    tw_sim_gateway_t *at[TW_SIM_PLACES];                 /* NULL: nobody is there */
    char ids[TW_SIM_PLACES][32];
    int64_t tail_events[TW_SIM_PLACES];
    int64_t tail_events_least; /* the lowest that was in force */
    uint64_t lives;
    uint32_t masters[TW_SIM_MASTERS];       /* the servers that are them */
    int64_t failed_over_us[TW_SIM_MASTERS]; /* when they were made masters last */
    tw_model_data_t *snapshots[TW_SIM_MASTERS], *replicas[TW_SIM_MASTERS]; /* owned; NULL: none */
    int64_t disturbed_until_us; /* faults work on until then */
    int64_t emptied_us;         /* when the data set was emptied last */
    int64_t replaced_us;        /* when Redis may have lost something last */
    tw_sim_client_t clients[TW_SIM_CLIENTS];
    tw_sim_revoked_t revoked[TW_SIM_CLIENTS]; /* by the client whose subject it is */
    tw_sim_history_t history;
    tw_position_t newest[TW_LANES_MAX]; /* of what was answered, in each lane */
    uint64_t asked, answered;           /* questions to gateways */
    uint64_t deliveries;
    uint64_t faults[TW_SIM_OPERATIONS]; /* by kind, as they happened */
    int64_t counted_us;                 /* when commands were counted last, and … */
    uint64_t counted[TW_SIM_PLACES];    /* … how many there were then */
    uint64_t work, counted_work,
        work_before; /* what can cause commands: questions and topics followed */
} tw_sim_world_t;

extern tw_sim_world_t tw_sim_world;

/** Runs the schedule. Returns the verdict; figures of the world can be read until the next run. */
tw_sim_verdict_t tw_sim_world_run(const tw_sim_schedule_t *schedule);

/** Commands, deliveries and arrivals that there were. */
uint64_t tw_sim_world_steps(void);

/* --- for the world's own files --- */

/** Runs until the time is over, or a promise is broken. */
void tw_sim_run_until(int64_t until_us);

/** Starts a gateway where nobody is. */
void tw_sim_start_gateway(uint32_t place);

/** The gateway of a place (modulo their number) that works, or NULL. */
tw_sim_gateway_t *tw_sim_gateway_at(int64_t place);

/** A fault works for so long, and what it leaves a while longer. */
void tw_sim_disturb(int64_t for_us);

/** The lane of a topic; of the topics of an event, or -1 when they are in several. */
uint32_t tw_sim_topic_lane(uint32_t topic);
int tw_sim_event_lane(const tw_sim_event_t *event);

void tw_sim_topic_range(int64_t first, int64_t count, uint32_t *from, uint32_t *n);

/* clients.c */
void tw_sim_client_open(const tw_sim_entry_t *entry, bool unknown_id);
void tw_sim_client_drop(const tw_sim_entry_t *entry);
void tw_sim_client_leave(const tw_sim_entry_t *entry);
void tw_sim_client_tear(const tw_sim_entry_t *entry);
void tw_sim_client_deaf(const tw_sim_entry_t *entry);
void tw_sim_client_block(const tw_sim_entry_t *entry);
/** The gateway is about to end: all its streams do. */
void tw_sim_clients_leave_gateway(const tw_sim_gateway_t *gateway);
/** Judges what each has got; to those whose streams are open, everything must have come. */
void tw_sim_clients_judge(void);
void tw_sim_clients_dispose(void);

/* publishers.c */
void tw_sim_publish_some(const tw_sim_entry_t *entry, bool asks_first);
/** One event of a range of topics. */
void tw_sim_publish_one(tw_sim_gateway_t *gateway, uint32_t topic, uint32_t topics, size_t bytes,
                        bool asks_first);
void tw_sim_list(const tw_sim_entry_t *entry);
void tw_sim_publishers_dispose(void);

/* revocations.c */
void tw_sim_set_claims(tw_subscriber_t *subscriber, uint32_t client);
void tw_sim_revoke(const tw_sim_entry_t *entry);
void tw_sim_revocations_forget(const tw_sim_gateway_t *gateway);
void tw_sim_judge_revoked(void);

/* faults.c */
void tw_sim_fault(const tw_sim_entry_t *entry);
void tw_sim_heal(void);
/** Whether those who are there use, for a topic, a master that is none any more for others. */
bool tw_sim_is_left_behind(uint32_t place, uint32_t topic);
/** Whether what is published at such a place is not for the client: it is or was with the others.
 */
bool tw_sim_client_has_moved_on(const tw_sim_client_t *client, uint32_t topic);

/* ending.c */
void tw_sim_end_world(void);

#endif
