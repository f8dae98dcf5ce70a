#include "model/convert.h"

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

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void from_bf16(const unsigned char *p, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, p + 2 * i, sizeof(bits));
        out[i] = from_bits((uint32_t)bits << 16);
    }
}

// Exponent and mantissa move into place, then a multiplication by 2^112 corrects the bias, subnormals included. What
// was infinite or not a number lands at 2^16 or above.
static void from_f16(const unsigned char *p, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, p + 2 * i, sizeof(bits));
        float size = from_bits((uint32_t)(bits & 0x7fff) << 13) * 0x1p112f;
        size = size < 65536 ? size : INFINITY;
        out[i] = bits & 0x8000 ? -size : size;
    }
}

static const struct reader {
    const char *dtype;
    size_t size;
    void (*read)(const unsigned char *p, size_t count, float *out);
} readers[] = {{"F32", 4, from_f32}, {"F16", 2, from_f16}, {"BF16", 2, from_bf16}, {"F64", 8, from_f64}};

static const struct reader *find(const char *dtype)
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

bool ebb_convert(const char *dtype, const void *data, size_t outer, size_t middle, size_t inner, float *scratch,
                 float *out)
{
    const struct reader *reader = find(dtype);
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
