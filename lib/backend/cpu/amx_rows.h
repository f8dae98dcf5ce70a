// SPDX-License-Identifier: LGPL-2.1-or-later
// row() in bfloat16 by the tiles of AMX: a tile is 16 rows of 64 bytes, and one instruction adds the products
// of 16 pixels, 16 pairs of channels and 16 output channels. A block is 2 x 2 tiles of sums, so that each
// loaded tile is used twice.
//
// The tiles are configured and released within a call: no thread, least of all a caller's, is left with 8 KB
// more to save at each switch, or kept from deep sleep.
#ifndef EBB_BACKEND_CPU_AMX_ROWS_H
#define EBB_BACKEND_CPU_AMX_ROWS_H

#include <immintrin.h>
#include <stdbool.h>

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"

enum { SIDE = 16, BLOCK = 2 * SIDE };
// Tiles by number, which instructions have as constants.
#define UPPER_LEFT 0 // sums: of the first 16 pixels and output channels
#define UPPER_RIGHT 1
#define LOWER_LEFT 2
#define LOWER_RIGHT 3
#define UPPER 4 // sources
#define LOWER 5
#define LEFT 6 // weights
#define RIGHT 7

// The intrinsics of gcc 12 do not say that tiles are loaded from memory and stored to it.
#define MEMORY_IS_READ() __asm__ volatile("" ::: "memory")

struct tile_config {
    _Alignas(64) uint8_t palette;
    uint8_t start, reserved[14];
    uint16_t bytes[16]; // of a row
    uint8_t rows[16];
};

static void configure(int pixels)
{
    uint8_t upper = (uint8_t)(pixels < SIDE ? pixels : SIDE);
    uint8_t lower = (uint8_t)(pixels > SIDE ? pixels - SIDE : 1); // no tile has none
    struct tile_config config = {.palette = 1,
                                 .rows = {upper, upper, lower, lower, upper, lower, SIDE, SIDE}};
    for (int i = 0; i < 8; i++)
        config.bytes[i] = SIDE * sizeof(float);
    MEMORY_IS_READ();
    _tile_loadconfig(&config);
}

// The products of 16 pairs.
INLINE void multiply_tiles(const float *a, size_t step, const float *b, size_t width, const bool high,
                           const bool wide)
{
    _tile_loadd(LEFT, b, width * sizeof(float));
    _tile_loadd(UPPER, a, step * sizeof(float));
    _tile_dpbf16ps(UPPER_LEFT, UPPER, LEFT);
    if (wide) {
        _tile_loadd(RIGHT, b + SIDE, width * sizeof(float));
        _tile_dpbf16ps(UPPER_RIGHT, UPPER, RIGHT);
    }
    if (high) {
        _tile_loadd(LOWER, a + SIDE * step, step * sizeof(float));
        _tile_dpbf16ps(LOWER_LEFT, LOWER, LEFT);
        if (wide)
            _tile_dpbf16ps(LOWER_RIGHT, LOWER, RIGHT);
    }
}

// The products of the last pairs of a run, fewer than 16: copies that zeros fill up.
static void copy_rest(const float *from, size_t step, int rows, int count, float *to, size_t to_step)
{
    for (int i = 0; i < rows; i++)
        memcpy(to + (size_t)i * to_step, from + (size_t)i * step, (size_t)count * sizeof(*to));
}

INLINE void multiply_rest(const float *a, size_t step, const float *b, size_t width, int rest, int pixels,
                          const bool high, const bool wide)
{
    _Alignas(64) float sources[BLOCK * SIDE], weights[SIDE * BLOCK];
    memset(sources, 0, sizeof(sources));
    memset(weights, 0, sizeof(weights));
    copy_rest(a, step, pixels, rest, sources, SIDE);
    copy_rest(b, width, rest, (int)width, weights, width);
    MEMORY_IS_READ();
    multiply_tiles(sources, SIDE, weights, width, high, wide);
}

