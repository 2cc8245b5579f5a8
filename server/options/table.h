/**
 * The table of options in memory, for the files of this folder. Constant; any thread.
 */
#ifndef TW_SERVER_OPTIONS_TABLE_H
#define TW_SERVER_OPTIONS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "server/options/forms.h"
#include "server/options/options.h"

#define TW_OPTION_FLAG_MAX 64

typedef enum tw_option_kind {
    TW_OPTION_GROUP, /* a heading: only `help` is set */
    TW_OPTION_TEXT,
    TW_OPTION_CHOICE,
    TW_OPTION_NUMBER,
} tw_option_kind_t;

/** A row of the table. */
typedef struct tw_option {
    tw_option_kind_t kind;
    size_t offset; /* of the field in tw_options_t */
    const char *variable;
    const char *fallback_text;
    tw_option_form_t form; /* of a text; NULL: any */
    const char *rule;      /* what the form asks for: "it must be …" */
    const char *choices;   /* "a|b" */
    uint64_t fallback, min, max;
    const char *unit;
    const char *help;
} tw_option_t;

/** All rows, in their order. */
extern const tw_option_t tw_option_rows[];
extern const size_t tw_option_count;

/** TIDEWAY_MAX_TOPICS → --max-topics */
void tw_option_flag(const tw_option_t *option, char flag[TW_OPTION_FLAG_MAX]);

#endif
