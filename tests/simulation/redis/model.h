/**
 * The inside of the Redis model: what a server keeps, and what a command is given.
 *
 * The model has just the commands that Tideway's scripts and adapter use, as Redis 7.0 has them
 * (RESP2, one database). tests/simulation/test_redis_model.c holds every one of them against a real
 * server. To add a command: a function in the file of its data type, a row in commands.h, and a row
 * in the table of random calls of the differential test.
 *
 * One thread. A data set is used by one server at a time.
 */
#ifndef TW_SIM_REDIS_MODEL_H
#define TW_SIM_REDIS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/simulation/redis/commands.h"
#include "tests/simulation/redis/dict.h"
#include "tests/simulation/redis/reply.h"
#include "tests/simulation/redis/server.h"

/* --- values --- */

typedef struct tw_model_text {
    size_t len;
    char bytes[]; /* NUL behind them */
} tw_model_text_t;

typedef enum tw_model_type {
    TW_MODEL_STRING,
    TW_MODEL_HASH,
    TW_MODEL_SET,
    TW_MODEL_ZSET,
    TW_MODEL_STREAM
} tw_model_type_t;

typedef struct tw_model_element {
    double score;
    tw_model_entry_t *entry; /* its member; the entry's value is this element */
} tw_model_element_t;

typedef struct tw_model_zset {
    tw_model_dict_t members;
    tw_model_element_t **sorted; /* owned, as what it points to; by score, then member */
    size_t capacity;
} tw_model_zset_t;

typedef struct tw_model_id {
    uint64_t ms, seq;
} tw_model_id_t;

typedef struct tw_model_stream_entry {
    tw_model_id_t id;
    bool opens_node; /* the first of one of Redis' blocks, by which it trims with "~" */
    size_t resp_len;
    char resp[]; /* its fields and values as a reply */
} tw_model_stream_entry_t;

typedef struct tw_model_stream {
    tw_model_stream_entry_t **entries; /* owned, as what it points to; from `first` on */
    size_t first, count, capacity;
    size_t node_entries, node_bytes; /* of the block that is written now */
    tw_model_id_t node_id, last_id, max_deleted;
    uint64_t added;
} tw_model_stream_t;

typedef struct tw_model_object {
    tw_model_type_t type;
    int64_t expires_ms; /* wall clock; -1: never */
    union {
        tw_model_text_t *string; /* owned */
        tw_model_dict_t dict;    /* HASH: values are texts; SET: values are NULL */
        tw_model_zset_t zset;
        tw_model_stream_t stream;
    };
} tw_model_object_t;

struct tw_model_data {
    tw_model_dict_t keys; /* values are objects */
    size_t bytes;         /* of all that it holds, about */
};

tw_model_text_t *tw_model_text_create(const char *bytes, size_t len);
void tw_model_text_free(void *text);

/** An object of this type that is empty; STRING: `string` is to be set. */
tw_model_object_t *tw_model_object_create(tw_model_type_t type);
void tw_model_object_free(void *object);
tw_model_object_t *tw_model_object_clone(const tw_model_object_t *object);

/** Memory that the data set in use holds from now on, or no more. */
void tw_model_meter(ptrdiff_t bytes);

/* --- a command --- */

typedef struct tw_model_call {
    tw_model_server_t *server;
    tw_model_session_t *session; /* whose command it is; inside of a script, who runs that */
    bool in_script;
    int argc;
    const tw_model_arg_t *argv; /* argv[0] is the command */
    tw_model_buffer_t *out;     /* its reply */
} tw_model_call_t;

typedef struct tw_model_command {
    const char *name;
    int arity; /* with the name; negative: at least */
    unsigned flags;
    void (*run)(tw_model_call_t *call);
} tw_model_command_t;

/** NULL: there is none. */
const tw_model_command_t *tw_model_command_find(const tw_model_arg_t *name);

/** Whether what needs memory is refused now. */
bool tw_model_is_full(const tw_model_server_t *server);

/** Checks the call, runs it, and writes one reply (or several, or none, for those who subscribe or
 * block). */
void tw_model_execute(tw_model_call_t *call);

/* --- helpers of commands; those that return false or NULL have written the error --- */

bool tw_model_arg_is(const tw_model_arg_t *arg, const char *text); /* without case */
bool tw_model_arg_integer(tw_model_call_t *call, const tw_model_arg_t *arg, int64_t *number);
bool tw_model_parse_integer(const char *bytes, size_t len, int64_t *number);
bool tw_model_parse_double(const char *bytes, size_t len, double *number);
int tw_model_compare(const char *a, size_t a_len, const char *b, size_t b_len); /* as memcmp */

/** The object of a key that is not expired, or NULL. */
tw_model_object_t *tw_model_lookup(tw_model_server_t *server, const tw_model_arg_t *key);

