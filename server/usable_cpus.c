#include "server/usable_cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define PATH_BYTES 4096
#define LINE_BYTES 8192
#define CPUS_MAX 8192 /* more than any kernel supports */

/* A control group file system that limits CPUs, as this process sees it. */
typedef struct tw_cgroup {
    char mount_root[PATH_BYTES];  /* the group that the mount point shows */
    char mount_point[PATH_BYTES]; /* empty: not mounted */
    char group[PATH_BYTES];       /* the process's group, from the hierarchy's top */
} tw_cgroup_t;

/* --- the affinity mask --- */

static unsigned affinity_cpus(void)
{
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = online > 0 ? (unsigned)online : 1;

    if (set != NULL && sched_getaffinity(0, size, set) == 0)
        count = (unsigned)CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return count;
}

/* --- where the control groups are --- */

static FILE *open_below(const char *root, const char *path)
{
    char full[PATH_BYTES];
    int len = snprintf(full, sizeof(full), "%s%s", root, path);

    return len > 0 && (size_t)len < sizeof(full) ? fopen(full, "re") : NULL;
}

/* Whether a comma-separated list has the word. */
static bool has_word(const char *list, const char *word)
{
    tw_text_t rest = tw_text_of(list), item;
    size_t len = strlen(word);

    while (tw_text_next_item(&rest, &item))
        if (item.len == len && memcmp(item.base, word, len) == 0)
            return true;
    return false;
}

/* Reads /proc/self/cgroup (cgroups(7)): "0::/group" for version 2, "5:cpu,cpuacct:/group" for
 * version 1. */
static void find_groups(const char *root, tw_cgroup_t *v1, tw_cgroup_t *v2)
{
    FILE *file = open_below(root, "/proc/self/cgroup");
    char line[LINE_BYTES];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (controllers[1] == '\0')
            snprintf(v2->group, sizeof(v2->group), "%s", group);
        else if (has_word(controllers + 1, "cpu"))
            snprintf(v1->group, sizeof(v1->group), "%s", group);
    }
    if (file != NULL)
        fclose(file);
}

/* Reads /proc/self/mountinfo (proc(5)): id, parent, device, root, mount point, options, optional
 * fields, a dash, file system, source, options of the file system. */
static void find_mounts(const char *root, tw_cgroup_t *v1, tw_cgroup_t *v2)
{
    FILE *file = open_below(root, "/proc/self/mountinfo");
    char line[LINE_BYTES], mount_root[PATH_BYTES], mount_point[PATH_BYTES];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char system[64], options[1024];
        const char *dash = strstr(line, " - ");
        if (dash == NULL ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", mount_root, mount_point) != 2 ||
            sscanf(dash, " - %63s %*s %1023s", system, options) != 2)
            continue;
        tw_cgroup_t *cgroup = strcmp(system, "cgroup2") == 0                              ? v2
                              : strcmp(system, "cgroup") == 0 && has_word(options, "cpu") ? v1
                                                                                          : NULL;
        if (cgroup == NULL || cgroup->mount_point[0] != '\0')
            continue;
        memcpy(cgroup->mount_root, mount_root, sizeof(mount_root));
        memcpy(cgroup->mount_point, mount_point, sizeof(mount_point));
    }
    if (file != NULL)
        fclose(file);
}

/* --- their quotas --- */

static unsigned rounded_up(double quota, double period)
{
    if (quota <= 0 || period <= 0)
        return UINT_MAX;
    double cpus = quota / period;
    unsigned whole = cpus < CPUS_MAX ? (unsigned)cpus : CPUS_MAX;
    return whole + ((double)whole < cpus);
}

/* "max 100000", or "150000 100000": microseconds of quota and period. */
static unsigned v2_cpus(const char *root, const char *folder)
{
    char path[PATH_BYTES + 32];
    double quota = 0, period = 0;

    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    FILE *file = open_below(root, path);
    if (file == NULL)
        return UINT_MAX;
    int fields = fscanf(file, "%lf %lf", &quota, &period); /* "max" is not read as a number */
    fclose(file);
    return fields == 2 ? rounded_up(quota, period) : UINT_MAX;
}

static double read_number(const char *root, const char *folder, const char *name)
{
    char path[PATH_BYTES + 32];
    double number = 0;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = open_below(root, path);
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

/* Quota and period are two files; a quota of -1 means no limit. */
static unsigned v1_cpus(const char *root, const char *folder)
{
    return rounded_up(read_number(root, folder, "cpu.cfs_quota_us"),
                      read_number(root, folder, "cpu.cfs_period_us"));
}

/* The smallest quota of the process's group and of all groups above it that can be seen. */
static unsigned smallest_quota(const char *root, const tw_cgroup_t *cgroup,
                               unsigned (*cpus_of)(const char *root, const char *folder))
{
    char folder[2 * PATH_BYTES];
    size_t base = strlen(cgroup->mount_point), shown = strlen(cgroup->mount_root);
    const char *below = cgroup->group;
    unsigned least = UINT_MAX;

    if (base == 0)
        return UINT_MAX;
    /* A container often sees its own group as the root of the mount, whatever its name is outside.
     */
    if (shown > 1)
        below = strncmp(below, cgroup->mount_root, shown) == 0 ? below + shown : "";
    snprintf(folder, sizeof(folder), "%s%s", cgroup->mount_point, below);
    for (;;) {
        unsigned cpus = cpus_of(root, folder);
        if (cpus < least)
            least = cpus;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < base)
            return least;
        *slash = '\0';
    }
}

unsigned tw_usable_cpus(const char *root)
{
    tw_cgroup_t v1 = {.mount_point = ""}, v2 = {.mount_point = ""};
    unsigned cpus = affinity_cpus();

    find_groups(root, &v1, &v2);
    find_mounts(root, &v1, &v2);
    unsigned quota_v1 = smallest_quota(root, &v1, v1_cpus),
             quota_v2 = smallest_quota(root, &v2, v2_cpus);
    if (quota_v1 < cpus)
        cpus = quota_v1;
    if (quota_v2 < cpus)
        cpus = quota_v2;
    return cpus > 0 ? cpus : 1;
}
