// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/convert.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

// Each converts `count` numbers: plain loops without branches, which compilers turn into vectors.

static void from_f32(const unsigned char *p, size_t count, float *out)
{
    memcpy(out, p, count * sizeof(*out));
}

static void from_f64(const unsigned char *p, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, p + i * sizeof(value), sizeof(value));
        out[i] = (float)value;
    }
}

static void from_bf16(const unsigned char *p, size_t count, float *out)
{
    ebb_widen(EBB_BFLOAT16, p, count, out);
}

static void from_f16(const unsigned char *p, size_t count, float *out)
{
    ebb_widen(EBB_FLOAT16, p, count, out);
}

static const struct number_reader {
    const char *dtype;
    size_t size;
    void (*read)(const unsigned char *p, size_t count, float *out);
} readers[] = {{"F32", 4, from_f32}, {"F16", 2, from_f16}, {"BF16", 2, from_bf16}, {"F64", 8, from_f64}};

static const struct number_reader *find(const char *dtype)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
        if (strcmp(readers[i].dtype, dtype) == 0)
            return &readers[i];
    return NULL;
}

bool ebb_convertible(const char *dtype)
{
    return find(dtype) != NULL;
}

// Exponent bits all set: infinite or not a number.
static bool all_finite(const float *x, size_t count)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof(bits));
        bad |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !bad;
}

bool ebb_convert(const char *dtype, const void *data, size_t outer, size_t middle, size_t inner,
                 float *scratch, float *out)
{
    const struct number_reader *reader = find(dtype);
    const unsigned char *p = data;
    size_t row = middle * inner;
    if (!reader)
        return false;
    if (middle == 1 || inner == 1) {
        reader->read(p, outer * row, out);
        return all_finite(out, outer * row);
    }

    bool good = true;
    for (size_t o = 0; o < outer; o++, p += row * reader->size, out += row) {
        reader->read(p, row, scratch);
        good &= all_finite(scratch, row);
        for (size_t i = 0; i < inner; i++)
            for (size_t m = 0; m < middle; m++)
                out[i * middle + m] = scratch[m * inner + i];
    }
    return good;
}

// ---- panels ----

enum ebb_number ebb_convert_number(const char *dtype)
{
    return strcmp(dtype, "F16") == 0 ? EBB_FLOAT16 : strcmp(dtype, "BF16") == 0 ? EBB_BFLOAT16 : EBB_FLOAT32;
}

// Where the numbers of an output channel lie: `runs` runs of `run` numbers, `row` numbers apart. In order
// they are (cin, places).
struct strides {
    size_t column, row, run, runs, cin, places;
};

// Numbers of a channel at a time: those of a panel stay in the nearest cache, and go out in long rows.
enum { BLOCK = 64 };

// One panel: `valid` output channels, `column` numbers apart, become columns of (places, cin, width); the
// rest is 0. False: a number has all bits of its exponent set.
#define PACK_PANEL(name, type, exponent)                                                                     \
    static bool name##_block(const unsigned char *p, const struct strides *s, size_t valid, size_t width,    \
                             size_t first, size_t count, type *out)                                          \
    {                                                                                                        \
        type tile[BLOCK][EBB_PANEL] = {{0}}, bad = 0;                                                        \
        for (size_t c = 0; c < valid; c++)                                                                   \
            for (size_t i = 0; i < count; i++) {                                                             \
                type bits;                                                                                   \
                memcpy(&bits, p + (c * s->column + i) * sizeof(type), sizeof(bits));                         \
                bad |= (bits & (exponent)) == (exponent);                                                    \
                tile[i][c] = bits;                                                                           \
            }                                                                                                \
        for (size_t k = 0; k < s->places && k < count; k++) {                                                \
            type *to = out + ((first + k) % s->places * s->cin + (first + k) / s->places) * width;           \
            for (size_t i = k; i < count; i += s->places, to += width)                                       \
                memcpy(to, tile[i], width * sizeof(type));                                                   \
        }                                                                                                    \
        return !bad;                                                                                         \
    }                                                                                                        \
    static bool name(const unsigned char *p, const struct strides *s, size_t valid, size_t width, void *out) \
    {                                                                                                        \
        bool good = true;                                                                                    \
        for (size_t r = 0; r < s->runs; r++, p += s->row * sizeof(type))                                     \
            for (size_t i = 0; i < s->run; i += BLOCK)                                                       \
                good &= name##_block(p + i * sizeof(type), s, valid, width, r * s->run + i,                  \
                                     s->run - i < BLOCK ? s->run - i : BLOCK, out);                          \
        return good;                                                                                         \
    }
PACK_PANEL(pack_f32, uint32_t, 0x7f800000)
PACK_PANEL(pack_f16, uint16_t, 0x7c00)
PACK_PANEL(pack_bf16, uint16_t, 0x7f80)

typedef bool pack_panel(const unsigned char *p, const struct strides *s, size_t valid, size_t width,
                        void *out);
static pack_panel *const pack[] = {
    [EBB_FLOAT32] = pack_f32, [EBB_FLOAT16] = pack_f16, [EBB_BFLOAT16] = pack_bf16};

bool ebb_convert_panels(const char *dtype, const void *data, const struct ebb_weight *shape, bool transposed,
                        enum ebb_number number, float *scratch, void *panels)
{
    const struct number_reader *reader = find(dtype);
    size_t cout = (size_t)shape->cout, cin = (size_t)shape->cin, places = (size_t)(shape->kh * shape->kw);
    size_t depth = cin * places, size = ebb_number_size(number);
    struct strides plain = {depth, depth, depth, 1, cin, places},
                   turned = {places, cout * places, places, cin, cin, places};
    const struct strides *strides = transposed ? &turned : &plain;
    bool good = reader != NULL;
    if (good && number == EBB_FLOAT32 && reader->size != sizeof(float)) {
        reader->read(data, cout * depth, scratch);
        data = scratch;
    }
    for (size_t first = 0; good && first < cout; first += EBB_PANEL) {
        size_t width = (size_t)ebb_panel_width(shape->cout, (int)first / EBB_PANEL), left = cout - first;
        good = pack[number]((const unsigned char *)data + first * strides->column * size, strides,
                            left < width ? left : width, width, (char *)panels + first * depth * size);
    }
    return good;
}
