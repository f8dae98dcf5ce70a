// The engine's small parts, each against its definition.
#include <stdlib.h>

#include "engine/fifo.h"
#include "engine/pulse.h"
#include "engine/snr.h"
#include "test.h"

TEST(fifo_gives_back_what_it_got)
{
    struct ebb_fifo fifo = {0};
    float next = 0, want = 0, block[100];
    unsigned state = 1;
    for (int turn = 0; turn < 10000; turn++) {
        state = state * 1664525u + 1013904223u;
        size_t in = state >> 8 & 63, out = state >> 16 & 63;
        for (size_t i = 0; i < in; i++)
            block[i] = next++;
        REQUIRE(ebb_fifo_push(&fifo, block, in));
        out = out < fifo.count ? out : fifo.count;
        for (size_t i = 0; i < out; i++)
            REQUIRE(ebb_fifo_data(&fifo)[i] == want++);
        ebb_fifo_drop(&fifo, out);
    }
    REQUIRE(fifo.count == (size_t)(next - want));
    size_t before = fifo.count;
    REQUIRE(ebb_fifo_push(&fifo, NULL, 3));
    for (int i = 0; i < 3; i++)
        REQUIRE(ebb_fifo_data(&fifo)[before + i] == 0);
    ebb_fifo_free(&fifo);
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

// The definition, written out: sort the last 375 levels of every band.
static double snr_by_sorting(const float *power, int frames, int bands, const double *width)
{
    int first = frames > 375 ? frames - 375 : 0, n = frames - first, *levels = malloc(n * sizeof(int));
    double noise = 0, mean = 0;
    for (int band = 0; band < bands; band++) {
        for (int i = 0; i < n; i++) {
            double p = power[(first + i) * bands + band], db = 10 * log10(fmax(p, 1e-10));
            levels[i] = (int)floor(fmin(fmax(db, -90), 9.99) + 90);
            mean += p / n;
        }
        qsort(levels, n, sizeof(int), by_value);
        noise += (1 + 4 / width[band]) * pow(10, (levels[(n + 9) / 10 - 1] - 89.5) / 10);
    }
    free(levels);
    return 10 * log10(fmax(mean - noise, 1e-3 * noise) / noise);
}

TEST(snr_is_its_definition)
{
    enum { BANDS = 5, FRAMES = 900 };
    static float power[FRAMES * BANDS];
    const double width[BANDS] = {1.26, 2, 5, 10, 32.3};
    struct ebb_snr snr;
    REQUIRE(ebb_snr_init(&snr, BANDS, width));
    REQUIRE(isnan(ebb_snr_db(&snr)));
    unsigned state = 3;
    for (int i = 0; i < FRAMES; i++) {
        for (int band = 0; band < BANDS; band++) {
            state = state * 1664525u + 1013904223u;
            power[i * BANDS + band] = powf(10, (state >> 8) * 0x1p-24f * 12 - 11 + (i > 500 ? 1 : 0));
        }
        ebb_snr_add(&snr, power + i * BANDS);
        if (i % 37 == 0 || i == FRAMES - 1)
            REQUIRE_NEAR(ebb_snr_db(&snr), snr_by_sorting(power, i + 1, BANDS, width), 1e-6, "snr");
    }
    ebb_snr_reset(&snr);
    REQUIRE(isnan(ebb_snr_db(&snr)));
    ebb_snr_free(&snr);
}

TEST(split_is_its_definition)
{
    enum { FRAMES = 900 };
    static double kept[FRAMES], taken[FRAMES];
    static struct ebb_split split;
    REQUIRE(isnan(ebb_split_db(&split)));
    unsigned state = 5;
    for (int i = 0; i < FRAMES; i++) {
        state = state * 1664525u + 1013904223u;
        kept[i] = (state >> 8) * 0x1p-24;
        taken[i] = i > 500 ? 0.01 * kept[i] + 0.001 : 1;
        ebb_split_add(&split, kept[i], taken[i]);
        double a = 0, b = 0;
        for (int k = i > 374 ? i - 374 : 0; k <= i; k++) {
            a += kept[k];
            b += taken[k];
        }
        REQUIRE_NEAR(ebb_split_db(&split), 10 * log10(a / b), 1e-9, "split");
    }
    static struct ebb_split edge;
    ebb_split_add(&edge, 1, 0);
    REQUIRE_NEAR(ebb_split_db(&edge), 100, 1e-9, "nothing taken");
    edge.count = 0;
    ebb_split_add(&edge, 0, 1);
    REQUIRE_NEAR(ebb_split_db(&edge), -100, 1e-9, "nothing kept");
}

static bool remember(void *user, double fraction)
{
    *(double *)user = fraction;
    return fraction < 0.5;
}

TEST(a_part_of_a_part_is_told_as_the_whole)
{
    double heard = -1;
    struct ebb_pulse pulse = {remember, &heard, 0, 1}, half = ebb_pulse_part(&pulse, 0.5, 1),
                     quarter = ebb_pulse_part(&half, 0, 0.5);
    REQUIRE(ebb_pulse_tell(&pulse, 0.25, NULL) == EBB_OK && heard == 0.25);
    REQUIRE(ebb_pulse_tell(&quarter, 0.5, NULL) == EBB_CANCELLED && heard == 0.625);
    struct ebb_pulse silent = {0};
    REQUIRE(ebb_pulse_tell(&silent, 0.9, NULL) == EBB_OK);
}

TEST_MAIN
