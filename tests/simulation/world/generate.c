#include "tests/simulation/world/generate.h"

#include "tests/simulation/virtual/network.h"
#include "tests/support/random.h"

#define CLIENTS_MAX 60
#define START_MS 1500 /* gateways are ready by then */

static tw_test_random_t source;

int64_t tw_sim_generate_lanes;

static int64_t below(int64_t n)
{
    return n <= 1 ? 0 : (int64_t)tw_test_random_below(&source, (uint32_t)n);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + below(high - low + 1);
}

/* Most often small, at times large. */
static int64_t skewed(int64_t low, int64_t high)
{
    return low + below(1 + below(high - low + 1));
}

static bool one_in(int64_t n)
{
    return below(n) == 0;
}

#define ADD(at_ms, operation, ...)                                                                 \
    do {                                                                                           \
        const int64_t params_[] = {__VA_ARGS__};                                                   \
        tw_sim_schedule_add(schedule, (at_ms)*1000 + below(1000), operation, params_,              \
                            sizeof(params_) / sizeof(params_[0]));                                 \
    } while (0)

static int64_t any_time(const tw_sim_schedule_t *schedule)
{
    return between(START_MS, schedule->settings.duration_ms - 1);
}

/* --- clients --- */

/* It loses its stream, or loses it behind one of the next events, gaps or ids. */
static void add_loss(tw_sim_schedule_t *schedule, int64_t at_ms, int64_t client, bool may_tear)
{
    const tw_sim_settings_t *settings = &schedule->settings;

    if (may_tear)
        ADD(at_ms, TW_SIM_OP_TEAR, client, below(settings->nodes), skewed(1, 5000), skewed(1, 4));
    else
        ADD(at_ms, TW_SIM_OP_DROP, client, below(settings->nodes), skewed(1, 5000));
}

static void add_client(tw_sim_schedule_t *schedule, int64_t client)
{
    const tw_sim_settings_t *settings = &schedule->settings;
    int64_t opens_ms = one_in(3) ? any_time(schedule) : between(0, START_MS);
    int64_t topic = below(settings->topics);
    int64_t topics = settings->topics > 1000 && one_in(3) ? between(50, 250) : skewed(1, 6);
    int64_t at_ms = opens_ms;

    ADD(opens_ms, one_in(20) ? TW_SIM_OP_RESUME : TW_SIM_OP_OPEN, client, below(settings->nodes),
        topic, topics);
    for (;;) {
        at_ms += between(200, settings->duration_ms);
        if (at_ms >= settings->duration_ms)
            return;
        int64_t what = below(8);
        switch (what) {
        case 0:
            ADD(at_ms, TW_SIM_OP_LEAVE, client);
            return;
        case 1:
            ADD(at_ms, TW_SIM_OP_BLOCK, client, between(100, 3000));
            break;
        case 2:
            ADD(at_ms, TW_SIM_OP_DEAF, client);
            at_ms += skewed(1, 2000);
            /* fall through */
        default:
            add_loss(schedule, at_ms, client, what == 3);
            break;
        }
    }
}

static void add_publisher(tw_sim_schedule_t *schedule)
{
    const tw_sim_settings_t *settings = &schedule->settings;
    bool asks = one_in(3);
    int64_t every_us = one_in(3) ? between(50, 1000) : between(2000, 100000);
    int64_t count = skewed(1, 300), at_ms = any_time(schedule);

    ADD(at_ms, asks ? TW_SIM_OP_ASK : TW_SIM_OP_PUBLISH, below(settings->nodes),
        below(settings->topics), one_in(3) ? skewed(1, 8) : 1, count, every_us, skewed(0, 200));
}

/* --- faults --- */

static void add_network_fault(tw_sim_schedule_t *schedule, int64_t at_ms)
{
    int64_t place = below(schedule->settings.nodes),
            which = one_in(3) ? -1 : below(2 * schedule->settings.lanes);

    switch (below(3)) {
    case 0:
        ADD(at_ms, TW_SIM_OP_CUT, place, which);
        break;
    case 1:
        ADD(at_ms, TW_SIM_OP_SWALLOW, place, which, between(1, 3), skewed(10, 30000));
        break;
    default:
        ADD(at_ms, TW_SIM_OP_DELAY, place, which, between(1, 3), skewed(0, 500000),
            skewed(0, 200000), skewed(100, 10000));
        break;
    }
}

