/* A stream: entries in order, in blocks as Redis keeps them, since it trims by whole blocks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/redis/model.h"

#define NODE_ENTRIES_MAX 100 /* stream-node-max-entries */
#define NODE_BYTES_MAX 4096  /* stream-node-max-bytes */
#define LISTPACK_HEAD 7      /* with its end */
#define ENTRY_BYTES 48

int tw_model_id_compare(tw_model_id_t a, tw_model_id_t b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

size_t tw_model_id_print(tw_model_id_t id, char out[48])
{
    return (size_t)snprintf(out, 48, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

void tw_model_reply_entry(tw_model_buffer_t *out, const tw_model_stream_entry_t *entry)
{
    char id[48];
    tw_model_reply_array(out, 2);
    tw_model_reply_bulk(out, id, tw_model_id_print(entry->id, id));
    tw_model_buffer_append(out, entry->resp, entry->resp_len);
}

tw_model_stream_entry_t *tw_model_stream_entry(const tw_model_stream_t *stream, size_t index)
{
    return stream->entries[stream->first + index];
}

/* --- how many bytes an entry takes in its block: that decides where the next one begins --- */

static size_t integer_bytes(int64_t number)
{
    if (number >= 0 && number <= 127)
        return 2;
    if (number >= -4096 && number <= 4095)
        return 3;
    if (number >= INT16_MIN && number <= INT16_MAX)
        return 4;
    if (number >= -8388608 && number <= 8388607)
        return 5;
    return number >= INT32_MIN && number <= INT32_MAX ? 6 : 10;
}

static size_t text_bytes(const tw_model_arg_t *text)
{
    int64_t number;

    if (text->len <= 20 && tw_model_parse_integer(text->base, text->len, &number))
        return integer_bytes(number);
    size_t head = text->len < 64 ? 1 : text->len < 4096 ? 2 : 5;
    size_t bytes = head + text->len;
    return bytes + (bytes < 128 ? 1 : bytes < 16384 ? 2 : 3);
}

static size_t names_bytes(const tw_model_arg_t *fields, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i += 2)
        bytes += text_bytes(&fields[i]);
    return bytes;
}

/* As if every entry of a block had the names of its first, which is how streams are used here. */
static size_t entry_bytes(const tw_model_stream_t *stream, tw_model_id_t id,
                          const tw_model_arg_t *fields, size_t count)
{
    size_t bytes = integer_bytes(2) + integer_bytes((int64_t)(id.ms - stream->node_id.ms)) +
                   integer_bytes((int64_t)(id.seq - stream->node_id.seq)) +
                   integer_bytes((int64_t)(count / 2) + 3);
    for (size_t i = 1; i < count; i += 2)
        bytes += text_bytes(&fields[i]);
    return bytes;
}

/* --- writing --- */

static void make_room(tw_model_stream_t *stream)
{
    if (stream->first + stream->count < stream->capacity)
        return;
    if (stream->first > stream->capacity / 2) {
        memmove(stream->entries, stream->entries + stream->first,
                stream->count * sizeof(*stream->entries));
        stream->first = 0;
        return;
    }
    stream->capacity = stream->capacity * 2 + 8;
    stream->entries = tw_realloc(stream->entries, stream->capacity * sizeof(*stream->entries));
}

static void push(tw_model_stream_t *stream, tw_model_id_t id, const char *resp, size_t resp_len,
                 bool opens_node)
{
    tw_model_stream_entry_t *entry = tw_alloc(sizeof(*entry) + resp_len);

    make_room(stream);
    entry->id = id;
    entry->opens_node = opens_node;
    entry->resp_len = resp_len;
    memcpy(entry->resp, resp, resp_len);
    stream->entries[stream->first + stream->count++] = entry;
    tw_model_meter((ptrdiff_t)(ENTRY_BYTES + resp_len));
}

void tw_model_stream_append(tw_model_stream_t *stream, tw_model_id_t id,
                            const tw_model_arg_t *fields, size_t count)
{
    tw_model_buffer_t resp = {0};
    size_t bytes = 0;

    for (size_t i = 0; i < count; ++i)
        bytes += fields[i].len;
    bool opens_node = stream->count == 0 || stream->node_entries >= NODE_ENTRIES_MAX ||
                      stream->node_bytes + bytes >= NODE_BYTES_MAX;
    if (opens_node) {
        stream->node_id = id;
        stream->node_entries = 0;
        stream->node_bytes = LISTPACK_HEAD + 4 * integer_bytes(0) + names_bytes(fields, count);
    }
    ++stream->node_entries;
    stream->node_bytes += entry_bytes(stream, id, fields, count);
    tw_model_reply_array(&resp, count);
    for (size_t i = 0; i < count; ++i)
        tw_model_reply_bulk(&resp, fields[i].base, fields[i].len);
    push(stream, id, resp.bytes, resp.len, opens_node);
    stream->last_id = id;
    ++stream->added;
    tw_model_buffer_dispose(&resp);
}

static void free_entry(tw_model_stream_entry_t *entry)
{
    tw_model_meter(-(ptrdiff_t)(ENTRY_BYTES + entry->resp_len));
    free(entry);
}

void tw_model_stream_drop_first(tw_model_stream_t *stream, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        free_entry(tw_model_stream_entry(stream, i));
    stream->first += count;
    stream->count -= count;
}

size_t tw_model_stream_at(const tw_model_stream_t *stream, tw_model_id_t id)
{
    size_t low = 0, high = stream->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tw_model_id_compare(tw_model_stream_entry(stream, middle)->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool tw_model_stream_delete(tw_model_stream_t *stream, tw_model_id_t id)
{
    size_t at = tw_model_stream_at(stream, id);

    if (at == stream->count || tw_model_id_compare(tw_model_stream_entry(stream, at)->id, id) != 0)
        return false;
    tw_model_stream_entry_t **place = &stream->entries[stream->first + at];
    if ((*place)->opens_node && at + 1 < stream->count)
        place[1]->opens_node = true;
    free_entry(*place);
    memmove(place, place + 1, (stream->count - at - 1) * sizeof(*place));
    --stream->count;
    if (tw_model_id_compare(id, stream->max_deleted) > 0)
        stream->max_deleted = id;
    return true;
}

/* The end of the block that begins at an index. */
static size_t node_end(const tw_model_stream_t *stream, size_t at)
{
    for (++at; at < stream->count; ++at)
        if (tw_model_stream_entry(stream, at)->opens_node)
            break;
    return at;
}

/* Rounds a number of entries to drop down to whole blocks. */
static size_t whole_nodes(const tw_model_stream_t *stream, size_t count)
{
    size_t at = 0;
    while (at < count) {
        size_t end = node_end(stream, at);
        if (end > count)
            break;
        at = end;
    }
    return at;
}

static size_t drop(tw_model_stream_t *stream, size_t count, bool approx)
{
    if (approx)
        count = whole_nodes(stream, count);
    else if (count > 0 && count < stream->count)
        stream->entries[stream->first + count]->opens_node = true;
    tw_model_stream_drop_first(stream, count);
    return count;
}

size_t tw_model_stream_trim_length(tw_model_stream_t *stream, size_t max, bool approx)
{
    return stream->count > max ? drop(stream, stream->count - max, approx) : 0;
}

size_t tw_model_stream_trim_before(tw_model_stream_t *stream, tw_model_id_t min, bool approx)
{
    return drop(stream, tw_model_stream_at(stream, min), approx);
}

void tw_model_stream_dispose(tw_model_stream_t *stream)
{
    tw_model_stream_drop_first(stream, stream->count);
    free(stream->entries);
}

void tw_model_stream_clone(tw_model_stream_t *to, const tw_model_stream_t *from)
{
    *to = *from;
    to->entries = NULL;
    to->first = to->count = to->capacity = 0;
    for (size_t i = 0; i < from->count; ++i) {
        const tw_model_stream_entry_t *entry = tw_model_stream_entry(from, i);
        push(to, entry->id, entry->resp, entry->resp_len, entry->opens_node);
    }
}
