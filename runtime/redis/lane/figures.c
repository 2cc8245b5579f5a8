#include "runtime/redis/lane/figures.h"

#include <stdlib.h>

#include <jansson.h>

static void write_number(json_t *object, const char *name, uint64_t value)
{
    if (value > 0)
        json_object_set_new(object, name, json_integer((json_int_t)value));
}

char *tw_redis_figures_write(const tw_stats_t *stats, int64_t counted_at_ms)
{
    json_t *figures = json_object(), *closes = json_object();

    json_object_set_new(figures, "at", json_integer((json_int_t)counted_at_ms));
    write_number(figures, "topics", stats->topics);
#define X(field, metric, labels, type, help) write_number(figures, #field, stats->counters.field);
    TW_COUNTER_TABLE(X)
#undef X
    for (int i = 0; i < TW_CLOSE_REASON_COUNT; ++i)
        write_number(closes, tw_close_reason_label((tw_close_reason_t)i),
                     stats->counters.closes[i]);
    json_object_set_new(figures, "closes", closes);
    char *text = json_dumps(figures, JSON_COMPACT);
    if (text == NULL)
        abort();
    json_decref(figures);
    return text;
}

static uint64_t read_number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

bool tw_redis_figures_read(const char *text, tw_stats_t *stats, int64_t *counted_at_ms)
{
    json_t *figures = json_loads(text, 0, NULL);
    const json_t *closes = json_object_get(figures, "closes");

    if (!json_is_integer(json_object_get(figures, "at"))) {
        json_decref(figures);
        return false;
    }
    *counted_at_ms = (int64_t)read_number(figures, "at");
    *stats = (tw_stats_t){.topics = read_number(figures, "topics"),
                          .streams = read_number(figures, "streams")};
#define X(field, metric, labels, type, help) stats->counters.field = read_number(figures, #field);
    TW_COUNTER_TABLE(X)
#undef X
    for (int i = 0; i < TW_CLOSE_REASON_COUNT; ++i)
        stats->counters.closes[i] =
            read_number(closes, tw_close_reason_label((tw_close_reason_t)i));
    json_decref(figures);
    return true;
}
