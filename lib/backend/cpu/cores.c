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

// Appends the first line of a file, and a blank.
static void add_line(char text[64], const char *root, const char *folder, const char *group, const char *name)
{
    char path[LINE + 96];
    size_t length = strlen(text);
    snprintf(path, sizeof(path), "%s%s%s/%s", root, folder, group, name);
    FILE *file = fopen(path, "r");
    if (file && fgets(text + length, (int)(64 - length - 1), file)) {
        length += strcspn(text + length, "\n");
        snprintf(text + length, 64 - length, " ");
    }
    if (file)
        fclose(file);
}

// Version 2 has one tree of groups for everything, version 1 one for each kind of thing that is granted.
static const struct {
    const char *folder, *files[2]; // what is granted, and in how much time
} versions[] = {
    {"/sys/fs/cgroup", {"cpu.max"}}, // has both
    {"/sys/fs/cgroup/cpu", {"cpu.cfs_quota_us", "cpu.cfs_period_us"}},
};

static int quota_of(const char *root, int version, const char *group)
{
    char text[64] = "";
    for (int i = 0; i < 2 && versions[version].files[i]; i++)
        add_line(text, root, versions[version].folder, group, versions[version].files[i]);
    return cpu_quota(text);
}

// The group of a line "0::/user.slice/a.scope" or "4:cpu,cpuacct:/a.scope"; a container may see its own as
// "/". NULL: the group does not grant CPUs.
static char *group_of(char *line, int *version)
{
    char *kinds = strchr(line, ':'), *group = kinds ? strchr(kinds + 1, ':') : NULL;
    if (!group)
        return NULL;
    *kinds = *group = ',';
    *version = group == kinds + 1 ? 0 : 1;
    group[strcspn(group, "\n")] = 0;
    char *cpu = strstr(kinds, ",cpu,");
    return *version == 0 || (cpu && cpu < group) ? group + 1 : NULL;
}

// The least of what the group and those around it grant; 0: nothing limits. A container of version 1 has its
// group at the top of the tree, whatever the name that it sees.
static int least_quota(const char *root, int version, char *group)
{
    int least = 0;
    for (char *slash = group; slash;) {
        int quota = quota_of(root, version, group);
        least = quota && (!least || quota < least) ? quota : least;
        slash = strrchr(group, '/');
        if (slash)
            *slash = 0;
    }
    return least;
}

int cpu_granted(const char *root)
{
    char line[LINE];
    int least = 0, version = 0;
    snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
    FILE *file = fopen(line, "r");
    while (file && fgets(line, sizeof(line), file)) {
        char *group = group_of(line, &version);
        int quota = group ? least_quota(root, version, group) : 0;
        least = quota && (!least || quota < least) ? quota : least;
    }
    if (file)
        fclose(file);
    return least;
}

int cpu_cores(void)
{
    int cores = allowed_cores(), quota = cpu_granted("");
    return quota && quota < cores ? quota : cores;
}
