// Threads of a CPU device. A job is a number of units; each thread has its own share of them and, done with it, takes
// over what others have not begun. Units are fixed by shapes, so results do not depend on which thread did what, and
// a thread that the system has put aside (a busy audio thread has its core) holds up no unit that it has not begun.
#ifndef EBB_BACKEND_CPU_POOL_H
#define EBB_BACKEND_CPU_POOL_H

struct cpu_pool;

// NULL: no memory. Threads that cannot be started are done without.
struct cpu_pool *cpu_pool_create(int threads);
void cpu_pool_destroy(struct cpu_pool **pool);
int cpu_pool_threads(const struct cpu_pool *pool);

// Calls work(context, unit, thread) for each unit in [0, units), returns when all are done. `thread` is in
// [0, threads). A second caller at the same time does its units alone.
void cpu_pool_run(struct cpu_pool *pool, int units, void (*work)(void *context, int unit, int thread), void *context);

#endif
