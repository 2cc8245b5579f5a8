#include "tests/simulation/world/schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define LINE_MAX_BYTES 512

typedef struct tw_sim_form {
    const char *text;
    bool is_fault;
    const char *params[TW_SIM_PARAMS]; /* "": there is none */
} tw_sim_form_t;

static const tw_sim_form_t forms[] = {
#define X(name, text, is_fault, ...) {text, is_fault, {__VA_ARGS__}},
    TW_SIM_OPERATION_TABLE(X)
#undef X
};

static const struct {
    const char *name;
    size_t offset;
    int64_t usual;
} settings_table[] = {
#define X(name, usual, meaning) {#name, offsetof(tw_sim_settings_t, name), usual},
    TW_SIM_SETTING_TABLE(X)
#undef X
};

#define SETTING_COUNT (sizeof(settings_table) / sizeof(settings_table[0]))

static int64_t *setting(tw_sim_settings_t *settings, size_t i)
{
    return (int64_t *)((char *)settings + settings_table[i].offset);
}

const char *tw_sim_operation_text(tw_sim_operation_t operation)
{
    return forms[operation].text;
}

bool tw_sim_operation_is_fault(tw_sim_operation_t operation)
{
    return forms[operation].is_fault;
}

void tw_sim_schedule_init(tw_sim_schedule_t *schedule)
{
    *schedule = (tw_sim_schedule_t){0};
    for (size_t i = 0; i < SETTING_COUNT; ++i)
        *setting(&schedule->settings, i) = settings_table[i].usual;
}

void tw_sim_schedule_dispose(tw_sim_schedule_t *schedule)
{
    free(schedule->entries);
}

void tw_sim_schedule_add(tw_sim_schedule_t *schedule, int64_t at_us, tw_sim_operation_t operation,
                         const int64_t *params, size_t count)
{
    if (schedule->count == schedule->capacity) {
        schedule->capacity = schedule->capacity * 2 + 64;
        schedule->entries =
            tw_realloc(schedule->entries, schedule->capacity * sizeof(*schedule->entries));
    }
    tw_sim_entry_t *entry = &schedule->entries[schedule->count++];
    *entry = (tw_sim_entry_t){.at_us = at_us, .operation = operation};
    if (count > 0)
        memcpy(entry->params, params, count * sizeof(*params));
}

void tw_sim_schedule_copy(tw_sim_schedule_t *to, const tw_sim_schedule_t *from, const bool *keep)
{
    tw_sim_schedule_init(to);
    to->settings = from->settings;
    for (size_t i = 0; i < from->count; ++i)
        if (keep == NULL || keep[i])
            tw_sim_schedule_add(to, from->entries[i].at_us, from->entries[i].operation,
                                from->entries[i].params, TW_SIM_PARAMS);
}

void tw_sim_schedule_sort(tw_sim_schedule_t *schedule)
{
    /* By insertion: it is stable, and schedules are short. */
    for (size_t i = 1; i < schedule->count; ++i) {
        tw_sim_entry_t entry = schedule->entries[i];
        size_t at = i;
        for (; at > 0 && schedule->entries[at - 1].at_us > entry.at_us; --at)
            schedule->entries[at] = schedule->entries[at - 1];
        schedule->entries[at] = entry;
    }
}

/* --- as text --- */

void tw_sim_schedule_print(const tw_sim_schedule_t *schedule, FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; ++i)
        if (*setting((tw_sim_settings_t *)&schedule->settings, i) != settings_table[i].usual)
            fprintf(out, "set %s %" PRId64 "\n", settings_table[i].name,
                    *setting((tw_sim_settings_t *)&schedule->settings, i));
    for (size_t i = 0; i < schedule->count; ++i) {
        const tw_sim_entry_t *entry = &schedule->entries[i];
        const tw_sim_form_t *form = &forms[entry->operation];
        fprintf(out, "%.3f %s", (double)entry->at_us / 1000, form->text);
        for (size_t p = 0; p < TW_SIM_PARAMS && form->params[p][0] != '\0'; ++p)
            if (entry->params[p] != 0)
                fprintf(out, " %s=%" PRId64, form->params[p], entry->params[p]);
        fputc('\n', out);
    }
}

static bool read_setting(tw_sim_schedule_t *schedule, const char *name, const char *value)
{
    for (size_t i = 0; name != NULL && value != NULL && i < SETTING_COUNT; ++i) {
        if (strcmp(settings_table[i].name, name) != 0)
            continue;
        *setting(&schedule->settings, i) = strtoll(value, NULL, 0);
        return true;
    }
    return false;
}

static bool read_param(const tw_sim_form_t *form, char *word, int64_t params[TW_SIM_PARAMS])
{
    char *equals = strchr(word, '=');

    if (equals == NULL)
        return false;
    *equals = '\0';
    for (size_t p = 0; p < TW_SIM_PARAMS; ++p) {
        if (form->params[p][0] == '\0' || strcmp(form->params[p], word) != 0)
            continue;
        params[p] = strtoll(equals + 1, NULL, 0);
        return true;
    }
    return false;
}

static bool read_entry(tw_sim_schedule_t *schedule, const char *time, const char *name)
{
    int64_t params[TW_SIM_PARAMS] = {0};
    size_t operation = 0;
    char *end, *word;

    double at_ms = strtod(time, &end);
    if (*end != '\0' || name == NULL)
        return false;
    while (operation < TW_SIM_OPERATIONS && strcmp(forms[operation].text, name) != 0)
        ++operation;
    if (operation == TW_SIM_OPERATIONS)
        return false;
    while ((word = strtok(NULL, " \n")) != NULL)
        if (!read_param(&forms[operation], word, params))
            return false;
    tw_sim_schedule_add(schedule, (int64_t)(at_ms * 1000 + 0.5), (tw_sim_operation_t)operation,
                        params, TW_SIM_PARAMS);
    return true;
}

static bool read_line(tw_sim_schedule_t *schedule, char *line)
{
    line[strcspn(line, "#")] = '\0';
    const char *first = strtok(line, " \n");
    if (first == NULL)
        return true;
    const char *second = strtok(NULL, " \n");
    if (strcmp(first, "set") == 0)
        return read_setting(schedule, second, strtok(NULL, " \n"));
    return read_entry(schedule, first, second);
}

bool tw_sim_schedule_read(tw_sim_schedule_t *schedule, const char *path)
{
    char line[LINE_MAX_BYTES];
    unsigned number = 0;
    FILE *file = fopen(path, "re");

    tw_sim_schedule_init(schedule);
    if (file == NULL) {
        perror(path);
        return false;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        ++number;
        if (!read_line(schedule, line)) {
            fprintf(stderr, "%s:%u: this is no line of a scenario\n", path, number);
            fclose(file);
            return false;
        }
    }
    fclose(file);
    tw_sim_schedule_sort(schedule);
    return true;
}
