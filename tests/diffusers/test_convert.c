// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/convert.h"

#include <math.h>
#include <stdint.h>

#include "test.h"

TEST(every_half)
{
    for (unsigned bits = 0; bits < 65536; bits++) {
        uint16_t half = (uint16_t)bits;
        unsigned char bytes[3];
        memcpy(bytes + 1, &half, 2); // no alignment
        int exponent = bits >> 10 & 31, mantissa = bits & 1023;
        double value = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        float got = 0;
        bool finite = ebb_convert("F16", bytes + 1, 1, 1, 1, NULL, &got);
        REQUIRE(finite == (exponent != 31));
        if (finite && (got != (bits & 0x8000 ? -value : value) || !signbit(got) != !(bits & 0x8000)))
            TEST_FAIL("half %04x is %g", bits, got);
    }
}

TEST(the_other_types)
{
    float out[3];
    const uint16_t bfloats[3] = {0x3f80, 0xc040, 0x0001};
    REQUIRE(ebb_convert("BF16", bfloats, 3, 1, 1, NULL, out));
    REQUIRE(out[0] == 1 && out[1] == -3 && out[2] == 0x1p-133f);
    const double doubles[3] = {0.1, -1e30, 0};
    REQUIRE(ebb_convert("F64", doubles, 1, 3, 1, NULL, out) && out[0] == 0.1f && out[1] == -1e30f);
    REQUIRE(!ebb_convert("F64", (const double[]){1e39}, 1, 1, 1, NULL, out)); // too large for a float
    REQUIRE(!ebb_convert("F32", (const float[]){NAN}, 1, 1, 1, NULL, out));
    REQUIRE(!ebb_convert("F32", (const float[]){-INFINITY}, 1, 1, 1, NULL, out));
    REQUIRE(!ebb_convert("I32", (const int[]){1}, 1, 1, 1, NULL, out));
    REQUIRE(ebb_convertible("F64") && !ebb_convertible("BOOL"));
}

TEST(channels_go_last)
{
    float in[2 * 3 * 4], out[2 * 3 * 4], scratch[3 * 4];
    for (int i = 0; i < 24; i++)
        in[i] = (float)i;
    REQUIRE(ebb_convert("F32", in, 2, 3, 4, scratch, out));
    for (int o = 0; o < 2; o++)
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < 4; k++)
                REQUIRE(out[(o * 4 + k) * 3 + c] == in[(o * 3 + c) * 4 + k]);
}

static uint32_t number_at(const void *data, size_t size, size_t i)
{
    uint32_t bits = 0;
    memcpy(&bits, (const char *)data + i * size, size); // little-endian, as the files are
    return bits;
}

enum { COUT = 37, CIN = 5, PLACES = 3, COUNT = COUT * CIN * PLACES };

// Where panels of 32 and a last one of 16 have place k of input channel i of output channel c.
static size_t panel_at(size_t c, size_t i, size_t k)
{
    return c < 32 ? (k * CIN + i) * 32 + c : 32 * CIN * PLACES + (k * CIN + i) * 16 + c - 32;
}

// (cout, cin, places), or transposed (cin, cout, places), to panels (places, cin, width).
static void check_panels(const char *dtype, enum ebb_number number, bool transposed)
{
    static const struct ebb_weight shape = {.cout = COUT, .cin = CIN, .kh = 1, .kw = PLACES};
    size_t size = ebb_number_size(number);
    unsigned char in[COUNT * 4 + 1], out[48 * CIN * PLACES * 4];
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits = (uint32_t)(i + 1) << (size == 4 ? 8 : 2);
        memcpy(in + 1 + (size_t)i * size, &bits, size); // no alignment
    }
    memset(out, 0xee, sizeof(out));
    REQUIRE(ebb_convert_number(dtype) == number);
    REQUIRE(ebb_convert_panels(dtype, in + 1, &shape, transposed, number, NULL, out));
    for (size_t c = 0; c < 48; c++)
        for (size_t i = 0; i < CIN; i++)
            for (size_t k = 0; k < PLACES; k++) {
                size_t from = ((transposed ? i * COUT + c : c * CIN + i)) * PLACES + k;
                uint32_t want = c < COUT ? number_at(in + 1, size, from) : 0;
                REQUIRE(number_at(out, size, panel_at(c, i, k)) == want);
            }
}

TEST(panels)
{
    for (int transposed = 0; transposed < 2; transposed++) {
        check_panels("F32", EBB_FLOAT32, transposed);
        check_panels("F16", EBB_FLOAT16, transposed);
        check_panels("BF16", EBB_BFLOAT16, transposed);
    }
}

static bool convert_two(const char *dtype, const void *data, enum ebb_number number, float *out)
{
    static const struct ebb_weight two = {.cout = 2, .cin = 1, .kh = 1, .kw = 1};
    float scratch[2];
    return ebb_convert_panels(dtype, data, &two, false, number, scratch, out);
}

TEST(panels_of_other_numbers)
{
    float out[32];
    double doubles[2] = {0.1, -3};
    REQUIRE(ebb_convert_number("F64") == EBB_FLOAT32);
    REQUIRE(convert_two("F64", doubles, EBB_FLOAT32, out) && out[0] == 0.1f && out[1] == -3);
    REQUIRE(convert_two("F16", (const uint16_t[]){0x3c00, 0xc200}, EBB_FLOAT32, out) && out[0] == 1 &&
            out[1] == -3);
    REQUIRE(!convert_two("I32", doubles, EBB_FLOAT32, out));
}

TEST(panels_of_what_is_not_finite)
{
    float out[32];
    REQUIRE(!convert_two("F64", (const double[]){1, 1e39}, EBB_FLOAT32, out));
    REQUIRE(!convert_two("F32", (const float[]){1, NAN}, EBB_FLOAT32, out));
    REQUIRE(!convert_two("F16", (const uint16_t[]){0x3c00, 0x7c00}, EBB_FLOAT16, out));
    REQUIRE(!convert_two("F16", (const uint16_t[]){0x3c00, 0x7c00}, EBB_FLOAT32, out));
    REQUIRE(!convert_two("BF16", (const uint16_t[]){0xff80, 0x3f80}, EBB_BFLOAT16, out));
}

TEST_MAIN
