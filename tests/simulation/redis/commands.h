/** The table of commands: name, function, arity (with the name; negative: at least), flags. */
#ifndef TW_SIM_REDIS_COMMANDS_H
#define TW_SIM_REDIS_COMMANDS_H

#define TW_MODEL_WRITE 1     /* refused by a replica */
#define TW_MODEL_DENYOOM 2   /* refused when memory is full */
#define TW_MODEL_NO_SCRIPT 4 /* not for scripts */
#define TW_MODEL_PUBSUB 8    /* also for those who subscribe */

#define TW_MODEL_COMMAND_TABLE(X)                                                                  \
    /* strings.c */                                                                                \
    X("append", append, 3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                      \
    X("decr", decr, 2, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                          \
    X("decrby", decrby, 3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                      \
    X("get", get, 2, 0)                                                                            \
    X("getdel", getdel, 2, TW_MODEL_WRITE)                                                         \
    X("incr", incr, 2, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                          \
    X("incrby", incrby, 3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                      \
    X("mget", mget, -2, 0)                                                                         \
    X("mset", mset, -3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                         \
    X("set", set, -3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                           \
    X("setnx", setnx, 3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                        \
    X("strlen", strlen, 2, 0)                                                                      \
    /* keys.c */                                                                                   \
    X("dbsize", dbsize, 1, 0)                                                                      \
    X("del", del, -2, TW_MODEL_WRITE)                                                              \
    X("exists", exists, -2, 0)                                                                     \
    X("expire", expire, 3, TW_MODEL_WRITE)                                                         \
    X("flushall", flushall, -1, TW_MODEL_WRITE)                                                    \
    X("flushdb", flushall, -1, TW_MODEL_WRITE)                                                     \
    X("keys", keys, 2, 0)                                                                          \
    X("persist", persist, 2, TW_MODEL_WRITE)                                                       \
    X("pexpire", pexpire, 3, TW_MODEL_WRITE)                                                       \
    X("pexpireat", pexpireat, 3, TW_MODEL_WRITE)                                                   \
    X("pttl", pttl, 2, 0)                                                                          \
    X("scan", scan, -2, 0)                                                                         \
    X("ttl", ttl, 2, 0)                                                                            \
    X("type", type, 2, 0)                                                                          \
    X("unlink", del, -2, TW_MODEL_WRITE)                                                           \
    /* hashes.c */                                                                                 \
    X("hdel", hdel, -3, TW_MODEL_WRITE)                                                            \
    X("hexists", hexists, 3, 0)                                                                    \
    X("hget", hget, 3, 0)                                                                          \
    X("hgetall", hgetall, 2, 0)                                                                    \
    X("hincrby", hincrby, 4, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                    \
    X("hkeys", hkeys, 2, 0)                                                                        \
    X("hlen", hlen, 2, 0)                                                                          \
    X("hmget", hmget, -3, 0)                                                                       \
    X("hmset", hmset, -4, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                       \
    X("hscan", hscan, -3, 0)                                                                       \
    X("hset", hset, -4, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                         \
    X("hsetnx", hsetnx, 4, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                      \
    X("hvals", hvals, 2, 0)                                                                        \
    /* sets.c */                                                                                   \
    X("sadd", sadd, -3, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                         \
    X("scard", scard, 2, 0)                                                                        \
    X("sismember", sismember, 3, 0)                                                                \
    X("smembers", smembers, 2, 0)                                                                  \
    X("spop", spop, 3, TW_MODEL_WRITE)                                                             \
    X("srem", srem, -3, TW_MODEL_WRITE)                                                            \
    X("sscan", sscan, -3, 0)                                                                       \
    /* zset_writes.c */                                                                            \
    X("zadd", zadd, -4, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                         \
    X("zincrby", zincrby, 4, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                    \
    X("zpopmin", zpopmin, -2, TW_MODEL_WRITE)                                                      \
    X("zrem", zrem, -3, TW_MODEL_WRITE)                                                            \
    /* zset_reads.c */                                                                             \
    X("zcard", zcard, 2, 0)                                                                        \
    X("zmscore", zmscore, -3, 0)                                                                   \
    X("zrank", zrank, 3, 0)                                                                        \
    X("zscan", zscan, -3, 0)                                                                       \
    X("zscore", zscore, 3, 0)                                                                      \
    /* zset_ranges.c */                                                                            \
    X("zcount", zcount, 4, 0)                                                                      \
    X("zlexcount", zlexcount, 4, 0)                                                                \
    X("zrange", zrange, -4, 0)                                                                     \
    X("zrangebylex", zrangebylex, -4, 0)                                                           \
    X("zrangebyscore", zrangebyscore, -4, 0)                                                       \
    X("zremrangebylex", zremrangebylex, 4, TW_MODEL_WRITE)                                         \
    X("zremrangebyrank", zremrangebyrank, 4, TW_MODEL_WRITE)                                       \
    X("zremrangebyscore", zremrangebyscore, 4, TW_MODEL_WRITE)                                     \
    X("zrevrange", zrevrange, -4, 0)                                                               \
    X("zrevrangebylex", zrevrangebylex, -4, 0)                                                     \
    X("zrevrangebyscore", zrevrangebyscore, -4, 0)                                                 \
    /* stream_commands.c */                                                                        \
    X("xadd", xadd, -5, TW_MODEL_WRITE | TW_MODEL_DENYOOM)                                         \
    X("xdel", xdel, -3, TW_MODEL_WRITE)                                                            \
    X("xinfo", xinfo, -2, 0)                                                                       \
    X("xlen", xlen, 2, 0)                                                                          \
    X("xrange", xrange, -4, 0)                                                                     \
    X("xrevrange", xrevrange, -4, 0)                                                               \
    X("xtrim", xtrim, -4, TW_MODEL_WRITE)                                                          \
    /* blocking.c */                                                                               \
    X("xread", xread, -4, 0)                                                                       \
    /* publish_subscribe.c */                                                                      \
    X("publish", publish, 3, TW_MODEL_PUBSUB)                                                      \
    X("pubsub", pubsub, -2, 0)                                                                     \
    X("subscribe", subscribe, -2, TW_MODEL_NO_SCRIPT | TW_MODEL_PUBSUB)                            \
    X("unsubscribe", unsubscribe, -1, TW_MODEL_NO_SCRIPT | TW_MODEL_PUBSUB)                        \
    /* lua.c */                                                                                    \
    X("eval", eval, -3, TW_MODEL_NO_SCRIPT)                                                        \
    X("evalsha", evalsha, -3, TW_MODEL_NO_SCRIPT)                                                  \
    X("script", script, -2, TW_MODEL_NO_SCRIPT)                                                    \
    /* about.c */                                                                                  \
    X("auth", auth, -2, TW_MODEL_NO_SCRIPT)                                                        \
    X("client", client, -2, TW_MODEL_NO_SCRIPT)                                                    \
    X("command", command, -1, 0)                                                                   \
    X("config", config, -2, TW_MODEL_NO_SCRIPT)                                                    \
    X("echo", echo, 2, 0)                                                                          \
    X("hello", hello, -1, TW_MODEL_NO_SCRIPT)                                                      \
    X("info", info, -1, 0)                                                                         \
    X("ping", ping, -1, TW_MODEL_PUBSUB)                                                           \
    X("quit", quit, -1, TW_MODEL_NO_SCRIPT | TW_MODEL_PUBSUB)                                      \
    X("role", role, 1, TW_MODEL_NO_SCRIPT)                                                         \
    X("select", select, 2, 0)                                                                      \
    X("time", time, 1, 0)                                                                          \
    X("wait", wait, 3, TW_MODEL_NO_SCRIPT)

#endif
