/* Commands of keys whatever they hold, and scans. */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/simulation/redis/dicts.h"
#include "tests/simulation/redis/server_inside.h"

#define SCAN_COUNT 10
#define SCAN_BUCKETS_PER_COUNT 10 /* so many are looked at before an answer, whatever was found */

void tw_model_dbsize(tw_model_call_t *call)
{
    tw_model_reply_integer(call->out, (int64_t)call->server->data->keys.used);
}

void tw_model_del(tw_model_call_t *call)
{
    int64_t deleted = 0;
    for (int i = 1; i < call->argc; ++i)
        deleted += tw_model_delete(call->server, &call->argv[i]);
    tw_model_reply_integer(call->out, deleted);
}

void tw_model_exists(tw_model_call_t *call)
{
    int64_t found = 0;
    for (int i = 1; i < call->argc; ++i)
        found += tw_model_lookup(call->server, &call->argv[i]) != NULL;
    tw_model_reply_integer(call->out, found);
}

void tw_model_flushall(tw_model_call_t *call)
{
    tw_model_server_set_data(call->server, tw_model_data_create());
    tw_model_reply_status(call->out, "OK");
}

void tw_model_type(tw_model_call_t *call)
{
    static const char *const names[] = {"string", "hash", "set", "zset", "stream"};
    const tw_model_object_t *object = tw_model_lookup(call->server, &call->argv[1]);
    tw_model_reply_status(call->out, object != NULL ? names[object->type] : "none");
}

/* --- time to live --- */

static void expire_at(tw_model_call_t *call, int64_t at_ms)
{
    const tw_model_arg_t *key = &call->argv[1];
    tw_model_object_t *object = tw_model_lookup(call->server, key);

    if (object == NULL) {
        tw_model_reply_integer(call->out, 0);
        return;
    }
    if (at_ms <= tw_model_now_ms(call->server))
        tw_model_delete(call->server, key);
    else
        object->expires_ms = at_ms;
    tw_model_reply_integer(call->out, 1);
}

static void expire_in(tw_model_call_t *call, int64_t unit_ms)
{
    int64_t number;
    if (tw_model_arg_integer(call, &call->argv[2], &number))
        expire_at(call, tw_model_now_ms(call->server) + number * unit_ms);
}

void tw_model_expire(tw_model_call_t *call)
{
    expire_in(call, 1000);
}

void tw_model_pexpire(tw_model_call_t *call)
{
    expire_in(call, 1);
}

void tw_model_pexpireat(tw_model_call_t *call)
{
    int64_t at_ms;
    if (tw_model_arg_integer(call, &call->argv[2], &at_ms))
        expire_at(call, at_ms);
}

void tw_model_persist(tw_model_call_t *call)
{
    tw_model_object_t *object = tw_model_lookup(call->server, &call->argv[1]);
    bool had = object != NULL && object->expires_ms != -1;
    if (had)
        object->expires_ms = -1;
    tw_model_reply_integer(call->out, had);
}

static void reply_ttl(tw_model_call_t *call, int64_t unit_ms)
{
    const tw_model_object_t *object = tw_model_lookup(call->server, &call->argv[1]);
    if (object == NULL)
        tw_model_reply_integer(call->out, -2);
    else if (object->expires_ms == -1)
        tw_model_reply_integer(call->out, -1);
    else
        tw_model_reply_integer(call->out,
                               (object->expires_ms - tw_model_now_ms(call->server) + unit_ms / 2) /
                                   unit_ms);
}

void tw_model_ttl(tw_model_call_t *call)
{
    reply_ttl(call, 1000);
}

void tw_model_pttl(tw_model_call_t *call)
{
    reply_ttl(call, 1);
}

/* --- scans --- */