/** The object if there is one of this type: *object is NULL when there is no key. False: another
 * type. */
bool tw_model_lookup_type(tw_model_call_t *call, const tw_model_arg_t *key, tw_model_type_t type,
                          tw_model_object_t **object);

/** The same, made if it is not there; NULL: another type. */
tw_model_object_t *tw_model_lookup_or_create(tw_model_call_t *call, const tw_model_arg_t *key,
                                             tw_model_type_t type);

/** Puts an object at a key, in place of what was there. */
void tw_model_put(tw_model_server_t *server, const tw_model_arg_t *key, tw_model_object_t *object);

/** False: there was no such key. */
bool tw_model_delete(tw_model_server_t *server, const tw_model_arg_t *key);

/** Deletes the key of a collection that has become empty. */
void tw_model_delete_if_empty(tw_model_server_t *server, const tw_model_arg_t *key);

int64_t tw_model_now_ms(const tw_model_server_t *server);

void tw_model_syntax_error(tw_model_call_t *call);

/** Options of SCAN and its like from argv[at] on; writes the reply of the elements that `collect`
 * has put into the buffer. */
typedef struct tw_model_scan {
    uint64_t cursor;
    int64_t count;
    const tw_model_arg_t *match; /* NULL: all */
    size_t seen, found;          /* entries that were visited; elements in `elements` */
    tw_model_buffer_t elements;
} tw_model_scan_t;

bool tw_model_scan_begin(tw_model_call_t *call, int cursor_at, tw_model_scan_t *scan);
void tw_model_scan_run(tw_model_scan_t *scan, const tw_model_dict_t *dict, bool whole,
                       tw_model_visit_fn visit);
void tw_model_scan_reply(tw_model_call_t *call, tw_model_scan_t *scan);
bool tw_model_scan_matches(const tw_model_scan_t *scan, const char *bytes, size_t len);

/* --- zset.c --- */

/** Sets a member's score; returns whether it is new. */
bool tw_model_zset_set(tw_model_zset_t *zset, const tw_model_arg_t *member, double score);
void tw_model_zset_remove(tw_model_zset_t *zset, tw_model_entry_t *entry);
size_t tw_model_zset_rank(const tw_model_zset_t *zset, const tw_model_element_t *element);
void tw_model_zset_dispose(tw_model_zset_t *zset);
void tw_model_zset_clone(tw_model_zset_t *to, const tw_model_zset_t *from);

/* --- stream.c --- */

int tw_model_id_compare(tw_model_id_t a, tw_model_id_t b);
void tw_model_stream_append(tw_model_stream_t *stream, tw_model_id_t id,
                            const tw_model_arg_t *fields, size_t field_count);
/** The index (from 0) of the first entry with this id or a later one. */
size_t tw_model_stream_at(const tw_model_stream_t *stream, tw_model_id_t id);
tw_model_stream_entry_t *tw_model_stream_entry(const tw_model_stream_t *stream, size_t index);
void tw_model_stream_drop_first(tw_model_stream_t *stream, size_t count);
bool tw_model_stream_delete(tw_model_stream_t *stream, tw_model_id_t id);
/** Both return how many went; `approx`: whole blocks only. */
size_t tw_model_stream_trim_length(tw_model_stream_t *stream, size_t max, bool approx);
size_t tw_model_stream_trim_before(tw_model_stream_t *stream, tw_model_id_t min, bool approx);
void tw_model_stream_dispose(tw_model_stream_t *stream);
void tw_model_stream_clone(tw_model_stream_t *to, const tw_model_stream_t *from);
/** "<ms>", whose number is `missing_seq` then, or "<ms>-<seq>"; false: it is neither. */
bool tw_model_parse_id(const tw_model_arg_t *arg, uint64_t missing_seq, tw_model_id_t *id);
/** "<ms>-<seq>"; returns its length. */
size_t tw_model_id_print(tw_model_id_t id, char out[48]);
/** One entry as XRANGE has it. */
void tw_model_reply_entry(tw_model_buffer_t *out, const tw_model_stream_entry_t *entry);

/* --- blocking.c --- */

/** Whether XREAD can be answered now; writes the answer if so. */
bool tw_model_xread_serve(tw_model_session_t *session, tw_model_buffer_t *out);

/* --- publish_subscribe.c --- */

void tw_model_unsubscribe_all(tw_model_session_t *session);

/* --- lua.c --- */

typedef struct tw_model_lua tw_model_lua_t;

tw_model_lua_t *tw_model_lua_create(void);
void tw_model_lua_destroy(tw_model_lua_t *lua);

/* --- what the table of commands names --- */

#define X(name, function, arity, flags) void tw_model_##function(tw_model_call_t *call);
TW_MODEL_COMMAND_TABLE(X)
#undef X

#endif
