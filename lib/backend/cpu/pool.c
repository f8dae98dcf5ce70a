// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"

// A thread looks for work this often before it sleeps: about 30 us. That is longer than the gap between two
// ops, and too short to disturb another thread that needs the core.
enum { SPINS = 1000 };

// A thread's share of a job in one word, end << 32 | next: one exchange claims a unit. An exchange that
// succeeds claims a unit of the present job, however long the system had stopped the thread before it.
struct share {
    _Alignas(64) _Atomic uint64_t state;
};

struct pool_worker {
    pthread_t thread;
    struct cpu_pool *pool;
    int index;
};

struct cpu_pool {
    int threads, workers; // workers: threads that were started, at most threads - 1
    struct share *shares;
    struct pool_worker *worker;
    // The job, in the line that says that there is one: a core that looks for work fetches both at once.
    _Alignas(64) _Atomic uint32_t generation;
    void (*work)(void *context, int unit, int thread);
    void *context;
    _Alignas(64) _Atomic int left; // units not done yet
    _Atomic int sleepers;
    _Atomic bool stop;
    pthread_mutex_t busy, sleep;
    pthread_cond_t wake;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Claims a unit of a share and returns its number, or -1. The job does not end before the unit is done.
static int claim(struct share *share)
{
    uint64_t state = atomic_load_explicit(&share->state, memory_order_acquire);
    for (;;) {
        uint32_t next = (uint32_t)state;
        if (next >= state >> 32)
            return -1;
        if (atomic_compare_exchange_weak_explicit(&share->state, &state, state + 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return (int)next;
    }
}

static void work_through(struct cpu_pool *pool, int thread)
{
    for (int i = 0; i < pool->threads; i++) {
        struct share *share = &pool->shares[(thread + i) % pool->threads];
        int unit, done = 0;
        for (; (unit = claim(share)) >= 0; done++)
            pool->work(pool->context, unit, thread);
        if (done) // once, for all cores write to it
            atomic_fetch_sub_explicit(&pool->left, done, memory_order_acq_rel);
    }
}

static void sleep_until(struct cpu_pool *pool, uint32_t seen)
{
    pthread_mutex_lock(&pool->sleep);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->wake, &pool->sleep);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->sleep);
}

static void *worker_main(void *data)
{
    struct pool_worker *worker = data;
    struct cpu_pool *pool = worker->pool;
    uint32_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        int spins = 0;
        while (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen && spins < SPINS) {
            relax();
            spins++;
        }
        if (spins == SPINS)
            sleep_until(pool, seen);
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        work_through(pool, worker->index);
    }
    return NULL;
}

struct cpu_pool *cpu_pool_create(int threads)
{
    struct cpu_pool *pool = aligned_alloc(64, (sizeof(*pool) + 63) / 64 * 64);
    if (!pool)
        return NULL;
    *pool = (struct cpu_pool){.threads = threads};
    pthread_mutex_init(&pool->busy, NULL);
    pthread_mutex_init(&pool->sleep, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->shares = aligned_alloc(64, (size_t)threads * sizeof(*pool->shares));
    pool->worker = ebb_alloc((size_t)threads, sizeof(*pool->worker));
    if (!pool->shares || !pool->worker) {
        cpu_pool_destroy(&pool);
        return NULL;
    }
    for (int i = 0; i < threads; i++)
        atomic_init(&pool->shares[i].state, 0);
    for (int i = 1; i < threads; i++) {
        pool->worker[i] = (struct pool_worker){.pool = pool, .index = i};
        if (pthread_create(&pool->worker[i].thread, NULL, worker_main, &pool->worker[i]) != 0)
            break;
        pool->workers++;
    }
    return pool;
}

void cpu_pool_destroy(struct cpu_pool **pool)
{
    struct cpu_pool *gone = pool ? *pool : NULL;
    if (!gone)
        return;
    *pool = NULL;
    pthread_mutex_lock(&gone->sleep);
    atomic_store(&gone->stop, true);
    atomic_fetch_add(&gone->generation, 1);
    pthread_cond_broadcast(&gone->wake);
    pthread_mutex_unlock(&gone->sleep);
    for (int i = 1; i <= gone->workers; i++)
        pthread_join(gone->worker[i].thread, NULL);
    pthread_cond_destroy(&gone->wake);
    pthread_mutex_destroy(&gone->sleep);
    pthread_mutex_destroy(&gone->busy);
    free(gone->shares);
    free(gone->worker);
    free(gone);
}

int cpu_pool_threads(const struct cpu_pool *pool)
{
    return pool->threads;
}

// Waits for the units that other threads have begun. That is short, unless the system has stopped a thread.
static void wait_for_rest(struct cpu_pool *pool)
{
    for (int spins = 0; atomic_load_explicit(&pool->left, memory_order_acquire) > 0; spins++) {
        if (spins < SPINS)
            relax();
        else
            sched_yield();
    }
}

void cpu_pool_run(struct cpu_pool *pool, int units, void (*work)(void *context, int unit, int thread),
                  void *context)
{
    bool alone = units < 2 || pool->workers == 0 || pthread_mutex_trylock(&pool->busy) != 0;
    if (alone) {
        for (int i = 0; i < units; i++)
            work(context, i, 0);
        return;
    }
    pool->work = work;
    pool->context = context;
    atomic_store_explicit(&pool->left, units, memory_order_relaxed);
    for (int i = 0; i < pool->threads; i++) {
        uint64_t from = (uint64_t)units * (uint64_t)i / (uint64_t)pool->threads;
        uint64_t to = (uint64_t)units * (uint64_t)(i + 1) / (uint64_t)pool->threads;
        atomic_store_explicit(&pool->shares[i].state, to << 32 | from, memory_order_release);
    }
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->sleep);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->sleep);
    }
    work_through(pool, 0);
    wait_for_rest(pool);
    pthread_mutex_unlock(&pool->busy);
}
