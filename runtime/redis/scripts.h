/**
 * What runs inside Redis: one table of Lua scripts.
 *
 * Redis runs a script as a whole, so that what it writes and what it publishes show one order.
 * Keys:
 *
 * - tw:seq: the newest event's number, in every data set above all that were given before
 * - tw:epoch: hash of id, run (of the server that it was drawn for), start (the number before its
 *   first), floor
 * - tw:marks: sorted set of a number → when (ms) it was the newest
 * - tw:{t:TOPIC}: stream of the topic's kept events, and the channel on which they are published
 * - tw:{t:TOPIC}:w: there while the topic's resume window runs
 * - tw:nodes: sorted set of node → end of its lease (ms)
 * - tw:topics: sorted set of all followed topics, in byte order
 * - tw:{n:NODE}: hash of what the node says about itself; also the channel that only it follows
 * - tw:{n:NODE}:t: hash of topic → streams on the node
 * - tw:{n:NODE}:c: sorted set of its streams, "<id> <json>"
 *
 * Every script begins with the same few functions, so none declares what it touches: Tideway needs
 * a single master, not a cluster. Any thread.
 */
#ifndef TW_REDIS_SCRIPTS_H
#define TW_REDIS_SCRIPTS_H

#include <stddef.h>

/* name, arguments → answer */
#define TW_REDIS_SCRIPT_TABLE(X)                                                                       \
    X(JOIN, "run id, fresh epoch, ttl ms → {epoch, newest number, its first number, floor}")           \
    X(PUBLISH,                                                                                         \
      "keep, ttl ms, 1 if windows count, events, {body, 1 to renew the ttl, topics, topic…}… → " \
      "{first number, receivers (-1: dropped) by each topic…}")                                        \
    X(FOLLOWED, "topic… → {1 or 0…}")                                                                  \
    X(MARK, "node, token → newest number; the node's channel gets 'M token number'")                   \
    X(FILL, "after, keep, topic… → {{index, lost, id, body…}…} of those with newer events")            \
    X(PRIME, "topic, count → {length, {id, body…} newest first}")                                      \
    X(LEASE, "node, lease ms, ttl ms, field, value… → {existed, floor, node…}")                        \
    X(LEAVE,                                                                                           \
      "node or '', at most, window ms → 0 nothing is left, 1 topics, 2 maybe more dead nodes")         \
    X(STREAMS, "node, how many are added, {0, member}…, id of those that go… → ok")                    \
    X(TOPICS, "node, how many are followed, {topic, count}…, topic without followers… → ok")           \
    X(FOLLOWERS, "topic → {node, streams…}")                                                           \
    X(CALL_OWNER, "instance, message, token → {receivers, token}")                                     \
    X(LIST_NODES, "→ {{node, streams, field, value…}…}")                                               \
    X(LIST_TOPICS, "from, count, prefix → {total, topic, {node, count…}…}")                            \
    X(LIST_STREAMS, "from, count, prefix → {total, node, member…}")

typedef enum tw_redis_script {
#define X(name, text) TW_REDIS_SCRIPT_##name,
    TW_REDIS_SCRIPT_TABLE(X)
#undef X
        TW_REDIS_SCRIPT_COUNT
} tw_redis_script_t;

#define TW_REDIS_SHA_LEN 40

/** The script's text, NUL-terminated; a constant. */
const char *tw_redis_script_text(tw_redis_script_t script);

/** What EVALSHA calls it: 40 hex digits and a NUL. */
void tw_redis_script_sha(tw_redis_script_t script, char sha[TW_REDIS_SHA_LEN + 1]);

#endif
