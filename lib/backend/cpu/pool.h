// SPDX-License-Identifier: LGPL-2.1-or-later
// Threads of a CPU device. A job is a number of units. Each thread has its own share of the units; when its
// share is done, it takes units that other threads have not begun. Shapes alone decide on the units, so
// results do not depend on the threads. A thread that the system stops for a while delays only the unit
// that it has begun.
#ifndef EBB_BACKEND_CPU_POOL_H
#define EBB_BACKEND_CPU_POOL_H

struct cpu_pool;

// NULL: out of memory. A pool may have fewer threads, if the system does not start more.
struct cpu_pool *cpu_pool_create(int threads);
void cpu_pool_destroy(struct cpu_pool **pool);
int cpu_pool_threads(const struct cpu_pool *pool);

// Calls work(context, unit, thread) for each unit in [0, units), and returns when all are done. `thread` is
// in [0, threads). A caller that comes while the pool works computes its units alone.
void cpu_pool_run(struct cpu_pool *pool, int units, void (*work)(void *context, int unit, int thread),
                  void *context);

#endif
