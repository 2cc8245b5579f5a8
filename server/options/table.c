#include "server/options/table.h"

#include <string.h>

const tw_option_t tw_option_rows[] = {
#define WORD(value, word) "|" word
#define GROUP(title) {.kind = TW_OPTION_GROUP, .help = title},
#define TEXT(name, env, standard, text)                                                            \
    {.kind = TW_OPTION_TEXT,                                                                       \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback_text = standard,                                                                    \
     .help = text},
#define FORM(name, env, standard, check, must_be, text)                                            \
    {.kind = TW_OPTION_TEXT,                                                                       \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback_text = standard,                                                                    \
     .form = check,                                                                                \
     .rule = must_be,                                                                              \
     .help = text},
#define CHOICE(name, env, standard, words, text)                                                   \
    {.kind = TW_OPTION_CHOICE,                                                                     \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback = standard,                                                                         \
     .choices = &(words(WORD))[1],                                                                 \
     .help = text},
#define NUMBER(name, env, standard, least, most, of, text)                                         \
    {.kind = TW_OPTION_NUMBER,                                                                     \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback = standard,                                                                         \
     .min = least,                                                                                 \
     .max = most,                                                                                  \
     .unit = of,                                                                                   \
     .help = text},
    TW_OPTION_TABLE(GROUP, TEXT, FORM, CHOICE, NUMBER)
#undef WORD
#undef GROUP
#undef TEXT
#undef FORM
#undef CHOICE
#undef NUMBER
};

const size_t tw_option_count = sizeof(tw_option_rows) / sizeof(tw_option_rows[0]);

void tw_option_flag(const tw_option_t *option, char flag[TW_OPTION_FLAG_MAX])
{
    static const char prefix[] = "TIDEWAY_";
    const char *name = option->variable;
    size_t len = 0;

    if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
        name += sizeof(prefix) - 1;
    flag[len++] = '-';
    flag[len++] = '-';
    for (; *name != '\0' && len < TW_OPTION_FLAG_MAX - 1; ++name)
        flag[len++] = *name == '_' ? '-' : (char)(*name | 0x20);
    flag[len] = '\0';
}
