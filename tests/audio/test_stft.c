#include "audio/stft.h"
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
    struct ebb_stft *stft = ebb_stft_create(n, hop);
    REQUIRE(stft);
    float *x = ebb_fft_alloc(1, count), *bins = ebb_stft_alloc_bins(stft, ebb_stft_frames(stft, count));
    REQUIRE(x && bins);
    fill_noise(x, count, (uint64_t)n, 1);
    ebb_stft_forward(stft, x, count, bins);
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
} sizes[] = {{2048, 512, 131072}, {2048, 512, 1}, {2048, 512, 511}, {2048, 512, 512},  {2048, 512, 10007},
             {2000, 512, 20000},  {1024, 256, 5000}, {64, 16, 1000}, {2048, 128, 4096}, {480, 120, 4801}};

TEST(the_inverse_returns_the_signal_to_its_ends)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t count = sizes[i].count;
        struct ebb_stft *stft = ebb_stft_create(sizes[i].n, sizes[i].hop);
        float *x = ebb_fft_alloc(2, count), *y = x + ebb_fft_stride(count);
        float *bins = ebb_stft_alloc_bins(stft, ebb_stft_frames(stft, count));
        fill_noise(x, count, i, 1);
        ebb_stft_forward(stft, x, count, bins);
        REQUIRE(ebb_stft_inverse(stft, bins, ebb_stft_frames(stft, count), y, count) == 0);
        REQUIRE_NEAR(max_difference(x, y, count), 0, 1e-6, "round trip");
        free(x);
        free(bins);
        ebb_stft_destroy(&stft);
    }
}

TEST(streamed_overlap_add_is_the_inverse)
{
    struct ebb_stft *stft = ebb_stft_create(2048, 512);
    struct ebb_overlap *overlap = ebb_overlap_create(stft);
    static float x[20000], y[40000], bins[2050];
    fill_noise(x, 20000, 3, 1);
    for (int again = 0; again < 2; again++) { // finish has reset it
        size_t frames = ebb_stft_frames(stft, 20000);
        for (size_t k = 0; k < frames; k++) {
            ebb_stft_frame_of(stft, x, 20000, k, bins);
            ebb_overlap_add(overlap, bins, y + k * 512);
        }
        ebb_overlap_finish(overlap, y + frames * 512);
        REQUIRE_NEAR(max_difference(x, y + 1024, 20000), 0, 1e-6, "streamed");
    }
    ebb_overlap_destroy(&overlap);
    ebb_stft_destroy(&stft);
}

TEST(sizes_that_make_no_sense_are_refused)
{
    REQUIRE(!ebb_stft_create(15, 4));
    REQUIRE(!ebb_stft_create(17, 4));
    REQUIRE(!ebb_stft_create(64, 0));
    REQUIRE(!ebb_stft_create(64, 65));
    REQUIRE(!ebb_stft_create(1 << 20, 4));
    REQUIRE(!ebb_fft_alloc((size_t)-1 / 8, 64));
}

TEST_MAIN
