/*
 * The simulator's program: README.md says how it is used.
 *
 *     simulate seconds N [FIRST_SEED]   worlds out of seeds, for N seconds of CPU
 *     simulate seed N                   one world, with its schedule and log
 *     simulate scenario FILE...         worlds out of files
 *     simulate show FILE                one of them, with its log
 *     simulate record N                 writes the commands that servers get in the world of a seed
 *     simulate test FOLDER N XML        the scenarios of FOLDER, then seeds for N seconds of CPU,
 * as FOLDER/../known_faults allows; a JUnit report
 *
 * The code is 0 when no promise was broken, or only as is known.
 */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/simulation/known.h"
#include "tests/simulation/world/generate.h"
#include "tests/simulation/world/shrink.h"
#include "tests/simulation/world/world.h"

#define SHRINK_RUNS 600
#define FIXED_SEEDS 300 /* the same in every test */

typedef struct tw_sim_total {
    uint64_t worlds, broken, steps, deliveries, events, commands;
    uint64_t faults[TW_SIM_OPERATIONS];
    uint64_t verdicts[TW_SIM_UNANSWERED + 1];
} tw_sim_total_t;

static tw_sim_total_t total;
static double shrinking; /* seconds of CPU that were spent on it */

static void count_world(tw_sim_verdict_t verdict)
{
    ++total.worlds;
    ++total.verdicts[verdict];
    total.broken += verdict != TW_SIM_NONE;
    total.steps += tw_sim_world_steps();
    total.deliveries += tw_sim_world.deliveries;
    for (size_t i = 0; i < TW_SIM_OPERATIONS; ++i)
        total.faults[i] += tw_sim_world.faults[i];
    for (size_t i = 0; i < TW_SIM_PLACES; ++i)
        total.commands += tw_sim_network.commands[i];
}

static void print_total(double cpu)
{
    printf("%" PRIu64 " worlds, %" PRIu64 " broken; %" PRIu64 " deliveries, %" PRIu64
           " commands, %" PRIu64 " steps in all in %.1f s of CPU: %.0f a minute\n",
           total.worlds, total.broken, total.deliveries, total.commands,
           total.deliveries + total.commands, cpu,
           (double)(total.deliveries + total.commands) / cpu * 60);
    printf("faults:");
    for (size_t i = 0; i < TW_SIM_OPERATIONS; ++i)
        if (tw_sim_operation_is_fault((tw_sim_operation_t)i))
            printf(" %s %" PRIu64, tw_sim_operation_text((tw_sim_operation_t)i), total.faults[i]);
    printf("\nverdicts:");
    for (size_t i = 0; i <= TW_SIM_UNANSWERED; ++i)
        if (total.verdicts[i] > 0)
            printf(" %s %" PRIu64, tw_sim_verdict_label((tw_sim_verdict_t)i), total.verdicts[i]);
    printf("\n");
}

static void show_broken(tw_sim_schedule_t *schedule, uint64_t seed, tw_sim_verdict_t verdict)
{
    printf("seed %" PRIu64 " breaks \"%s\": %s\n", seed, tw_sim_verdict_label(verdict),
           tw_sim_verdict_text());
    fflush(stdout);
    tw_sim_shrink(schedule, verdict, SHRINK_RUNS);
    tw_sim_world_run(schedule);
    printf("the part of its schedule that still does: %s\n", tw_sim_verdict_text());
    tw_sim_schedule_print(schedule, stdout);
    printf("\n");
    fflush(stdout);
}

/* One world; returns whether it breaks what is not known. The first of each kind is shrunken. */
static bool run_one(uint64_t seed)
{
    tw_sim_schedule_t schedule;

    tw_sim_schedule_init(&schedule);
    tw_sim_generate(&schedule, seed);
    tw_sim_verdict_t verdict = tw_sim_world_run(&schedule);
    count_world(verdict);
    bool is_new = verdict != TW_SIM_NONE && !tw_sim_known_of_seeds(verdict);
    if (is_new && total.verdicts[verdict] == 1 && getenv("TIDEWAY_SIM_NO_SHRINK") == NULL) {
        double before = tw_sim_cpu_seconds();
        show_broken(&schedule, seed, verdict);
        shrinking += tw_sim_cpu_seconds() - before;
    } else if (is_new) {
        printf("seed %" PRIu64 " breaks \"%s\": %s\n", seed, tw_sim_verdict_label(verdict),
               tw_sim_verdict_text());
    }
    tw_sim_schedule_dispose(&schedule);
    return is_new;
}

