// SPDX-License-Identifier: LGPL-2.1-or-later
// The two estimates of a recording's signal-to-noise ratio, each against its definition.
#include <stdlib.h>

#include "denoise/snr.h"
#include "test.h"

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

// The definition, written out: sort the last 375 levels of every band.
static double snr_by_sorting(const float *power, int frames, int bands, const double *width, int span)
{
    int first = frames > span ? frames - span : 0, n = frames - first, *levels = malloc(n * sizeof(int));
    double noise = 0, mean = 0;
    for (int band = 0; band < bands; band++) {
        for (int i = 0; i < n; i++) {
            double p = power[(first + i) * bands + band];
            levels[i] = (int)floor(fmin(fmax(10 * log10(fmax(p, 1e-30)), -200), 249.99) + 200);
            mean += p / n;
        }
        qsort(levels, n, sizeof(int), by_value);
        noise += (1 + 4 / width[band]) * pow(10, (levels[(n + 9) / 10 - 1] - 199.5) / 10);
    }
    free(levels);
    return 10 * log10(fmax(mean - noise, 1e-3 * noise) / noise);
}

TEST(snr_is_its_definition)
{
    enum { BANDS = 5, FRAMES = 900 };
    static float power[FRAMES * BANDS];
    const double width[BANDS] = {1.26, 2, 5, 10, 32.3};
    struct ebb_snr snr, recent;
    REQUIRE(ebb_snr_init(&snr, BANDS, width, EBB_SNR_FRAMES) && ebb_snr_init(&recent, BANDS, width, 94));
    REQUIRE(isnan(ebb_snr_db(&snr)));
    unsigned state = 3;
    for (int i = 0; i < FRAMES; i++) {
        for (int band = 0; band < BANDS; band++) {
            state = state * 1664525u + 1013904223u;
            power[i * BANDS + band] = powf(10, (state >> 8) * 0x1p-24f * 12 - 11 + (i > 500 ? 1 : 0));
        }
        ebb_snr_add(&snr, power + i * BANDS);
        ebb_snr_add(&recent, power + i * BANDS);
        if (i % 37 == 0 || i == FRAMES - 1) {
            REQUIRE_NEAR(ebb_snr_db(&snr), snr_by_sorting(power, i + 1, BANDS, width, 375), 1e-6, "snr");
            REQUIRE_NEAR(ebb_snr_db(&recent), snr_by_sorting(power, i + 1, BANDS, width, 94), 1e-6,
                         "recent snr");
        }
    }
    ebb_snr_reset(&snr);
    REQUIRE(isnan(ebb_snr_db(&snr)));
    ebb_snr_free(&snr);
    ebb_snr_free(&recent);
}

// Much signal: the ratio of the two opinions. Noise alone, where both are ratios of rests: none, however
// small the rests.
TEST(doubt_is_its_definition)
{
    REQUIRE_NEAR(ebb_doubt_db(30, 20, 100), 10, 0.01, "much signal");
    REQUIRE_NEAR(ebb_doubt_db(20, 30, 100), -10, 0.01, "much signal that the network keeps");
    REQUIRE_NEAR(ebb_doubt_db(0, 3, 100), 10 * log10((1 + 0.2 / 1.04) / (pow(10, 0.3) + 0.2 / 1.04)), 1e-9,
                 "definition");
    REQUIRE(ebb_doubt_db(-7, -50, 100) < 4);
    REQUIRE_NEAR(ebb_doubt_db(-7, -50, 100), ebb_doubt_db(-7, -60, 100), 0.01, "rests");
    REQUIRE(ebb_doubt_db(20, -8, 100) > 27);
    REQUIRE(ebb_doubt_db(4, -50, 100) < 13);
    REQUIRE_NEAR(ebb_doubt_db(-7, -50, 23), 43, 1e-9, "the beginning");
}

TEST(split_is_its_definition)
{
    enum { FRAMES = 900 };
    static double kept[FRAMES], taken[FRAMES];
    static struct ebb_power_split split = {.span = EBB_SNR_FRAMES};
    REQUIRE(isnan(ebb_power_split_db(&split)));
    unsigned state = 5;
    for (int i = 0; i < FRAMES; i++) {
        state = state * 1664525u + 1013904223u;
        kept[i] = (state >> 8) * 0x1p-24;
        taken[i] = i > 500 ? 0.01 * kept[i] + 0.001 : 1;
        ebb_power_split_add(&split, kept[i], taken[i], 0);
        double a = 0, b = 0;
        for (int k = i > 374 ? i - 374 : 0; k <= i; k++) {
            a += kept[k];
            b += taken[k];
        }
        REQUIRE_NEAR(ebb_power_split_db(&split), 10 * log10(a / b), 1e-9, "split");
        REQUIRE_NEAR(ebb_power_split_kept(&split), a / (i > 374 ? 375 : i + 1), 1e-9, "kept");
        REQUIRE_NEAR(ebb_power_split_taken(&split), b / (i > 374 ? 375 : i + 1), 1e-9, "taken");
    }
    static struct ebb_power_split edge = {.span = EBB_SNR_FRAMES};
    ebb_power_split_add(&edge, 1, 0, 0);
    REQUIRE_NEAR(ebb_power_split_db(&edge), 100, 1e-9, "nothing taken");
    edge.count = 0;
    ebb_power_split_add(&edge, 0, 1, 0);
    REQUIRE_NEAR(ebb_power_split_db(&edge), -100, 1e-9, "nothing kept");
}

// 4 g (1 - g), weighed by power, over the frames that count.
TEST(unsure_is_its_definition)
{
    enum { FRAMES = 40, SPAN = 16 };
    static struct ebb_power_split split = {.span = SPAN};
    double gain[FRAMES], power[FRAMES];
    REQUIRE(ebb_power_split_unsure(&split) == 0);
    for (int i = 0; i < FRAMES; i++) {
        gain[i] = 0.5 + 0.5 * sin(i);
        power[i] = 1 + i % 7;
        double g = gain[i], p = power[i];
        ebb_power_split_add(&split, g * g * p, (1 - g) * (1 - g) * p, 2 * g * (1 - g) * p);
        double unsure = 0, all = 0;
        for (int k = i >= SPAN ? i - SPAN + 1 : 0; k <= i; k++) {
            unsure += 4 * gain[k] * (1 - gain[k]) * power[k];
            all += power[k];
        }
        REQUIRE_NEAR(ebb_power_split_unsure(&split), unsure / all, 1e-12, "unsure");
    }
}

TEST_MAIN
