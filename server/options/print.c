/* The table for people and for programs. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/options/table.h"

/* Sets *word to the word with this index, and returns its length. */
static int choice_word(const char *choices, uint64_t index, const char **word)
{
    *word = choices;
    for (; index > 0; --index)
        *word = strchr(*word, '|') + 1;
    return (int)strcspn(*word, "|");
}

static void print_default(FILE *out, const tw_option_t *option)
{
    const char *word;
    int len;

    switch (option->kind) {
    case TW_OPTION_GROUP:
        break;
    case TW_OPTION_TEXT:
        fputs(option->fallback_text != NULL ? option->fallback_text : "none", out);
        break;
    case TW_OPTION_CHOICE:
        len = choice_word(option->choices, option->fallback, &word);
        fprintf(out, "%.*s", len, word);
        break;
    case TW_OPTION_NUMBER:
        fprintf(out, "%" PRIu64, option->fallback);
        break;
    }
}

void tw_options_print_help(FILE *out)
{
    fputs(
        "Usage: tideway [--option value]...\n"
        "       tideway healthcheck [--option value]...   ask a running gateway; exit code 0: "
        "healthy\n\n"
        "A Server-Sent-Events gateway. Every option is a flag and an environment variable; flags "
        "win.\n",
        out);
    for (size_t i = 0; i < tw_option_count; ++i) {
        char flag[TW_OPTION_FLAG_MAX];
        if (tw_option_rows[i].kind == TW_OPTION_GROUP) {
            fprintf(out, "\n%s\n", tw_option_rows[i].help);
            continue;
        }
        tw_option_flag(&tw_option_rows[i], flag);
        fprintf(out, "  %s, %s\n      %s\n      default: ", flag, tw_option_rows[i].variable,
                tw_option_rows[i].help);
        print_default(out, &tw_option_rows[i]);
        if (tw_option_rows[i].kind == TW_OPTION_NUMBER)
            fprintf(out, "; %" PRIu64 " to %" PRIu64 " %s", tw_option_rows[i].min,
                    tw_option_rows[i].max, tw_option_rows[i].unit);
        else if (tw_option_rows[i].kind == TW_OPTION_CHOICE)
            fprintf(out, "; one of %s", tw_option_rows[i].choices);
        fputs("\n", out);
    }
    fputs("\n  --help, --version, --options-json (this table for programs)\n", out);
}

static void print_json_row(FILE *out, const tw_option_t *option, const char *group)
{
    static const char *const kinds[] = {"group", "text", "choice", "number"};
    bool is_null = option->kind == TW_OPTION_TEXT && option->fallback_text == NULL;
    const char *quote = is_null || option->kind == TW_OPTION_NUMBER ? "" : "\"";
    char flag[TW_OPTION_FLAG_MAX];

    tw_option_flag(option, flag);
    fprintf(
        out,
        "\n  {\"group\":\"%s\",\"variable\":\"%s\",\"flag\":\"%s\",\"kind\":\"%s\",\"default\":%s",
        group, option->variable, flag, kinds[option->kind], quote);
    if (is_null)
        fputs("null", out);
    else
        print_default(out, option);
    fputs(quote, out);
    if (option->kind == TW_OPTION_NUMBER)
        fprintf(out, ",\"min\":%" PRIu64 ",\"max\":%" PRIu64 ",\"unit\":\"%s\"", option->min,
                option->max, option->unit);
    if (option->kind == TW_OPTION_CHOICE)
        fprintf(out, ",\"choices\":\"%s\"", option->choices);
    fprintf(out, ",\"help\":\"%s\"}", option->help);
}

/* The texts of the table contain nothing that JSON would have to escape. */
void tw_options_print_json(FILE *out)
{
    const char *group = "", *comma = "";

    fputs("[", out);
    for (size_t i = 0; i < tw_option_count; ++i) {
        if (tw_option_rows[i].kind == TW_OPTION_GROUP) {
            group = tw_option_rows[i].help;
            continue;
        }
        fputs(comma, out);
        print_json_row(out, &tw_option_rows[i], group);
        comma = ",";
    }
    fputs("\n]\n", out);
}
