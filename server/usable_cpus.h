/**
 * How many CPUs this process may use: what TIDEWAY_WORKERS=0 stands for.
 *
 * A container with a quota of one CPU on a host with 64 must not start 64 workers. The answer is
 * the smaller of the CPUs in the process's affinity mask and of the CPU quota of its control
 * groups, rounded up. Any thread.
 */
#ifndef TW_SERVER_USABLE_CPUS_H
#define TW_SERVER_USABLE_CPUS_H

/**
 * Returns at least 1. `root` is put in front of the paths of /proc and of the cgroup file systems:
 * "" except in tests. Control groups of version 1 and 2 are read, each with all its ancestors,
 * since the smallest quota on the way up holds. A file that is missing or cannot be read sets no
 * limit.
 */
unsigned tw_usable_cpus(const char *root);

#endif
