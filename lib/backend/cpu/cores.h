// SPDX-License-Identifier: LGPL-2.1-or-later
// How many threads the CPU is worth to this process.
#ifndef EBB_BACKEND_CPU_CORES_H
#define EBB_BACKEND_CPU_CORES_H

// Physical cores that this process may use, at least 1: of the CPUs that taskset, Slurm or a container's
// cpuset leave it, and no more than the CPU time that a control group grants it.
int cpu_cores(void);

// What a control group's file cpu.max grants: "150000 100000", microseconds in each of so many, are 2 CPUs.
// 0: there is no limit.
int cpu_quota(const char *text);

// What the control groups of this process grant, of version 2 and of version 1 (cpu.cfs_quota_us). `root`: in
// front of /proc and /sys; "" is this system. 0: there is no limit.
int cpu_granted(const char *root);

#endif
