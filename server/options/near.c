#include "server/options/near.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 64
#define DISTANCE_MAX 3

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return c == '_' ? '-' : c;
}

/* How many letters have to be added, left out, changed, or changed with their neighbour, to make
 * one text of the other (optimal string alignment). Texts that are too long are far apart. */
static unsigned distance(tw_text_t a, tw_text_t b)
{
    unsigned rows[3][NAME_MAX_BYTES + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES)
        return UINT32_MAX;
    for (unsigned j = 0; j <= b.len; ++j)
        last[j] = j;
    for (unsigned i = 1; i <= a.len; ++i) {
        row[0] = i;
        for (unsigned j = 1; j <= b.len; ++j) {
            char x = fold(a.base[i - 1]), y = fold(b.base[j - 1]);
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b.base[j - 2]) && fold(a.base[i - 2]) == y)
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b.len];
}

const tw_option_t *tw_option_near(tw_text_t name, bool flags)
{
    const tw_option_t *nearest = NULL;
    unsigned nearest_distance = least(DISTANCE_MAX, 1 + (unsigned)name.len / 8) + 1;

    for (size_t i = 0; i < tw_option_count; ++i) {
        const tw_option_t *option = &tw_option_rows[i];
        char flag[TW_OPTION_FLAG_MAX];
        if (option->kind == TW_OPTION_GROUP)
            continue;
        tw_option_flag(option, flag);
        unsigned far = distance(name, tw_text_of(flags ? flag : option->variable));
        if (far < nearest_distance) {
            nearest = option;
            nearest_distance = far;
        }
    }
    return nearest;
}

/* --- variables --- */

static bool begins(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * Kubernetes gives each container variables of all Services beside it. Those of a Service whose
 * name begins with `tideway` look like options: TIDEWAY_SERVICE_HOST, TIDEWAY_PORT,
 * TIDEWAY_REDIS_PORT_6379_TCP_ADDR, TIDEWAY_REDIS_PORT=tcp://….
 */
static bool is_of_service(tw_text_t name, const char *value)
{
    char copy[256];

    if (begins(name.base, "TIDEWAY_SERVICE_") || begins(name.base, "TIDEWAY_PORT"))
        return true;
    if (name.len >= sizeof(copy))
        return false;
    memcpy(copy, name.base, name.len);
    copy[name.len] = '\0';
    const char *port = strstr(copy, "_PORT");
    return strstr(copy, "_SERVICE_HOST") != NULL || strstr(copy, "_SERVICE_PORT") != NULL ||
           (port != NULL && port[5] == '\0' && strstr(value, "://") != NULL) ||
           (port != NULL && port[5] == '_' && port[6] >= '0' && port[6] <= '9');
}

static bool is_option(tw_text_t name)
{
    for (size_t i = 0; i < tw_option_count; ++i)
        if (tw_option_rows[i].kind != TW_OPTION_GROUP &&
            strlen(tw_option_rows[i].variable) == name.len &&
            memcmp(tw_option_rows[i].variable, name.base, name.len) == 0)
            return true;
    return false;
}

void tw_options_visit_unknown(char *const environment[], tw_unknown_fn visit, void *data)
{
    for (; *environment != NULL; ++environment) {
        const char *variable = *environment, *equals = strchr(variable, '=');
        if (equals == NULL ||
            (!begins(variable, "TIDEWAY_") && !begins(variable, "SSE_PUBLISHER_")))
            continue;
        tw_text_t name = tw_text(variable, (size_t)(equals - variable));
        if (is_option(name) || is_of_service(name, equals + 1))
            continue;
        const tw_option_t *near = tw_option_near(name, false);
        visit(name, near != NULL ? near->variable : NULL, data);
    }
}
