#include "model/convert.h"

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

TEST_MAIN
