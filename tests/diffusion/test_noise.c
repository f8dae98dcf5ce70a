// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusion/noise.h"

#include <stdlib.h>

#include "test.h"

static uint32_t bits(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof(b));
    return b;
}

// Random123's kat_vectors.
TEST(philox_known_answers)
{
    static const uint32_t c[3][4] = {{0},
                                     {~0U, ~0U, ~0U, ~0U},
                                     {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}};
    static const uint32_t k[3][2] = {{0}, {~0U, ~0U}, {0xa4093822, 0x299f31d0}};
    static const uint32_t want[3][4] = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                        {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                        {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        ebb_philox4x32(c[i], k[i], out);
        REQUIRE(memcmp(out, want[i], sizeof(out)) == 0);
    }
}

// Counter layout and transform, against Python's math module: the format of version 1.
TEST(philox_normals_are_version_1)
{
    static const uint32_t want[8] = {0xbf0cfcaf, 0x3ef37c52, 0xbf0aa18b, 0xbe87d8b6,
                                     0xbfb12827, 0x3f8b5998, 0x3e914ef6, 0x3f53bd52};
    float out[8];
    ebb_noise_philox(0x123456789abcdef0, 7, 3, 0, 8, out);
    for (int i = 0; i < 8; i++)
        REQUIRE(bits(out[i]) == want[i]);
}

TEST(philox_elements_stand_alone)
{
    float all[64], part[64];
    ebb_noise_philox(5, 1, 2, 0, 64, all);
    for (size_t first = 0; first < 9; first++) {
        ebb_noise_philox(5, 1, 2, first, 17, part);
        REQUIRE(memcmp(part, all + first, 17 * sizeof(float)) == 0);
    }
    ebb_noise_philox(5, 1, 3, 0, 64, part);
    REQUIRE(part[0] != all[0]);
    ebb_noise_philox(5, 2, 2, 0, 64, part);
    REQUIRE(part[0] != all[0]);
    ebb_noise_philox(6, 1, 2, 0, 64, part);
    REQUIRE(part[0] != all[0]);
}

// Standard errors of the first four moments of n normals: 1, 2, 15, 96 over n, square rooted.
TEST(philox_moments)
{
    enum { COUNT = 1000000 };
    float *x = malloc(COUNT * sizeof(float));
    REQUIRE(x);
    ebb_noise_philox(1, 0, 0, 0, COUNT, x);
    double sum[4] = {0}, neighbours = 0;
    for (int i = 0; i < COUNT; i++) {
        double p = x[i];
        for (int k = 0; k < 4; k++, p *= x[i])
            sum[k] += p;
        neighbours += i ? x[i] * x[i - 1] : 0;
    }
    free(x);
    static const double mean[4] = {0, 1, 0, 3}, variance[4] = {1, 2, 15, 96};
    for (int k = 0; k < 4; k++)
        REQUIRE_NEAR(sum[k] / COUNT, mean[k], 4 * sqrt(variance[k] / COUNT), "moment");
    REQUIRE_NEAR(neighbours / COUNT, 0, 4 / sqrt(COUNT), "correlation of neighbours");
}

static void require_draw(struct ebb_torch_noise *noise, const uint32_t *want, size_t count)
{
    float out[64];
    ebb_torch_noise_draw(noise, count, out);
    for (size_t i = 0; i < count; i++)
        if (bits(out[i]) != want[i])
            TEST_FAIL("element %zu of %zu is %08x, expected %08x", i, count, bits(out[i]), want[i]);
}

TEST(torch_sixteen)
{
    static const uint32_t want[2][16] = {
        {0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f594515, 0x3f312783, 0xbea1cc6d, 0xc0075fc1,
         0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb, 0x3df56f77, 0x3f9e6b93, 0x3f8ef28e, 0xbe7d367c},
        {0x3ff6a529, 0x3fbe5f53, 0x3f669567, 0xc006c0db, 0x3f2dacd5, 0xbf9e0591, 0xbd306786, 0xbfcd65ba,
         0xbf408bf0, 0x3fd3095b, 0xbec8f2f6, 0xbfb3a966, 0xbf3a566e, 0xbf0f36d1, 0xbf44d2a0, 0x3f432f9f}};
    struct ebb_torch_noise noise;
    ebb_torch_noise_seed(&noise, 0);
    require_draw(&noise, want[0], 16);
    ebb_torch_noise_seed(&noise, 42);
    require_draw(&noise, want[1], 16);
}

// torch.manual_seed(42), then randn(5), randn(4), randn(20): the cached normal survives, the tail is drawn
// anew.
TEST(torch_sizes_in_a_row)
{
    static const uint32_t five[] = {0x3eac62ae, 0x3e03e69d, 0x3e7016e7, 0x3e6bdc6c, 0xbf8fb9c2};
    static const uint32_t four[] = {0xbe3eccd8, 0x400d532c, 0xbf2353c6, 0x3eec5e56};
    static const uint32_t twenty[] = {0xbf4214e2, 0x3f8a0650, 0x3f4d0144, 0x3fd71e93, 0x3d0f003f,
                                      0x3ea4679d, 0x3fc96bbb, 0xbf58708e, 0x3fa7f9b2, 0x3f2fe9b1,
                                      0xbf8b6a19, 0xbeb5e821, 0xbfb582fd, 0x3f6571d7, 0x3d4c6997,
                                      0x401111e8, 0x3f96e7dd, 0xbede70cf, 0xbfb1746d, 0xbfa4a2b6};
    struct ebb_torch_noise noise;
    ebb_torch_noise_seed(&noise, 42);
    require_draw(&noise, five, 5);
    require_draw(&noise, four, 4);
    require_draw(&noise, twenty, 20);
}

static double product(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static double size(const float *a, int count)
{
    return sqrt(product(a, a, count));
}

static double angle(const float *a, const float *b, int count)
{
    return acos(product(a, b, count) / size(a, count) / size(b, count));
}

// A second channel by its definition: so much of the first channel's draw, and of the draw with bit 31.
TEST(a_second_channel_departs_in_every_draw)
{
    enum { COUNT = 4096 };
    static float one[COUNT], own[COUNT], two[COUNT];
    for (uint32_t number = 0; number < 3; number++) {
        ebb_noise_philox(3, 9, number, 5, COUNT, one);
        ebb_noise_philox(3, 9, number + 0x80000000u, 5, COUNT, own);
        for (int i = 0; i <= 4; i++) {
            struct ebb_noise_path path = {3, 4, 0, i / 4.0};
            double squares = 0;
            ebb_noise_draw(&path, 9, number, 5, COUNT, two, NULL);
            for (int k = 0; k < COUNT; k++) {
                double want = cos(i * M_PI / 8) * one[k] + sin(i * M_PI / 8) * own[k];
                REQUIRE(fabs(two[k] - want) < 1e-6);
                squares += (double)two[k] * two[k] / COUNT;
            }
            REQUIRE_NEAR(squares, 1, 0.1, "variance");
            REQUIRE(i > 0 || memcmp(one, two, sizeof(one)) == 0);
        }
    }
}

// Between vectors of one length, by its definition: of that length, at that share of the angle between them.
TEST(between_two_seeds_lies_an_arc)
{
    enum { COUNT = 4096 };
    static float a[COUNT], b[COUNT], x[COUNT], scratch[COUNT];
    struct ebb_noise_path path = {3, 4, 0, 0};
    ebb_noise_philox(3, 9, 2, 0, COUNT, a);
    ebb_noise_philox(4, 9, 2, 0, COUNT, b);
    ebb_noise_draw(&path, 9, 2, 0, COUNT, x, NULL);
    REQUIRE(memcmp(x, a, sizeof(a)) == 0);
    path.share = 1;
    ebb_noise_draw(&path, 9, 2, 0, COUNT, x, NULL);
    REQUIRE(memcmp(x, b, sizeof(b)) == 0);
    path.share = 0.25;
    ebb_noise_draw(&path, 9, 2, 0, COUNT, x, scratch);
    memcpy(scratch, a, sizeof(a));
    ebb_noise_slerp(scratch, b, 0.25, COUNT);
    REQUIRE(memcmp(x, scratch, sizeof(x)) == 0);

    double length = size(a, COUNT), whole = angle(a, b, COUNT);
    REQUIRE_NEAR(whole, M_PI / 2, 0.05, "two draws");
    float scale = (float)(length / size(b, COUNT));
    for (int i = 0; i < COUNT; i++)
        b[i] *= scale;
    for (int i = 1; i < 8; i++) {
        memcpy(x, a, sizeof(a));
        ebb_noise_slerp(x, b, i / 8.0, COUNT);
        REQUIRE_NEAR(size(x, COUNT), length, 1e-4 * length, "length");
        REQUIRE_NEAR(angle(a, x, COUNT), i / 8.0 * whole, 1e-5, "from the start");
        REQUIRE_NEAR(angle(x, b, COUNT), (1 - i / 8.0) * whole, 1e-5, "to the end");
    }
    memcpy(x, a, sizeof(a));
    ebb_noise_slerp(x, a, 0.5, COUNT); // nowhere to go
    REQUIRE(memcmp(x, a, sizeof(a)) == 0);
}

TEST_MAIN
