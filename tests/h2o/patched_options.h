// Options of h2o_globalconf_t that patches bring: PATCHED(since which patch, name, label, field,
// default). Included several times by server.c with different definitions of PATCHED.
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
#if H2O_SERIES >= 13
#define SINCE_13(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_13(name, field)
#endif
#if H2O_SERIES >= 14
#define SINCE_14(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_14(name, field)
#endif
#if H2O_SERIES >= 17
#define SINCE_17(name, field) config.field = options[OPT_##name].value;
#else
#define SINCE_17(name, field)
#endif

PATCHED(SINCE_1, MAX_STREAMS, "max_streams", http2.max_streams, 100)
PATCHED(SINCE_2, EARLY_MS, "early_ms", early_answer.timeout, 2000)
PATCHED(SINCE_2, EARLY_BYTES, "early_bytes", early_answer.max_discard, 16777216)
PATCHED(SINCE_13, RESET_BUDGET, "reset_budget", http2.reset_budget, 1000)
PATCHED(SINCE_14, WRITE_MS, "write_ms", http2.write_timeout, 30000)
PATCHED(SINCE_14, STALL_MS, "stall_ms", http2.stream_stall_timeout, 30000)
PATCHED(SINCE_17, HTTP1_WRITE_MS, "http1_write_ms", http1.write_timeout, 30000)

#undef SINCE_1
#undef SINCE_13
#undef SINCE_14
#undef SINCE_17
#undef SINCE_2
