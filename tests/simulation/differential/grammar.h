/**
 * Random command lines out of a pattern. Words are taken as they are; besides:
 *
 *     [ … ]        there or not
 *     { … }        once to four times
 *     ( a | b )    one of them
 *     %k %s %h %e %z %x   a key: of any type, of a string, hash, set, sorted set, stream (and
 *                  sometimes of another type)
 *     %w           a key of a sorted set whose scores are all 0: ranges by name are for those
 *     %f           a name of a field, member or channel
 *     %v           a value, at times with blanks, line ends, NUL or digits only
 *     %n           a small whole number, at times negative
 *     %c           a count of at least 1
 *     %b           a whole number of any size, or none at all
 *     %d           a score
 *     %r           an end of a range by score
 *     %l           an end of a range by name
 *     %i           an id of a stream, or an end of a range of ids
 *     %a           an id for XADD
 *     %t           a time to live in ms that does not end in the test
 */
#ifndef TW_SIM_GRAMMAR_H
#define TW_SIM_GRAMMAR_H

#include "tests/simulation/redis/reply.h"
#include "tests/support/random.h"

#define TW_LINE_ARGS_MAX 64

typedef struct tw_line {
    int argc;
    const char *argv[TW_LINE_ARGS_MAX]; /* into `bytes` */
    size_t lens[TW_LINE_ARGS_MAX];
    size_t at[TW_LINE_ARGS_MAX];
    tw_model_buffer_t bytes;
} tw_line_t;

/** Fills `line`, which is all zero or was filled before. */
void tw_line_make(tw_line_t *line, const char *pattern, tw_test_random_t *random);

void tw_line_dispose(tw_line_t *line);

#endif
