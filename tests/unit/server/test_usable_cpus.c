/* How many CPUs the process may use, from made-up trees of control groups. */
#include "server/usable_cpus.h"

#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka_test.h"

#define V2_MOUNT "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

typedef struct tree {
    char root[64];
} tree_t;

/* Writes a file of the tree, and the folders above it. */
static void put(const tree_t *tree, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", tree->root, path);
    for (char *slash = full + strlen(tree->root) + 1; (slash = strchr(slash, '/')) != NULL;
         ++slash) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    static tree_t tree;
    snprintf(tree.root, sizeof(tree.root), "/tmp/tideway-cpus-XXXXXX");
    *state = &tree;
    return mkdtemp(tree.root) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    return remove(path);
}

static int tear_down(void **state)
{
    const tree_t *tree = *state;
    return nftw(tree->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The CPUs that the machine that runs this test would allow without any control group. */
static unsigned affinity(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return (unsigned)CPU_COUNT(&set);
}

static unsigned at_most(unsigned cpus)
{
    return cpus < affinity() ? cpus : affinity();
}

static void test_usable_cpus__follow_the_affinity_mask(void **state)
{
    const tree_t *tree = *state;
    cpu_set_t all, one;

    assert_int_equal(tw_usable_cpus(tree->root), affinity());
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(tw_usable_cpus(tree->root), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void test_usable_cpus__round_a_v2_quota_up(void **state)
{
    const tree_t *tree = *state;
    put(tree, "/proc/self/cgroup", "0::/pod\n");
    put(tree, "/proc/self/mountinfo", V2_MOUNT);
    put(tree, "/sys/fs/cgroup/pod/cpu.max", "50000 100000\n");
    assert_int_equal(tw_usable_cpus(tree->root), 1);
    put(tree, "/sys/fs/cgroup/pod/cpu.max", "100001 100000\n");
    assert_int_equal(tw_usable_cpus(tree->root), at_most(2));
    put(tree, "/sys/fs/cgroup/pod/cpu.max", "max 100000\n");
    assert_int_equal(tw_usable_cpus(tree->root), affinity());
}

static void test_usable_cpus__see_the_quota_of_a_parent(void **state)
{
    const tree_t *tree = *state;
    put(tree, "/proc/self/cgroup", "0::/slice/pod/container\n");
    put(tree, "/proc/self/mountinfo", V2_MOUNT);
    put(tree, "/sys/fs/cgroup/slice/pod/container/cpu.max", "max 100000\n");
    put(tree, "/sys/fs/cgroup/slice/cpu.max", "100000 100000\n");
    assert_int_equal(tw_usable_cpus(tree->root), 1);
}

static void test_usable_cpus__see_a_container_that_is_the_top_of_its_mount(void **state)
{
    const tree_t *tree = *state;
    put(tree, "/proc/self/cgroup", "0::/docker/0a1b\n");
    put(tree, "/proc/self/mountinfo",
        "31 23 0:28 /docker/0a1b /sys/fs/cgroup ro - cgroup2 cgroup2 ro\n");
    put(tree, "/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(tw_usable_cpus(tree->root), 1);
}

static void test_usable_cpus__read_v1(void **state)
{
    const tree_t *tree = *state;
    put(tree, "/proc/self/cgroup", "4:memory:/pod\n2:cpu,cpuacct:/pod\n1:cpuset:/\n");
    put(tree, "/proc/self/mountinfo",
        "33 31 0:30 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:8 - cgroup cgroup rw,cpu,cpuacct\n");
    put(tree, "/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "100000\n");
    put(tree, "/sys/fs/cgroup/cpu/pod/cpu.cfs_period_us", "100000\n");
    assert_int_equal(tw_usable_cpus(tree->root), 1);
    put(tree, "/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(tw_usable_cpus(tree->root), affinity());
}

static void test_usable_cpus__survive_files_without_sense(void **state)
{
    const tree_t *tree = *state;
    put(tree, "/proc/self/cgroup", "\n:\n0:\nnonsense\n0::/pod");
    put(tree, "/proc/self/mountinfo",
        "1 2\n - \n31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n" V2_MOUNT);
    put(tree, "/sys/fs/cgroup/pod/cpu.max", "-5 0\n");
    put(tree, "/sys/fs/cgroup/cpu.max", "");
    assert_int_equal(tw_usable_cpus(tree->root), affinity());
    put(tree, "/sys/fs/cgroup/pod/cpu.max", "1e300 1\n");
    assert_int_equal(tw_usable_cpus(tree->root), affinity());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_usable_cpus__follow_the_affinity_mask, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_usable_cpus__round_a_v2_quota_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_usable_cpus__see_the_quota_of_a_parent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_usable_cpus__see_a_container_that_is_the_top_of_its_mount, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_usable_cpus__read_v1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_usable_cpus__survive_files_without_sense, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
