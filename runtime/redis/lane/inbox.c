#include "runtime/redis/lane/inbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runtime/redis/protocol/codec.h"

/* Of one answer: about what a turn may dispatch. An entry is what one call published. How large
 * they are is not known of the first one, which may be one of many that wait. */
#define READ_ENTRIES_FIRST 1
#define READ_ENTRIES_MAX 1024
#define READ_BYTES ((uint64_t)1 << 19)
#define BLOCK_MS "1000"
#define TOO_FAR_BEHIND "this node was too far behind: streams that missed events get a gap"
#define ACK_EVERY_MS 1000
#define ACK_BYTES ((uint64_t)1 << 20)

static void read_on(tw_redis_inbox_t *inbox);

void tw_redis_inbox_init(tw_redis_inbox_t *inbox, tw_redis_session_t *session,
                         const tw_redis_inbox_callbacks_t *callbacks, void *data)
{
    inbox->session = session;
    inbox->callbacks = callbacks;
    inbox->data = data;
    TAILQ_INIT(&inbox->waits);
}

/* --- who waits --- */

static void wake(tw_redis_inbox_t *inbox)
{
    tw_redis_wait_t *wait;
    if (inbox->state == TW_REDIS_INBOX_HOLE)
        return;
    /* Redis answers in its order, so they wait in the order of their numbers. */
    while ((wait = TAILQ_FIRST(&inbox->waits)) != NULL && wait->upto <= inbox->read) {
        tw_redis_wait_cancel(wait);
        wait->run(wait);
    }
}

void tw_redis_inbox_when_read(tw_redis_inbox_t *inbox, tw_redis_wait_t *wait, uint64_t upto)
{
    wait->upto = upto;
    tw_redis_wait_in(&inbox->waits, wait);
    wake(inbox);
}

/* --- entries --- */

static void find_hole(tw_redis_inbox_t *inbox, uint64_t upto, const char *why)
{
    inbox->state = TW_REDIS_INBOX_HOLE;
    inbox->hole_upto = upto;
    atomic_fetch_add(&inbox->session->stats->holes, 1);
    tw_log(TW_LOG_ERROR, why, tw_log_number("after", (int64_t)inbox->read),
           tw_log_number("upto", (int64_t)upto));
    inbox->callbacks->on_hole(inbox->data, inbox->read, upto);
}

void tw_redis_inbox_hole_passed(tw_redis_inbox_t *inbox)
{
    inbox->read = inbox->hole_upto;
    if (inbox->state != TW_REDIS_INBOX_HOLE)
        return; /* the next session reads on from there */
    inbox->state = TW_REDIS_INBOX_READING;
    wake(inbox);
    read_on(inbox);
}

/* Events whose numbers follow one another. False: one of them is lost here, and with it all behind
 * it, since no event may come before the gap that tells of it. */
static bool take_events(tw_redis_inbox_t *inbox, uint64_t number, const char *items, size_t len)
{
    const char *body;
    size_t body_len;
    bool all = true;

    for (; tw_redis_item_next(&items, &len, &body, &body_len); ++number) {
        if (number <= inbox->late_upto)
            atomic_fetch_add(&inbox->session->stats->filled, 1);
        all = all && inbox->callbacks->on_event(inbox->data, number, body, body_len);
    }
    return all;
}

/* {number of the first event, items, …} or {"m", message, …}. False: an event is lost here. */
static bool take_fields(tw_redis_inbox_t *inbox, const redisReply *fields)
{
    bool all = true;

    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const redisReply *key = fields->element[i], *value = fields->element[i + 1];
        size_t digits;
        if (key->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
            continue;
        inbox->bytes += value->len;
        uint64_t number = tw_redis_number(key->str, key->len, &digits);
        if (digits > 0)
            all = all && take_events(inbox, number, value->str, value->len);
        else
            inbox->callbacks->on_message(inbox->data, value->str, value->len);
    }
    return all;
}

/* False: what comes before it is missing, or the session has ended meanwhile. */
static bool take_entry(tw_redis_inbox_t *inbox, const redisReply *entry)
{
    uint64_t number, before;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        entry->element[0]->type != REDIS_REPLY_STRING ||
        entry->element[1]->type != REDIS_REPLY_ARRAY ||
        sscanf(entry->element[0]->str, "%" SCNu64 "-%" SCNu64, &number, &before) != 2) {
        tw_redis_session_reset(inbox->session, "the inbox cannot be read");
        return false;
    }
    if (number <= inbox->read)
        return true;
    if (before > inbox->read) {
        find_hole(inbox, before, TOO_FAR_BEHIND);
        return false;
    }
    if (inbox->end < number)
        inbox->end = number;
    if (!take_fields(inbox, entry->element[1])) {
        find_hole(inbox, number, "events could not be taken: their streams get a gap");
        return false;
    }
    inbox->read = number;
    wake(inbox);
    return inbox->state == TW_REDIS_INBOX_READING;
}

/* --- reading --- */

/* How many entries the next answer may have: more when there are more than fit into one, as a long
 * way to Redis brings, and as few as keep it short. */
