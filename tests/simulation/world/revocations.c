/* Operators who revoke: each client has a token of a subject of its own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/simulation/world/world.h"

#define WORLD (&tw_sim_world)
#define UNTIL_MS (INT64_C(1) << 52) /* no clock of a world comes there */

void tw_sim_set_claims(tw_subscriber_t *subscriber, uint32_t client)
{
    char subject[16];
    int len = snprintf(subject, sizeof(subject), "c%" PRIu32, client);
    const tw_claims_t claims = {.subject = subject, .subject_len = (size_t)len, .issued_at_ms = 1};
    tw_subscriber_set_claims(subscriber, &claims);
}

static void on_revoked(void *data, tw_status_t status)
{
    tw_sim_revoked_t *revoked = data;

    ++WORLD->answered;
    if (status == TW_OK)
        revoked->certain_us = tw_sim_now_us();
}

void tw_sim_revocations_forget(const tw_sim_gateway_t *gateway)
{
    for (uint32_t i = 0; i < TW_SIM_CLIENTS; ++i)
        if (WORLD->revoked[i].keeper == gateway)
            WORLD->revoked[i].keeper = NULL;
}

void tw_sim_revoke(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = tw_sim_gateway_at(entry->params[0]);
    uint32_t client = (uint32_t)((uint64_t)entry->params[1] % TW_SIM_CLIENTS);
    char subject[16];
    int len = snprintf(subject, sizeof(subject), "c%" PRIu32, client);

    if (gateway == NULL)
        return;
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);
    ++WORLD->asked;
    WORLD->revoked[client].was_asked = true;
    WORLD->revoked[client].keeper = gateway;
    gateway->adapter->ops->revoke(gateway->adapter, tw_sim_gateway_worker(gateway),
                                  tw_text(subject, (size_t)len), UNTIL_MS, on_revoked,
                                  &WORLD->revoked[client]);
    tw_sim_enter(before);
}

/* Redis may lose it, and so may who has put it there, but not both. */
void tw_sim_judge_revoked(void)
{
    for (uint32_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        int64_t since_us = WORLD->revoked[i].certain_us;
        if (since_us == 0 || (WORLD->replaced_us >= since_us && WORLD->revoked[i].keeper == NULL))
            continue;
        if (WORLD->clients[i].is_open)
            tw_sim_fail(TW_SIM_LET_IN, "client %" PRIu32 " has a stream, and was revoked at %.6f s",
                        i, (double)since_us / 1e6);
    }
}
