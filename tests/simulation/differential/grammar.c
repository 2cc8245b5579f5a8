#include "tests/simulation/differential/grammar.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"

#define WRONG_TYPE_ONE_IN 20
#define IDS 60

static uint32_t below(tw_test_random_t *random, uint32_t n)
{
    return tw_test_random_below(random, n);
}

/* --- values --- */

static size_t make_key(tw_test_random_t *random, char kind, char *out)
{
    static const char kinds[] = "shezx";
    if (kind == 'k' || (kind != 'w' && below(random, WRONG_TYPE_ONE_IN) == 0))
        kind = kinds[below(random, 5)];
    return (size_t)sprintf(out, "key:%c%u", kind, below(random, 3));
}

static size_t make_value(tw_test_random_t *random, char *out)
{
    switch (below(random, 6)) {
    case 0:
        return (size_t)sprintf(out, "%d", (int)below(random, 2000) - 1000);
    case 1:
        memcpy(out, "a\r\nb\0 c", 8);
        return 8;
    case 2:
        return 0;
    case 3: {
        size_t len = below(random, 200);
        memset(out, 'v', len);
        return len;
    }
    default:
        return (size_t)sprintf(out, "value-%u", below(random, 100));
    }
}

static size_t make_big(tw_test_random_t *random, char *out)
{
    static const char *const numbers[] = {"9223372036854775807",
                                          "-9223372036854775808",
                                          "9223372036854775808",
                                          "007",
                                          "1.5",
                                          "-0",
                                          "+1",
                                          " 1",
                                          "",
                                          "x",
                                          "1000000000000000000"};
    if (below(random, 2) == 0)
        return (size_t)sprintf(out, "%d", (int)below(random, 40) - 20);
    return (size_t)sprintf(out, "%s", numbers[below(random, sizeof(numbers) / sizeof(*numbers))]);
}

static size_t make_score(tw_test_random_t *random, char *out)
{
    static const char *const odd[] = {"inf", "-inf", "1e3", "0.1", "-2.5", "1700000000123456",
                                      "x",   ""};
    if (below(random, 4) != 0)
        return (size_t)sprintf(out, "%d", (int)below(random, 20) - 5);
    return (size_t)sprintf(out, "%s", odd[below(random, sizeof(odd) / sizeof(*odd))]);
}

static size_t make_range_end(tw_test_random_t *random, char *out)
{
    static const char *const ends[] = {"-inf", "+inf", "(1", "(inf", "((1", "x"};
    if (below(random, 2) == 0)
        return make_score(random, out);
    if (below(random, 2) == 0)
        return (size_t)sprintf(out, "(%u", below(random, 15));
    return (size_t)sprintf(out, "%s", ends[below(random, sizeof(ends) / sizeof(*ends))]);
}

static size_t make_name_end(tw_test_random_t *random, char *out)
{
    static const char *const ends[] = {"-", "+", "[", "(", "x", "-a", "[f\x7f"};
    if (below(random, 3) != 0)
        return (size_t)sprintf(out, "%cf%u", "[("[below(random, 2)], below(random, 12));
    return (size_t)sprintf(out, "%s", ends[below(random, sizeof(ends) / sizeof(*ends))]);
}

static size_t make_id(tw_test_random_t *random, char *out)
{
    static const char *const odd[] = {"0-0", "x",
                                      "1-",  "18446744073709551615",
                                      "5-*", "(18446744073709551615-18446744073709551615"};
    switch (below(random, 8)) {
    case 0:
        return (size_t)sprintf(out, "-");
    case 1:
        return (size_t)sprintf(out, "+");
    case 2:
        return (size_t)sprintf(out, "%u", below(random, IDS));
    case 3:
        return (size_t)sprintf(out, "(%u-%u", below(random, IDS), below(random, 3));
    case 4:
        if (below(random, 4) == 0)
            return (size_t)sprintf(out, "%s", odd[below(random, sizeof(odd) / sizeof(*odd))]);
        /* fall through */
    default:
        return (size_t)sprintf(out, "%u-%u", below(random, IDS), below(random, 3));
    }
}

