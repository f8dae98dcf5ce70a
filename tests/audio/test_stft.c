// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms.h"
#include "waves.h"
#include "test.h"

// The definition, in double: frame k, bin b of a signal with zeros around it.
static void definition(const float *x, size_t count, int n, int hop, size_t k, int b, double *re, double *im)
{
    *re = *im = 0;
    for (int i = 0; i < n; i++) {
        long at = (long)k * hop - n / 2 + i;
        if (at < 0 || at >= (long)count)
            continue;
        double value = x[at] * (0.5 - 0.5 * cos(2 * M_PI * i / n)), angle = -2 * M_PI * b * i / n;
        *re += value * cos(angle);
        *im += value * sin(angle);
    }
}

static void compare_with_definition(int n, int hop, size_t count)
{
    struct ebb_stft *stft = ebb_stft_create(n, n, hop);
    REQUIRE(stft);
    float *x = ebb_fft_alloc(1, count), *bins = ebb_stft_alloc_bins(stft, ebb_stft_frames(stft, count));
    REQUIRE(x && bins);
    fill_noise(x, count, (uint64_t)n, 1);
    transform_all(stft, x, count, bins);
    for (size_t k = 0; k < ebb_stft_frames(stft, count); k++)
        for (int b = 0; b < stft->bins; b++) {
            double re, im;
            definition(x, count, n, hop, k, b, &re, &im);
            const float *got = bins + k * stft->bin_stride + 2 * b;
            REQUIRE_NEAR(got[0], re, 2e-5 * sqrt(n), "real part");
            REQUIRE_NEAR(got[1], im, 2e-5 * sqrt(n), "imaginary part");
        }
    free(x);
    free(bins);
    ebb_stft_destroy(&stft);
    REQUIRE(stft == NULL);
}

TEST(the_transform_is_its_definition)
{
    compare_with_definition(16, 4, 50);
    compare_with_definition(64, 16, 200);
    compare_with_definition(100, 25, 333); // 2 * 2 * 5 * 5
    compare_with_definition(94, 30, 1);    // 2 * 47, a single sample
    compare_with_definition(250, 250, 600);
}

static const struct {
    int n, hop;
    size_t count;
} sizes[] = {{2048, 512, 131072}, {2048, 512, 1},    {2048, 512, 511}, {2048, 512, 512},  {2048, 512, 10007},
             {2000, 512, 20000},  {1024, 256, 5000}, {64, 16, 1000},   {2048, 128, 4096}, {480, 120, 4801}};

// Frames go on until half a window past the end: then the last samples are as exact as all others.
static void check_round_trip(struct ebb_overlap *overlap, struct ebb_stft *stft, const float *x, size_t count)
{
    size_t hop = (size_t)stft->hop, half = (size_t)stft->n_fft / 2, frames = (count + half + hop - 1) / hop;
    float *y = ebb_fft_alloc(1, frames * hop), *bins = ebb_stft_alloc_bins(stft, 1);
    REQUIRE(y && bins);
    for (size_t k = 0; k < frames; k++) {
        ebb_stft_frame_of(stft, x, count, k, bins);
        ebb_overlap_add(overlap, bins, y + k * hop);
    }
    REQUIRE_NEAR(max_difference(x, y + half, count), 0, 1e-6, "round trip");
    free(y);
    free(bins);
}

TEST(overlap_add_returns_the_signal_to_its_ends)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ebb_stft *stft = ebb_stft_create(sizes[i].n, sizes[i].n, sizes[i].hop);
        struct ebb_overlap *overlap = ebb_overlap_create(stft);
        float *x = ebb_fft_alloc(1, sizes[i].count);
        REQUIRE(stft && overlap && x);
        fill_noise(x, sizes[i].count, i, 1);
        for (int again = 0; again < 2; again++) {
            check_round_trip(overlap, stft, x, sizes[i].count);
            ebb_overlap_reset(overlap);
        }
        free(x);
        ebb_overlap_destroy(&overlap);
        ebb_stft_destroy(&stft);
    }
}

TEST(sizes_that_make_no_sense_are_refused)
{
    REQUIRE(!ebb_stft_create(15, 15, 4));
    REQUIRE(!ebb_stft_create(17, 17, 4));
    REQUIRE(!ebb_stft_create(64, 64, 0));
    REQUIRE(!ebb_stft_create(64, 64, 65));
    REQUIRE(!ebb_stft_create(64, 65, 4));
    REQUIRE(!ebb_stft_create(64, 15, 4));
    REQUIRE(!ebb_stft_create(1 << 20, 1 << 20, 4));
    REQUIRE(!ebb_fft_alloc((size_t)-1 / 8, 64));
}

TEST_MAIN
