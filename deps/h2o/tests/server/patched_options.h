/*
 * Options of h2o_globalconf_t that patches bring: PATCHED(since which patch, name, label, field,
 * default). server.c and server.h include this several times with different definitions of PATCHED.
 */
#if H2O_SERIES >= 1
#define SINCE_1(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_1(name, field)
#endif
#if H2O_SERIES >= 2
#define SINCE_2(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_2(name, field)
#endif
#if H2O_SERIES >= 12
#define SINCE_12(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_12(name, field)
#endif
#if H2O_SERIES >= 16
#define SINCE_16(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_16(name, field)
#endif
#if H2O_SERIES >= 17
#define SINCE_17(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_17(name, field)
#endif
#if H2O_SERIES >= 19
#define SINCE_19(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_19(name, field)
#endif
#if H2O_SERIES >= 31
#define SINCE_31(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_31(name, field)
#endif
#if H2O_SERIES >= 32
#define SINCE_32(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_32(name, field)
#endif

PATCHED(SINCE_1, MAX_STREAMS, "max_streams", http2.max_streams, 100)
PATCHED(SINCE_2, EARLY_MS, "early_ms", early_answer.timeout, 2000)
PATCHED(SINCE_2, EARLY_BYTES, "early_bytes", early_answer.max_discard, 16777216)
PATCHED(SINCE_12, HTTP1_WRITE_MS, "http1_write_ms", http1.write_timeout, 30000)
PATCHED(SINCE_16, RESET_BUDGET, "reset_budget", http2.reset_budget, 1000)
PATCHED(SINCE_17, WRITE_MS, "write_ms", http2.write_timeout, 30000)
PATCHED(SINCE_17, STALL_MS, "stall_ms", http2.stream_stall_timeout, 30000)
PATCHED(SINCE_31, MAX_BLOCKED, "max_blocked", http2.max_blocked_streams, 128)
PATCHED(SINCE_19, PING_MS, "ping_ms", http2.ping_interval, 0)
PATCHED(SINCE_32, HTTP1_BODY_MS, "http1_body_ms", http1.body_timeout, 30000)
PATCHED(SINCE_32, HTTP1_IDLE_MS, "http1_idle_ms", http1.idle_timeout, 10000)

#undef SINCE_1
#undef SINCE_2
#undef SINCE_12
#undef SINCE_16
#undef SINCE_17
#undef SINCE_19
#undef SINCE_31
#undef SINCE_32