static bool matches(const tw_model_arg_t *pattern, const char *bytes, size_t len)
{
    char glob[512], text[512];

    if (pattern->len >= sizeof(glob) || len >= sizeof(text))
        return false;
    memcpy(glob, pattern->base, pattern->len);
    glob[pattern->len] = '\0';
    memcpy(text, bytes, len);
    text[len] = '\0';
    return fnmatch(glob, text, 0) == 0;
}

bool tw_model_scan_matches(const tw_model_scan_t *scan, const char *bytes, size_t len)
{
    return scan->match == NULL || matches(scan->match, bytes, len);
}

bool tw_model_scan_begin(tw_model_call_t *call, int cursor_at, tw_model_scan_t *scan)
{
    int64_t cursor;

    *scan = (tw_model_scan_t){.count = SCAN_COUNT};
    if (!tw_model_parse_integer(call->argv[cursor_at].base, call->argv[cursor_at].len, &cursor) ||
        cursor < 0) {
        tw_model_reply_error(call->out, "ERR invalid cursor");
        return false;
    }
    scan->cursor = (uint64_t)cursor;
    for (int at = cursor_at + 1; at < call->argc; at += 2) {
        if (at + 1 < call->argc && tw_model_arg_is(&call->argv[at], "match")) {
            scan->match = &call->argv[at + 1];
        } else if (at + 1 < call->argc && tw_model_arg_is(&call->argv[at], "count")) {
            if (!tw_model_arg_integer(call, &call->argv[at + 1], &scan->count))
                return false;
            if (scan->count < 1) {
                tw_model_syntax_error(call);
                return false;
            }
        } else {
            tw_model_syntax_error(call);
            return false;
        }
    }
    return true;
}

void tw_model_scan_run(tw_model_scan_t *scan, const tw_model_dict_t *dict, bool whole,
                       tw_model_visit_fn visit)
{
    int64_t buckets = scan->count * SCAN_BUCKETS_PER_COUNT;

    if (whole) {
        tw_model_entry_t *next;
        for (tw_model_entry_t *entry = dict->first; entry != NULL; entry = next) {
            next = entry->next;
            visit(entry, scan);
        }
        scan->cursor = 0;
        return;
    }
    do
        scan->cursor = tw_model_dict_scan(dict, scan->cursor, visit, scan);
    while (scan->cursor != 0 && --buckets > 0 && (int64_t)scan->seen < scan->count);
}

void tw_model_scan_reply(tw_model_call_t *call, tw_model_scan_t *scan)
{
    char cursor[24];

    tw_model_reply_array(call->out, 2);
    tw_model_reply_bulk(call->out, cursor,
                        (size_t)snprintf(cursor, sizeof(cursor), "%" PRIu64, scan->cursor));
    tw_model_reply_array(call->out, scan->found);
    tw_model_buffer_append(call->out, scan->elements.bytes, scan->elements.len);
    tw_model_buffer_dispose(&scan->elements);
}

/* Removes what has expired, which Redis does by and by. */
static void expire_all(tw_model_server_t *server)
{
    tw_model_entry_t *next;
    for (tw_model_entry_t *entry = server->data->keys.first; entry != NULL; entry = next) {
        const tw_model_arg_t key = {entry->key, entry->len};
        next = entry->next;
        tw_model_lookup(server, &key);
    }
}

void tw_model_scan(tw_model_call_t *call)
{
    tw_model_scan_t scan;

    if (!tw_model_scan_begin(call, 1, &scan))
        return;
    expire_all(call->server);
    tw_model_scan_run(&scan, &call->server->data->keys, false, tw_model_dict_visit_name);
    tw_model_scan_reply(call, &scan);
}

void tw_model_keys(tw_model_call_t *call)
{
    tw_model_scan_t scan = {.match = &call->argv[1]};

    expire_all(call->server);
    tw_model_scan_run(&scan, &call->server->data->keys, true, tw_model_dict_visit_name);
    tw_model_reply_array(call->out, scan.found);
    tw_model_buffer_append(call->out, scan.elements.bytes, scan.elements.len);
    tw_model_buffer_dispose(&scan.elements);
}