static size_t make_new_id(tw_test_random_t *random, char *out)
{
    switch (below(random, 12)) {
    case 0:
        return make_id(random, out);
    case 1:
        return (size_t)sprintf(out, "%u-*", below(random, IDS));
    default:
        return (size_t)sprintf(out, "%u-%u", below(random, IDS), below(random, 3));
    }
}

static size_t make(tw_test_random_t *random, char kind, char *out)
{
    switch (kind) {
    case 'f':
        return (size_t)sprintf(out, "f%u", below(random, 12));
    case 'v':
        return make_value(random, out);
    case 'n':
        return (size_t)sprintf(out, "%d", (int)below(random, 12) - 3);
    case 'c':
        return (size_t)sprintf(out, "%u", 1 + below(random, 8));
    case 'b':
        return make_big(random, out);
    case 'd':
        return make_score(random, out);
    case 'r':
        return make_range_end(random, out);
    case 'l':
        return make_name_end(random, out);
    case 'i':
        return make_id(random, out);
    case 'a':
        return make_new_id(random, out);
    case 't':
        return (size_t)sprintf(out, "%u", 1000000 + below(random, 1000000));
    default:
        return make_key(random, kind, out);
    }
}

/* --- patterns --- */

static const char *skip_blanks(const char *at)
{
    while (*at == ' ')
        ++at;
    return at;
}

/* The place behind the bracket that closes the one before `at`, or at a bar of its level. */
static const char *skip_group(const char *at, char close)
{
    for (unsigned depth = 0;; ++at) {
        tw_check(*at != '\0');
        if (depth == 0 && (*at == close || *at == '|'))
            return at;
        if (strchr("[{(", *at) != NULL)
            ++depth;
        else if (strchr("]})", *at) != NULL)
            --depth;
    }
}

static void put(tw_line_t *line, const char *bytes, size_t len)
{
    tw_check(line->argc < TW_LINE_ARGS_MAX);
    line->at[line->argc] = line->bytes.len;
    line->lens[line->argc++] = len;
    tw_model_buffer_append(&line->bytes, bytes, len);
    tw_model_buffer_append(&line->bytes, "", 1);
}

static const char *expand(tw_line_t *line, const char *at, char close, tw_test_random_t *random);

static const char *expand_repeated(tw_line_t *line, const char *at, tw_test_random_t *random)
{
    for (uint32_t left = 1 + below(random, 4); left > 0; --left)
        expand(line, at, '}', random);
    return skip_group(at, '}') + 1;
}

static const char *expand_choice(tw_line_t *line, const char *at, tw_test_random_t *random)
{
    uint32_t count = 1;
    for (const char *bar = skip_group(at, ')'); *bar == '|'; bar = skip_group(bar + 1, ')'))
        ++count;
    for (uint32_t skipped = below(random, count); skipped > 0; --skipped)
        at = skip_group(at, ')') + 1;
    at = expand(line, at, ')', random);
    while (*at != ')')
        at = skip_group(at + 1, ')');
    return at + 1;
}

/* Up to the closing bracket or a bar, or the pattern's end; returns the place of it. */
static const char *expand(tw_line_t *line, const char *at, char close, tw_test_random_t *random)
{
    char value[256];

    for (at = skip_blanks(at); *at != '\0' && *at != close && *at != '|'; at = skip_blanks(at)) {
        if (*at == '[') {
            if (below(random, 3) == 0)
                expand(line, at + 1, ']', random);
            at = skip_group(at + 1, ']') + 1;
        } else if (*at == '{') {
            at = expand_repeated(line, at + 1, random);
        } else if (*at == '(') {
            at = expand_choice(line, at + 1, random);
        } else if (*at == '%') {
            put(line, value, make(random, at[1], value));
            at += 2;
        } else {
            size_t len = strcspn(at, " ]})|");
            put(line, at, len);
            at += len;
        }
    }
    return at;
}

void tw_line_make(tw_line_t *line, const char *pattern, tw_test_random_t *random)
{
    line->argc = 0;
    line->bytes.len = 0;
    expand(line, pattern, '\0', random);
    for (int i = 0; i < line->argc; ++i)
        line->argv[i] = line->bytes.bytes + line->at[i];
}

void tw_line_dispose(tw_line_t *line)
{
    tw_model_buffer_dispose(&line->bytes);
}
