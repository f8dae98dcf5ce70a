// SPDX-License-Identifier: LGPL-2.1-or-later
// What one core of this machine can do: multiplications with additions a second in float32 and, where the
// processor has it, in bfloat16 by vectors and by the tiles of AMX, and bytes a second from memory. Prints
// one JSON line, by processor time.
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <stdint.h>
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
__attribute__((target("avx2,fma"))) static void float32_avx2(void)
{
    __m256 sums[CHAINS], x = _mm256_set1_ps(1.0001f), y = _mm256_set1_ps(0.9999f);
    for (int i = 0; i < CHAINS; i++)
        sums[i] = _mm256_setzero_ps();
    for (int k = 0; k < LOOPS; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm256_fmadd_ps(x, y, sums[i]);
        __asm__ volatile("" : : "x"(sums[0])); // keeps the loop
    }
    for (int i = 0; i < CHAINS; i++)
        sink = _mm256_cvtss_f32(sums[i]);
}

__attribute__((target("avx512f"))) static void float32_avx512(void)
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

#if defined(__linux__)
#define HAVE_TILES
struct peak_tiles {
    _Alignas(64) uint8_t palette;
    uint8_t start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
};

// A tile is 16 rows of 64 bytes: 2 * 16 * 16 * 32 multiplications and additions.
__attribute__((target("amx-tile,amx-bf16"))) static void tiles(void)
{
    struct peak_tiles config = {.palette = 1};
    static float zeros[256];
    for (int i = 0; i < 8; i++) {
        config.bytes[i] = 64;
        config.rows[i] = 16;
    }
    __asm__ volatile("" ::: "memory"); // the intrinsic of gcc 12 does not say that it reads memory
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, zeros, 64);
    _tile_loadd(5, zeros, 64);
    for (int k = 0; k < LOOPS / 16; k++) {
        _tile_dpbf16ps(0, 4, 5);
        _tile_dpbf16ps(1, 4, 5);
        _tile_dpbf16ps(2, 4, 5);
        _tile_dpbf16ps(3, 4, 5);
    }
    _tile_release();
}

// As lib/backend/cpu/amx.c asks; a processor without AMX has no such state.
static int may_use_tiles(void)
{
    return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}
#endif
#endif

int main(void)
{
    double wide = 0, narrow = 0, tile = 0;
#ifdef HAVE_TILES
    if (may_use_tiles())
        tile = best(4 * 16384.0 * (LOOPS / 16), tiles);
#endif
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        wide = best(32.0 * LOOPS * CHAINS, float32_avx512);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        wide = best(16.0 * LOOPS * CHAINS, float32_avx2);
    if (__builtin_cpu_supports("avx512bf16"))
        narrow = best(64.0 * LOOPS * CHAINS, bfloat16);
#endif
    memory = malloc(FLOATS * sizeof(*memory));
    if (!memory)
        return 1;
    memset(memory, 1, FLOATS * sizeof(*memory));
    double bytes = best((double)FLOATS * sizeof(*memory), read_memory);
    printf("{\"fp32_gflops\": %.1f, \"bf16_gflops\": %.1f, \"amx_gflops\": %.1f, \"memory_gbs\": %.1f}\n",
           wide * 1e-9, narrow * 1e-9, tile * 1e-9, bytes * 1e-9);
    free(memory);
    return 0;
}
