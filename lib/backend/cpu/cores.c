// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/cpu/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8192, LINE = 4096 }; // CPUs, as Linux can be built for; bytes of a group's name

// ---- CPUs ----

// The first of the threads that share a core with this one; itself where the system does not tell.
static long first_sibling(long cpu)
{
    char path[96];
    long first = cpu;
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings_list", cpu);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%ld", &first) != 1)
        first = cpu;
    if (file)
        fclose(file);
    return first >= 0 && first < MOST ? first : cpu;
}

// Two threads of one core share its arithmetic units, so more threads would not be faster.
static int allowed_cores(void)
{
    const size_t size = CPU_ALLOC_SIZE(MOST);
    cpu_set_t *allowed = CPU_ALLOC(MOST);
    bool *seen = calloc(MOST, sizeof(*seen));
    int cores = 0;
    if (allowed && seen && sched_getaffinity(0, size, allowed) == 0)
        for (long cpu = 0; cpu < MOST; cpu++) {
            long core = CPU_ISSET_S((size_t)cpu, size, allowed) ? first_sibling(cpu) : -1;
            cores += core >= 0 && !seen[core];
            if (core >= 0)
                seen[core] = true;
        }
    free(seen);
    CPU_FREE(allowed);
    return cores > 0 ? cores : 1;
}

// ---- control groups ----

int cpu_quota(const char *text)
{
    long long granted = 0, period = 0;
    if (sscanf(text, "%lld %lld", &granted, &period) != 2 || granted <= 0 || period <= 0)
        return 0; // "max 100000"
    long long cpus = granted / period + (granted % period != 0);
    return cpus < INT_MAX ? (int)cpus : 0;
}

static int quota_of(const char *group)
{
    char path[LINE + 32], text[64] = "";
    snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", group);
    FILE *file = fopen(path, "r");
    if (file && !fgets(text, sizeof(text), file))
        *text = 0;
    if (file)
        fclose(file);
    return cpu_quota(text);
}

// The group of this process, such as "/user.slice/a.scope"; a container sees its own as "".
static void find_group(char group[LINE])
{
    char line[LINE];
    *group = 0;
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "0::", 3) == 0)
            snprintf(group, LINE, "%s", line + 3);
    if (file)
        fclose(file);
    group[strcspn(group, "\n")] = 0;
}

// The least of what the group and those around it grant; 0: nothing limits.
static int least_quota(void)
{
    char group[LINE];
    int least = 0;
    find_group(group);
    for (char *slash = group; slash;) {
        int quota = quota_of(group);
        least = quota && (!least || quota < least) ? quota : least;
        slash = strrchr(group, '/');
        if (slash)
            *slash = 0;
    }
    return least;
}

int cpu_cores(void)
{
    int cores = allowed_cores(), quota = least_quota();
    return quota && quota < cores ? quota : cores;
}
