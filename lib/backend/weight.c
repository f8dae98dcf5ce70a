// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/weight.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

// One lock for all weights: packing happens at plan time only.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct ebb_packed *ebb_packed_get(struct ebb_weight *weight, const void *owner, int form,
                                  struct ebb_packed *(*make)(const struct ebb_weight *weight, void *context),
                                  void *context)
{
    pthread_mutex_lock(&lock);
    struct ebb_packed *packed = weight->packed;
    while (packed && (packed->owner != owner || packed->form != form))
        packed = packed->next;
    if (!packed && (packed = make(weight, context))) {
        packed->owner = owner;
        packed->form = form;
        packed->next = weight->packed;
        weight->packed = packed;
    }
    pthread_mutex_unlock(&lock);
    return packed;
}

void ebb_weight_release(struct ebb_weight *weight)
{
    while (weight->packed) {
        struct ebb_packed *next = weight->packed->next;
        weight->packed->destroy(weight->packed);
        weight->packed = next;
    }
}

// ---- numbers ----

size_t ebb_number_size(enum ebb_number number)
{
    return number == EBB_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint16_t bits_at(const void *data, size_t i)
{
    uint16_t bits;
    memcpy(&bits, (const char *)data + 2 * i, sizeof(bits));
    return bits;
}

// Exponent and mantissa move into place, then a multiplication by 2^112 corrects the bias, subnormals
// included. What was infinite or not a number lands at 2^16 or above.
static void widen_f16(const void *data, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t bits = bits_at(data, i);
        float size = from_bits((uint32_t)(bits & 0x7fff) << 13) * 0x1p112f;
        size = size < 65536 ? size : INFINITY;
        out[i] = bits & 0x8000 ? -size : size;
    }
}

static void widen_bf16(const void *data, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = from_bits((uint32_t)bits_at(data, i) << 16);
}

void ebb_widen(enum ebb_number number, const void *data, size_t count, float *out)
{
    switch (number) {
    case EBB_FLOAT16: widen_f16(data, count, out); break;
    case EBB_BFLOAT16: widen_bf16(data, count, out); break;
    default: memcpy(out, data, count * sizeof(*out)); break;
    }
}

// ---- panels ----

int ebb_panel_width(int channels, int panel)
{
    return channels - panel * EBB_PANEL <= 16 ? 16 : EBB_PANEL;
}

size_t ebb_panels_numbers(size_t depth, int channels)
{
    return depth * (size_t)((channels + 15) / 16 * 16);
}

static size_t depth_of(const struct ebb_weight *weight)
{
    return (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
}

void ebb_weight_read(const struct ebb_weight *weight, size_t k, float *out)
{
    size_t depth = depth_of(weight), size = ebb_number_size(weight->panels.number);
    if (weight->data) {
        for (size_t c = 0; c < (size_t)weight->cout; c++)
            out[c] = weight->data[c * depth + k];
        return;
    }
    for (int first = 0; first < weight->cout; first += EBB_PANEL) {
        int width = ebb_panel_width(weight->cout, first / EBB_PANEL), rest = weight->cout - first;
        size_t at = (size_t)first * depth + k * (size_t)width;
        ebb_widen(weight->panels.number, (const char *)weight->panels.data + at * size,
                  (size_t)(rest < width ? rest : width), out + first);
    }
}

void ebb_weight_row(const struct ebb_weight *weight, int c, float *out)
{
    size_t depth = depth_of(weight), size = ebb_number_size(weight->panels.number);
    if (weight->data) {
        memcpy(out, weight->data + (size_t)c * depth, depth * sizeof(*out));
        return;
    }
    int first = c / EBB_PANEL * EBB_PANEL;
    size_t width = (size_t)ebb_panel_width(weight->cout, c / EBB_PANEL);
    const char *at = (const char *)weight->panels.data + ((size_t)first * depth + (size_t)(c - first)) * size;
    for (size_t k = 0; k < depth; k++, at += width * size)
        ebb_widen(weight->panels.number, at, 1, out + k);
}

struct plain {
    struct ebb_packed packed;
    float data[];
};

static void plain_destroy(struct ebb_packed *packed)
{
    free(packed);
}

static struct ebb_packed *plain_make(const struct ebb_weight *weight, void *context)
{
    size_t depth = depth_of(weight), cout = (size_t)weight->cout;
    struct plain *plain = ebb_alloc(1, sizeof(*plain) + depth * cout * sizeof(float));
    float *row = ebb_alloc(cout, sizeof(*row));
    for (size_t k = 0; plain && row && k < depth; k++) {
        ebb_weight_read(weight, k, row);
        for (size_t c = 0; c < cout; c++)
            plain->data[c * depth + k] = row[c];
    }
    if (!row) {
        free(plain);
        plain = NULL;
    }
    free(row);
    if (plain)
        plain->packed.destroy = plain_destroy;
    return plain ? &plain->packed : NULL;
}

const float *ebb_weight_plain(struct ebb_weight *weight)
{
    static const char owner;
    if (weight->data)
        return weight->data;
    struct ebb_packed *packed = ebb_packed_get(weight, &owner, 0, plain_make, NULL);
    return packed ? ((struct plain *)packed)->data : NULL;
}