/* Seeds from one on for that much CPU time; returns how many break what is not known. */
static unsigned run_seconds(double seconds, uint64_t seed)
{
    double until = tw_sim_cpu_seconds() + seconds;
    unsigned broken = 0;

    for (double before = shrinking; tw_sim_cpu_seconds() - (shrinking - before) < until;)
        broken += run_one(seed++);
    return broken;
}

static int run_seed(uint64_t seed)
{
    tw_sim_schedule_t schedule;

    tw_sim_schedule_init(&schedule);
    tw_sim_generate(&schedule, seed);
    tw_sim_schedule_print(&schedule, stdout);
    tw_sim_show_log(true);
    tw_sim_verdict_t verdict = tw_sim_world_run(&schedule);
    printf("%s %s\n", tw_sim_verdict_label(verdict), tw_sim_verdict_text());
    tw_sim_schedule_dispose(&schedule);
    return verdict != TW_SIM_NONE;
}

/* Windows are long, so that no key expires while the record is replayed. Topics are few, since
 * which part of a large hash a scan returns first is Redis' secret. */
static int record_seed(uint64_t seed)
{
    tw_sim_schedule_t schedule;

    tw_sim_schedule_init(&schedule);
    tw_sim_generate(&schedule, seed);
    if (schedule.settings.window_ms > 0)
        schedule.settings.window_ms = 1000000;
    if (schedule.settings.topics > 100)
        schedule.settings.topics = 100;
    tw_sim_record = stdout;
    tw_sim_world_run(&schedule);
    tw_sim_schedule_dispose(&schedule);
    return 0;
}

/* --- scenarios --- */

static tw_sim_verdict_t run_file(const char *path)
{
    tw_sim_schedule_t schedule;

    if (!tw_sim_schedule_read(&schedule, path))
        exit(2);
    tw_sim_verdict_t verdict = tw_sim_world_run(&schedule);
    tw_sim_schedule_dispose(&schedule);
    return verdict;
}

static int run_scenarios(int count, char **paths)
{
    int code = 0;

    for (int i = 0; i < count; ++i) {
        tw_sim_verdict_t verdict = run_file(paths[i]);
        printf("%s: %s %s\n", paths[i], tw_sim_verdict_label(verdict), tw_sim_verdict_text());
        code |= verdict != TW_SIM_NONE;
    }
    return code;
}

/* --- the test --- */

typedef struct tw_sim_report {
    FILE *xml;
    unsigned failed;
} tw_sim_report_t;

/* One case; `problem` empty: it passed. */
static void report(tw_sim_report_t *report, const char *name, const char *problem)
{
    bool passed = problem[0] == '\0';

    printf("%-40s %s\n", name, passed ? "passed" : problem);
    report->failed += !passed;
    fprintf(report->xml, "  <testcase classname=\"simulation\" name=\"%s\">", name);
    if (!passed) {
        fprintf(report->xml, "<failure message=\"");
        for (const char *at = problem; *at != '\0'; ++at) {
            if (strchr("<>&\"", *at) != NULL)
                fprintf(report->xml, "&#%d;", *at);
            else
                fputc(*at, report->xml);
        }
        fprintf(report->xml, "\"/>");
    }
    fprintf(report->xml, "</testcase>\n");
}

