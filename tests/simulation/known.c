#include "tests/simulation/known.h"

#include <stdio.h>
#include <string.h>

#define KNOWN_MAX 64
#define NAME_MAX_BYTES 64

typedef struct tw_sim_known {
    char name[NAME_MAX_BYTES];
    tw_sim_verdict_t verdict;
    bool used;
} tw_sim_known_t;

static tw_sim_known_t scenarios[KNOWN_MAX];
static size_t scenario_count;
static bool seeds[TW_SIM_UNANSWERED + 1];

static bool read_verdict(const char *label, tw_sim_verdict_t *verdict)
{
    for (int i = TW_SIM_NONE + 1; i <= TW_SIM_UNANSWERED; ++i) {
        *verdict = (tw_sim_verdict_t)i;
        if (strcmp(tw_sim_verdict_label(*verdict), label) == 0)
            return true;
    }
    return false;
}

static bool read_line(const char *line)
{
    char kind[16] = "", first[NAME_MAX_BYTES] = "", second[NAME_MAX_BYTES] = "";
    tw_sim_verdict_t verdict;

    int words = sscanf(line, "%15s %63s %63s", kind, first, second);
    if (words <= 0 || kind[0] == '#')
        return true;
    if (words == 2 && strcmp(kind, "seeds") == 0 && read_verdict(first, &verdict))
        return seeds[verdict] = true;
    if (words != 3 || strcmp(kind, "scenario") != 0 || !read_verdict(second, &verdict) ||
        scenario_count == KNOWN_MAX)
        return false;
    tw_sim_known_t *known = &scenarios[scenario_count++];
    *known = (tw_sim_known_t){.verdict = verdict};
    memcpy(known->name, first, sizeof(first));
    return true;
}

bool tw_sim_known_read(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "re");
    bool fine = file != NULL;

    if (!fine)
        perror(path);
    while (fine && fgets(line, sizeof(line), file) != NULL) {
        fine = read_line(line);
        if (!fine)
            fprintf(stderr, "%s: this is no known fault: %s", path, line);
    }
    if (file != NULL)
        fclose(file);
    return fine;
}

tw_sim_verdict_t tw_sim_known_of_scenario(const char *name)
{
    for (size_t i = 0; i < scenario_count; ++i) {
        if (strcmp(scenarios[i].name, name) != 0)
            continue;
        scenarios[i].used = true;
        return scenarios[i].verdict;
    }
    return TW_SIM_NONE;
}

bool tw_sim_known_of_seeds(tw_sim_verdict_t verdict)
{
    return seeds[verdict];
}

const char *tw_sim_known_unused(void)
{
    for (size_t i = 0; i < scenario_count; ++i) {
        if (scenarios[i].used)
            continue;
        scenarios[i].used = true;
        return scenarios[i].name;
    }
    return NULL;
}
