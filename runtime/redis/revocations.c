#include "runtime/redis/revocations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/listing.h"

#define LOOK_LEASES 5
#define FRESH_MS 10000
#define BATCH 32
#define ENTRY_MAX (2 * 20 + 3 + TW_SUBJECT_MAX)

void tw_redis_revocations_init(tw_redis_revocations_t *revocations, tw_redis_session_t *session,
                               tw_hub_t *hub)
{
    revocations->session = session;
    revocations->hub = hub;
    hub->revocations.is_incomplete = true;
}

/* --- texts: "<revoked at> <until>", and the subject behind it --- */

static bool parse_times(const char *text, size_t len, tw_revocation_t *revocation, size_t *end)
{
    char copy[48], *at = copy, *after;

    snprintf(copy, sizeof(copy), "%.*s", (int)(len < sizeof(copy) ? len : sizeof(copy) - 1), text);
    revocation->revoked_at_ms = strtoll(at, &after, 10);
    if (after == at || *after != ' ')
        return false;
    at = after + 1;
    revocation->until_ms = strtoll(at, &after, 10);
    *end = (size_t)(after - copy);
    return after != at;
}

static void apply(const tw_redis_revocations_t *revocations, const tw_revocation_t *revocation,
                  bool all)
{
    size_t len = revocation->subject.len;
    if (len >= 1 && len <= TW_SUBJECT_MAX)
        tw_listing_revoke(revocations->hub, NULL, revocation, all, NULL, NULL);
}

void tw_redis_revocations_message(tw_redis_revocations_t *revocations, const char *message,
                                  size_t len)
{
    tw_revocation_t revocation;
    size_t end;

    if (len < 1 || !parse_times(message + 1, len - 1, &revocation, &end) || end + 2 > len ||
        message[1 + end] != ' ')
        return;
    revocation.subject = tw_text(message + end + 2, len - end - 2);
    /* Who revokes means all that is open, also with a token of an issuer whose clock is ahead. A
     * late message must not close what was opened with a token that was issued since. */
    apply(revocations, &revocation, tw_clock_wall_ms() - revocation.revoked_at_ms < FRESH_MS);
}

/* --- into the list --- */

static void send_items(tw_redis_revocations_t *revocations, const tw_revocation_t *items,
                       size_t count, tw_redis_reply_cb on_reply, void *data)
{
    char(*entries)[ENTRY_MAX] = tw_alloc(count * sizeof(*entries));
    tw_redis_args_t args;

    tw_redis_script_begin(revocations->session, &args, TW_REDIS_SCRIPT_REVOKE);
    tw_redis_args_number(&args, TW_REVOCATIONS_MAX);
    tw_redis_args_number(&args, (uint64_t)tw_clock_wall_ms());
    for (size_t i = 0; i < count; ++i) {
        int len = sprintf(entries[i], "%" PRId64 " %" PRId64 " ", items[i].revoked_at_ms,
                          items[i].until_ms);
        memcpy(entries[i] + len, items[i].subject.base, items[i].subject.len);
        tw_redis_args_add(&args, entries[i], (size_t)len + items[i].subject.len);
    }
    tw_redis_session_send(revocations->session, &args, on_reply, data);
    free(entries);
}

void tw_redis_revocations_add(tw_redis_revocations_t *revocations,
                              const tw_revocation_t *revocation, tw_redis_reply_cb on_reply,
                              void *data)
{
    send_items(revocations, revocation, 1, on_reply, data);
}

static void on_put_back(const redisReply *reply, void *data)
{
    const tw_redis_revocations_t *revocations = data;
    tw_redis_session_refused(revocations->session, "to put revocations back", reply);
}

/* What this node knows and the list that was read does not. */
static void put_back(tw_redis_revocations_t *revocations, const json_t *there)
{
    tw_revocation_t known[BATCH], missing[BATCH], other;
    char texts[BATCH][TW_SUBJECT_MAX];
    size_t count, end;

    for (size_t from = 0; (count = tw_revocations_read(&revocations->hub->revocations, from, BATCH,
                                                       known, texts)) > 0;
         from += count) {
        size_t n = 0;
        for (size_t i = 0; i < count; ++i) {
            const json_t *value =
                json_object_getn(there, known[i].subject.base, known[i].subject.len);
            if (value == NULL ||
                !parse_times(json_string_value(value), json_string_length(value), &other, &end) ||
                other.revoked_at_ms < known[i].revoked_at_ms || other.until_ms < known[i].until_ms)
                missing[n++] = known[i];
        }
        if (n > 0)
            send_items(revocations, missing, n, on_put_back, revocations);
    }
}

/* --- out of the list --- */

/* {subject, times, …} as an object. */
static json_t *take_list(tw_redis_revocations_t *revocations, const redisReply *reply)
{
    json_t *there = json_object();

    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *subject = reply->element[i], *value = reply->element[i + 1];
        tw_revocation_t revocation;
        size_t end;
        if (subject->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
            continue;
        if (subject->len == 0) {
            snprintf(revocations->number, sizeof(revocations->number), "%s", value->str);
        } else if (parse_times(value->str, value->len, &revocation, &end)) {
            revocation.subject = tw_text(subject->str, subject->len);
            apply(revocations, &revocation, false);
            json_object_setn_new_nocheck(there, subject->str, subject->len,
                                         json_stringn_nocheck(value->str, value->len));
        }
    }
    return there;
}

static void on_list(const redisReply *reply, void *data)
{
    tw_redis_revocations_t *revocations = data;

    revocations->asking = false;
    tw_redis_session_refused(revocations->session, "the revocations", reply);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return; /* unknown, or as it was */
    json_t *there = take_list(revocations, reply);
    put_back(revocations, there);
    json_decref(there);
    revocations->hub->revocations.is_incomplete = false;
}

static void ask(tw_redis_revocations_t *revocations)
{
    tw_redis_args_t args;

    revocations->asking = true;
    revocations->leases = 0;
    tw_redis_script_begin(revocations->session, &args, TW_REDIS_SCRIPT_REVOCATIONS);
    tw_redis_args_text(&args, revocations->number);
    tw_redis_session_send(revocations->session, &args, on_list, revocations);
}

void tw_redis_revocations_up(tw_redis_revocations_t *revocations)
{
    revocations->number[0] = '\0';
    ask(revocations);
}

void tw_redis_revocations_granted(tw_redis_revocations_t *revocations)
{
    bool unread = revocations->number[0] == '\0';
    if (!revocations->asking && (unread || ++revocations->leases >= LOOK_LEASES))
        ask(revocations);
}