static void test_scenario(tw_sim_report_t *to, const char *path)
{
    char name[128] = "", problem[1024] = "";
    const char *base = strrchr(path, '/');

    snprintf(name, sizeof(name), "%s", base != NULL ? base + 1 : path);
    name[strcspn(name, ".")] = '\0';
    tw_sim_verdict_t known = tw_sim_known_of_scenario(name), verdict = run_file(path);
    if (verdict != known && verdict == TW_SIM_NONE)
        snprintf(problem, sizeof(problem), "it holds now: delete it from known_faults");
    else if (verdict != known)
        snprintf(problem, sizeof(problem), "it breaks \"%s\": %s", tw_sim_verdict_label(verdict),
                 tw_sim_verdict_text());
    report(to, name, problem);
}

static void test_seeds(tw_sim_report_t *to, const char *name, double seconds, uint64_t first)
{
    char problem[128] = "";
    unsigned broken = 0;

    printf("%s: from %" PRIu64 " on\n", name, first);
    if (seconds > 0)
        broken = run_seconds(seconds, first);
    else
        for (uint64_t seed = first; seed < first + FIXED_SEEDS; ++seed)
            broken += run_one(seed);
    if (broken > 0)
        snprintf(problem, sizeof(problem), "%u worlds break what is not known", broken);
    report(to, name, problem);
}

static FILE *open_report(const char *path)
{
    char folder[1024];

    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0777); /* most are there; fopen() says what is wrong */
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    if (file == NULL)
        perror(path);
    return file;
}

static int run_tests(const char *folder, double seconds, const char *xml)
{
    double begun = tw_sim_cpu_seconds();
    tw_sim_report_t to = {.xml = open_report(xml)};
    char path[1024];
    const char *unused;
    glob_t found;

    snprintf(path, sizeof(path), "%s/../known_faults", folder);
    if (to.xml == NULL || !tw_sim_known_read(path))
        return 2;
    fprintf(to.xml, "<testsuite name=\"simulation\">\n");
    snprintf(path, sizeof(path), "%s/*.sim", folder);
    if (glob(path, 0, NULL, &found) != 0)
        return 2;
    for (size_t i = 0; i < found.gl_pathc; ++i)
        test_scenario(&to, found.gl_pathv[i]);
    globfree(&found);
    while ((unused = tw_sim_known_unused()) != NULL)
        report(&to, unused, "known_faults names it, and there is no such scenario");
    test_seeds(&to, "fixed seeds", 0, 1);
    double left = seconds - (tw_sim_cpu_seconds() - begun);
    test_seeds(&to, "fresh seeds", left > 1 ? left : 1, tw_sim_fresh_seed());
    fprintf(to.xml, "</testsuite>\n");
    fclose(to.xml);
    print_total(tw_sim_cpu_seconds() - begun - shrinking);
    return to.failed > 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    const char *lanes = getenv("TIDEWAY_SIM_LANES");

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (lanes != NULL)
        tw_sim_generate_lanes = strtoll(lanes, NULL, 10);
    if (argc >= 3 && argc <= 4 && strcmp(what, "seconds") == 0) {
        unsigned broken = run_seconds(strtod(argv[2], NULL),
                                      argc == 4 ? strtoull(argv[3], NULL, 0) : tw_sim_fresh_seed());
        print_total(tw_sim_cpu_seconds() - shrinking);
        return broken > 0;
    }
    if (argc == 3 && strcmp(what, "seed") == 0)
        return run_seed(strtoull(argv[2], NULL, 0));
    if (argc == 3 && strcmp(what, "record") == 0)
        return record_seed(strtoull(argv[2], NULL, 0));
    if (argc >= 3 && (strcmp(what, "scenario") == 0 || strcmp(what, "show") == 0)) {
        tw_sim_show_log(strcmp(what, "show") == 0);
        return run_scenarios(argc - 2, argv + 2);
    }
    if (argc == 5 && strcmp(what, "test") == 0)
        return run_tests(argv[2], strtod(argv[3], NULL), argv[4]);
    fprintf(stderr,
            "usage: %s seconds N [FIRST_SEED] | seed N | scenario FILE... | show FILE... | "
            "record N | test FOLDER N XML\n",
            argv[0]);
    return 64;
}