static void adapt(tw_redis_inbox_t *inbox, size_t entries, uint64_t bytes)
{
    uint64_t fit = READ_BYTES / (bytes / entries + 1);

    if (entries >= inbox->read_max)
        inbox->read_max *= 2;
    if (inbox->read_max > fit)
        inbox->read_max = fit;
    if (inbox->read_max > READ_ENTRIES_MAX)
        inbox->read_max = READ_ENTRIES_MAX;
    if (inbox->read_max < 1)
        inbox->read_max = 1;
}

static void on_entries(const redisReply *reply, void *data)
{
    tw_redis_inbox_t *inbox = data;

    if (reply == NULL || inbox->state != TW_REDIS_INBOX_READING)
        return; /* the session is over, or about to be */
    if (reply->type == REDIS_REPLY_ERROR) {
        tw_redis_session_reset(inbox->session, reply->str);
        return;
    }
    tw_redis_session_settled(inbox->session);
    if (reply->type != REDIS_REPLY_ARRAY) {
        /* What was there when we asked would have come. */
        if (inbox->end_asked > inbox->read)
            find_hole(inbox, inbox->end_asked, TOO_FAR_BEHIND);
        else
            read_on(inbox);
        return;
    }
    if (reply->elements != 1 || reply->element[0]->type != REDIS_REPLY_ARRAY ||
        reply->element[0]->elements != 2 ||
        reply->element[0]->element[1]->type != REDIS_REPLY_ARRAY ||
        reply->element[0]->element[1]->elements == 0) {
        tw_redis_session_reset(inbox->session, "the inbox cannot be read");
        return;
    }
    const redisReply *entries = reply->element[0]->element[1];
    uint64_t bytes = inbox->bytes;
    for (size_t i = 0; i < entries->elements; ++i)
        if (!take_entry(inbox, entries->element[i]))
            return;
    adapt(inbox, entries->elements, inbox->bytes - bytes);
    read_on(inbox);
    if (inbox->bytes >= ACK_BYTES)
        tw_redis_inbox_pulse(inbox, UINT64_MAX);
}

static void read_on(tw_redis_inbox_t *inbox)
{
    char key[TW_REDIS_INBOX_KEY_SIZE], from[48], count[24];
    tw_redis_args_t args;

    inbox->state = TW_REDIS_INBOX_READING;
    inbox->end_asked = inbox->end;
    tw_redis_session_inbox_key(inbox->session, key);
    snprintf(count, sizeof(count), "%" PRIu64, inbox->read_max);
    snprintf(from, sizeof(from), "%" PRIu64 "-%" PRIu64, inbox->read, UINT64_MAX);
    const char *const words[] = {"XREAD", "COUNT", count, "BLOCK", BLOCK_MS, "STREAMS", key, from};
    tw_redis_args_init(&args);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); ++i)
        tw_redis_args_text(&args, words[i]);
    tw_redis_session_send_inbox(inbox->session, &args, on_entries, inbox);
}

void tw_redis_inbox_up(tw_redis_inbox_t *inbox, bool kept, uint64_t end, bool waits)
{
    if (!kept) {
        /* What they wait for is of an inbox that is gone: they see that from the registration. */
        inbox->read = 0;
        inbox->hole_upto = end;
        tw_redis_wait_wake(&inbox->waits);
        inbox->bytes = inbox->acking = 0;
        inbox->cut = false;
    }
    inbox->end = inbox->late_upto = end;
    inbox->read_max = READ_ENTRIES_FIRST;
    inbox->is_acking = false;
    if (waits)
        inbox->state = TW_REDIS_INBOX_HOLE;
    else
        read_on(inbox);
}

void tw_redis_inbox_down(tw_redis_inbox_t *inbox)
{
    inbox->state = TW_REDIS_INBOX_IDLE;
}

void tw_redis_inbox_end(tw_redis_inbox_t *inbox)
{
    tw_redis_wait_wake(&inbox->waits);
}

void tw_redis_inbox_learn(tw_redis_inbox_t *inbox, uint64_t end, bool cut)
{
    if (inbox->end < end)
        inbox->end = end;
    inbox->cut = cut;
    if (cut)
        tw_redis_inbox_pulse(inbox, UINT64_MAX);
}

/* --- acknowledging --- */

static void on_ack(const redisReply *reply, void *data)
{
    tw_redis_inbox_t *inbox = data;

    inbox->is_acking = false;
    tw_redis_session_refused(inbox->session, "an acknowledgement", reply);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        inbox->bytes += inbox->acking; /* it may have been done: then Redis counts too few */
    inbox->acking = 0;
}

void tw_redis_inbox_pulse(tw_redis_inbox_t *inbox, uint64_t now_ms)
{
    tw_redis_args_t args;

    if (inbox->state == TW_REDIS_INBOX_IDLE || inbox->is_acking)
        return;
    if (!inbox->cut && inbox->bytes < ACK_BYTES &&
        (inbox->bytes == 0 || now_ms - inbox->acked_ms < ACK_EVERY_MS))
        return;
    inbox->acked_ms = uv_now(inbox->session->loop->uv);
    inbox->cut = false;
    inbox->is_acking = true;
    inbox->acking = inbox->bytes;
    inbox->bytes = 0;
    tw_redis_script_begin_own(inbox->session, &args, TW_REDIS_SCRIPT_ACK);
    tw_redis_args_number(&args, inbox->read);
    tw_redis_args_number(&args, inbox->acking);
    tw_redis_session_send(inbox->session, &args, on_ack, inbox);
}
