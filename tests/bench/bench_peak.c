// SPDX-License-Identifier: LGPL-2.1-or-later
// What one core of this machine can do: multiplications with additions a second in float32 and, where the
// processor has it, in bfloat16, and bytes a second from memory. Prints one JSON line, by processor time.
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { ROUNDS = 5 };

// The best of some rounds, in `unit` of work a second.
static double best(double work, void (*round)(void))
{
    double most = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double start = now();
        round();
        double rate = work / (now() - start);
        most = rate > most ? rate : most;
    }
    return most;
}

static float *memory;
enum { FLOATS = 1 << 26, LOOPS = 1 << 24, CHAINS = 12 };
static volatile float sink;

static void read_memory(void)
{
    float sums[64] = {0};
    for (size_t i = 0; i < FLOATS; i += 64)
        for (size_t k = 0; k < 64; k++)
            sums[k] += memory[i + k];
    sink = sums[0];
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void float32(void)
{
    __m512 sums[CHAINS], x = _mm512_set1_ps(1.0001f), y = _mm512_set1_ps(0.9999f);
    for (int i = 0; i < CHAINS; i++)
        sums[i] = _mm512_setzero_ps();
    for (int k = 0; k < LOOPS; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm512_fmadd_ps(x, y, sums[i]);
        __asm__ volatile("" : : "v"(sums[0])); // keeps the loop
    }
    for (int i = 0; i < CHAINS; i++)
        sink = _mm512_reduce_add_ps(sums[i]);
}

__attribute__((target("avx512f,avx512bf16"))) static void bfloat16(void)
{
    __m512 sums[CHAINS];
    __m512bh x = (__m512bh)_mm512_set1_ps(1), y = (__m512bh)_mm512_set1_ps(1);
    for (int i = 0; i < CHAINS; i++)
        sums[i] = _mm512_setzero_ps();
    for (int k = 0; k < LOOPS; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
        __asm__ volatile("" : : "v"(sums[0])); // keeps the loop
    }
    for (int i = 0; i < CHAINS; i++)
        sink = _mm512_reduce_add_ps(sums[i]);
}
#endif

int main(void)
{
    double wide = 0, narrow = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        wide = best(32.0 * LOOPS * CHAINS, float32);
    if (__builtin_cpu_supports("avx512bf16"))
        narrow = best(64.0 * LOOPS * CHAINS, bfloat16);
#endif
    memory = malloc(FLOATS * sizeof(*memory));
    if (!memory)
        return 1;
    memset(memory, 1, FLOATS * sizeof(*memory));
    double bytes = best((double)FLOATS * sizeof(*memory), read_memory);
    printf("{\"fp32_gflops\": %.1f, \"bf16_gflops\": %.1f, \"memory_gbs\": %.1f}\n", wide * 1e-9,
           narrow * 1e-9, bytes * 1e-9);
    free(memory);
    return 0;
}
