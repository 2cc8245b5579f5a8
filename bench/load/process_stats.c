#include "bench/load/process_stats.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a small file of /proc as text; its length, 0 when it is gone. */
static size_t read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t bytes = fread(text, 1, size - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return bytes;
}

static void add_thread(load_process_cpu_t *cpu, pid_t pid, const char *tid)
{
    char path[64], text[128];
    snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", (int)pid, tid);
    if (read_text(path, text, sizeof(text)) == 0)
        return;
    uint64_t cpu_ns = strtoull(text, NULL, 10);
    cpu->total_ns += cpu_ns;
    if (cpu->thread_count == LOAD_PROCESS_THREADS_MAX)
        return;
    load_process_thread_t *thread = &cpu->threads[cpu->thread_count++];
    thread->pid = pid;
    thread->tid = (pid_t)strtol(tid, NULL, 10);
    thread->cpu_ns = cpu_ns;
    snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", (int)pid, tid);
    read_text(path, text, sizeof(text));
    text[strcspn(text, "\n")] = '\0';
    snprintf(thread->name, sizeof(thread->name), "%.15s", text);
}

static void add_ticks(load_process_cpu_t *cpu, pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof(text)) == 0)
        return;
    /* The name in parentheses may hold anything: fields count from the last one. utime is the 12th
     * field after it, stime the 13th (proc(5)). */
    char *p = strrchr(text, ')');
    for (int field = 0; p != NULL && field < 12; field++)
        p = strchr(p + 1, ' ');
    if (p == NULL)
        return;
    char *end;
    cpu->user_ticks += strtoull(p, &end, 10);
    cpu->system_ticks += strtoull(end, NULL, 10);
}

void load_process_cpu_sample(const pid_t *pids, size_t count, load_process_cpu_t *cpu)
{
    memset(cpu, 0, sizeof(*cpu));
    for (size_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pids[i]);
        DIR *tasks = opendir(path);
        if (tasks == NULL)
            continue;
        for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
            if (entry->d_name[0] != '.')
                add_thread(cpu, pids[i], entry->d_name);
        closedir(tasks);
        add_ticks(cpu, pids[i]);
    }
}

static uint64_t kilobytes_of(const char *text, const char *label)
{
    const char *p = strstr(text, label);
    return p == NULL ? 0 : strtoull(p + strlen(label), NULL, 10) * 1024;
}

void load_process_memory_sample(const pid_t *pids, size_t count, load_process_memory_t *memory)
{
    memset(memory, 0, sizeof(*memory));
    for (size_t i = 0; i < count; i++) {
        char path[64], text[4096];
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pids[i]);
        if (read_text(path, text, sizeof(text)) == 0)
            continue;
        memory->rss_bytes += kilobytes_of(text, "\nRss:");
        memory->pss_bytes += kilobytes_of(text, "\nPss:");
    }
}