INLINE void store_tiles(float *out, size_t step, const bool high, const bool wide)
{
    _tile_stored(UPPER_LEFT, out, step * sizeof(float));
    if (wide)
        _tile_stored(UPPER_RIGHT, out + SIDE, step * sizeof(float));
    if (high)
        _tile_stored(LOWER_LEFT, out + SIDE * step, step * sizeof(float));
    if (high && wide)
        _tile_stored(LOWER_RIGHT, out + SIDE * step + SIDE, step * sizeof(float));
    MEMORY_IS_READ();
}

// One pixel: what is added to its sums, and where it goes.
INLINE void finish_pixel(const struct cpu_row *r, const float *sums, size_t at)
{
    for (int column = 0; column < r->columns; column += LANES) {
        int rest = r->columns - column;
        vec v = load(sums + column);
        if (r->add)
            v += load(r->add + column);
        if (r->residual)
            v += rest >= LANES ? load(r->residual + at + column) : load_some(r->residual + at + column, rest);
        if (rest >= LANES)
            store(r->out + at + column, v * splat(r->scale));
        else
            store_some(r->out + at + column, v * splat(r->scale), rest);
    }
}

static void finish_block(const struct cpu_row *r, const float *sums, int first, int pixels)
{
    int line = r->line ? r->line : r->pixels, pitch = r->line ? r->pitch : r->pixels;
    int y = first / pitch, x = first % pitch;
    for (int i = 0; i < pixels; i++, sums += BLOCK) {
        if (x < line)
            finish_pixel(r, sums, ((size_t)y * (size_t)line + (size_t)x) * r->out_step);
        if (++x == pitch) {
            x = 0;
            y++;
        }
    }
}

INLINE void tile_block(const struct cpu_row *r, int first, int pixels, const bool high, const bool wide)
{
    const float *b = r->panel;
    const size_t width = wide ? BLOCK : SIDE;
    const int whole = r->run / SIDE * SIDE;
    _tile_zero(UPPER_LEFT);
    _tile_zero(UPPER_RIGHT);
    _tile_zero(LOWER_LEFT);
    _tile_zero(LOWER_RIGHT);
    for (int run = 0; run < r->runs; run++) {
        const float *a = r->a + (size_t)first * r->step + (size_t)run * r->run_step;
        for (int k = 0; k < whole; k += SIDE, b += SIDE * width)
            multiply_tiles(a + k, r->step, b, width, high, wide);
        if (r->run > whole)
            multiply_rest(a + whole, r->step, b, width, r->run - whole, pixels, high, wide);
        b += (size_t)(r->run - whole) * width;
    }
    bool plain = !r->add && !r->residual && r->scale == 1 && r->columns == r->width && !r->line;
    if (plain) {
        store_tiles(r->out + (size_t)first * r->out_step, r->out_step, high, wide);
    } else {
        _Alignas(64) float sums[BLOCK * BLOCK];
        store_tiles(sums, BLOCK, high, wide);
        finish_block(r, sums, first, pixels);
    }
}

static void any_block(const struct cpu_row *r, int first, int pixels)
{
    if (pixels > SIDE && r->width == BLOCK)
        tile_block(r, first, pixels, true, true);
    else if (pixels > SIDE)
        tile_block(r, first, pixels, true, false);
    else if (r->width == BLOCK)
        tile_block(r, first, pixels, false, true);
    else
        tile_block(r, first, pixels, false, false);
}

static void row_by_tiles(const struct cpu_row *r)
{
    int first = 0;
    if (r->pixels >= BLOCK)
        configure(BLOCK);
    for (; first + BLOCK <= r->pixels; first += BLOCK)
        any_block(r, first, BLOCK);
    if (first < r->pixels) {
        configure(r->pixels - first);
        any_block(r, first, r->pixels - first);
    }
    _tile_release();
}

#endif