static void add_gateway_fault(tw_sim_schedule_t *schedule, int64_t at_ms)
{
    int64_t place = below(schedule->settings.nodes);

    switch (below(5)) {
    case 4:
        ADD(at_ms, TW_SIM_OP_NO_MEMORY, place, skewed(1, 20));
        break;
    case 0:
        ADD(at_ms, TW_SIM_OP_CRASH, place, skewed(1, 25000), below(2));
        break;
    case 1:
        ADD(at_ms, TW_SIM_OP_RESTART, place, skewed(3500, 20000),
            one_in(4) ? between(1, 2 * schedule->settings.tail_events) : 0);
        break;
    case 2:
        ADD(at_ms, TW_SIM_OP_STALL, place, skewed(10, 25000));
        break;
    default:
        ADD(at_ms, TW_SIM_OP_CLOCK, place, between(-100000, 100000));
        break;
    }
}

static void add_failover(tw_sim_schedule_t *schedule, int64_t at_ms, int64_t master)
{
    bool splits = one_in(4);
    int64_t places = 1 << schedule->settings.nodes;

    ADD(at_ms - skewed(0, 500), TW_SIM_OP_REPLICATE, master);
    ADD(at_ms, TW_SIM_OP_FAILOVER, splits ? between(1, places - 1) : 0, master,
        splits ? skewed(10, 20000) : 0);
    if (!splits && one_in(2)) { /* and back */
        int64_t back_ms = at_ms + skewed(10, 10000);
        ADD(back_ms - skewed(0, 500), TW_SIM_OP_REPLICATE, master);
        ADD(back_ms, TW_SIM_OP_FAILOVER, 0, master);
    }
}

static void add_redis_fault(tw_sim_schedule_t *schedule, int64_t at_ms)
{
    int64_t master = below(schedule->settings.masters);

    switch (below(7)) {
    case 0:
        if (one_in(2))
            ADD(at_ms - skewed(1, 5000), TW_SIM_OP_SNAPSHOT, master);
        ADD(at_ms, TW_SIM_OP_REDIS_RESTART, skewed(1, 8000), below(2), master);
        break;
    case 1:
        ADD(at_ms, TW_SIM_OP_REDIS_STALL, skewed(10, 8000), master);
        break;
    case 2:
        /* Back by no more than it was down is what docs/redis.md allows; forward anything. */
        ADD(at_ms, TW_SIM_OP_REDIS_CLOCK, one_in(2) ? -skewed(1, 2000) : skewed(1, 100000));
        break;
    case 3:
        ADD(at_ms, TW_SIM_OP_FLUSH, master);
        break;
    case 4:
        ADD(at_ms, TW_SIM_OP_FULL, skewed(10, 10000), master);
        break;
    default:
        add_failover(schedule, at_ms, master);
        break;
    }
}

/* A master is restarted while a gateway does not hear of anything for a moment, many publish, and
 * connections break. */
static void add_loss_of_a_lane(tw_sim_schedule_t *schedule, int64_t at_ms, int64_t clients)
{
    const tw_sim_settings_t *settings = &schedule->settings;

    ADD(at_ms - 150, TW_SIM_OP_SWALLOW, below(settings->nodes), -1, 2, 200);
    for (int i = 0; i < 3; ++i)
        ADD(at_ms - 100, TW_SIM_OP_PUBLISH, below(settings->nodes), below(settings->topics),
            skewed(1, 8), between(100, 300), between(2000, 5000), 1);
    ADD(at_ms, TW_SIM_OP_REDIS_RESTART, skewed(1, 200), 0, below(settings->masters));
    for (int i = 0; i < 20; ++i)
        ADD(at_ms + between(50, 800), TW_SIM_OP_TEAR, below(clients), below(settings->nodes),
            between(500, 5000), skewed(1, 3));
}

/* Several at once that are worse together: a gateway that comes back by slow connections, and a
 * change of TIDEWAY_TAIL_EVENTS on all gateways, one after the other. */
static void add_compound(tw_sim_schedule_t *schedule, int64_t at_ms)
{
    const tw_sim_settings_t *settings = &schedule->settings;
    int64_t place = below(settings->nodes);

    if (one_in(4)) {
        int64_t tail_events = between(1, 5 * settings->tail_events);
        for (int64_t i = 0; i < settings->nodes; ++i)
            ADD(at_ms + i * 500, TW_SIM_OP_RESTART, i, between(3500, 6000), tail_events);
        return;
    }
    ADD(at_ms, TW_SIM_OP_DELAY, place, -1, between(1, 3), skewed(1000, 800000), skewed(0, 50000),
        skewed(1000, 10000));
    ADD(at_ms + skewed(1, 200), TW_SIM_OP_CUT, place, -1);
}

/* Connections that break while streams are told what the fault has cost. */
static void add_tears(tw_sim_schedule_t *schedule, int64_t at_ms, int64_t clients)
{
    for (int64_t left = skewed(1, 12); left > 0; --left)
        ADD(at_ms + skewed(0, 2000), TW_SIM_OP_TEAR, below(clients),
            below(schedule->settings.nodes), skewed(500, 30000), skewed(1, 4));
}

static void add_fault(tw_sim_schedule_t *schedule, int64_t clients)
{
    int64_t at_ms = between(START_MS + 1000, schedule->settings.duration_ms - 1);

    if (one_in(2))
        add_tears(schedule, at_ms, clients);
    if (schedule->settings.masters > 1 && one_in(4)) {
        add_loss_of_a_lane(schedule, at_ms, clients);
        return;
    }
    switch (below(5)) {
    case 2:
        add_compound(schedule, at_ms);
        break;
    case 0:
        add_redis_fault(schedule, at_ms);
        break;
    case 1:
        add_gateway_fault(schedule, at_ms);
        break;
    default:
        add_network_fault(schedule, at_ms);
        break;
    }
}

static void choose_settings(tw_sim_settings_t *settings, uint64_t seed)
{
    static const int64_t lanes[] = {1, 2, 8};

    settings->seed = (int64_t)seed;
    settings->lanes = tw_sim_generate_lanes > 0 ? tw_sim_generate_lanes : lanes[seed % 3];
    settings->masters = settings->lanes > 1 && one_in(2) ? between(2, TW_SIM_MASTERS) : 1;
    settings->nodes = one_in(5) ? between(1, 5) : 3;
    settings->topics = one_in(6) ? between(1000, 6000) : skewed(1, 30);
    settings->tail_events = one_in(2) ? skewed(1, 30) : 200;
    settings->window_ms = one_in(2) ? 0 : skewed(500, 30000);
    settings->least_us = skewed(20, 3000);
    settings->spread_us = skewed(0, 20000);
    settings->duration_ms = between(5000, 40000);
}

void tw_sim_generate(tw_sim_schedule_t *schedule, uint64_t seed)
{
    source.state = seed;
    choose_settings(&schedule->settings, seed);
    int64_t seconds = schedule->settings.duration_ms / 1000;
    int64_t clients = between(3, CLIENTS_MAX);
    for (int64_t client = 0; client < clients; ++client)
        add_client(schedule, client);
    for (int64_t left = between(2, 2 + seconds * 2); left > 0; --left)
        add_publisher(schedule);
    for (int64_t left = below(5); left > 0; --left)
        ADD(any_time(schedule), TW_SIM_OP_LIST, below(schedule->settings.nodes));
    for (int64_t left = skewed(0, 12); left > 0; --left)
        add_fault(schedule, clients);
    for (int64_t left = one_in(2) ? skewed(1, 6) : 0; left > 0; --left)
        ADD(any_time(schedule), TW_SIM_OP_REVOKE, below(schedule->settings.nodes), below(clients));
    tw_sim_schedule_sort(schedule);
}
