// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/resample.h>

#include "waves.h"
#include "test.h"

#include <ebb/audio.h>

// The odd one has no small ratio to 48000: the filter is interpolated.
static const int rates[] = {8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000, 44101};
enum { rate_count = sizeof(rates) / sizeof(rates[0]) };

// A sine at `hz` resampled in odd pieces: every sample where the sine itself would have it, ends included a
// little less.
static void check_sine(int from, int to)
{
    double hz = 997;
    size_t count = (size_t)from / 2 + 17, want = ebb_resample_length(count, from, to), got = 0;
    struct ebb_resampler *resampler = ebb_resampler_create(from, to, 2, NULL);
    REQUIRE(resampler);
    float *in = calloc(count, 2 * sizeof(float)), *out = calloc(want + 1, 2 * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        in[2 * i] = (float)(0.5 * sin(2 * M_PI * hz * (double)i / from));
        in[2 * i + 1] = (float)(0.5 * cos(2 * M_PI * hz * (double)i / from));
    }
    for (size_t at = 0, piece = 1; at < count; at += piece, piece = piece * 3 % 1009) {
        piece = piece > count - at ? count - at : piece;
        REQUIRE(ebb_resampler_write(resampler, in + 2 * at, piece, NULL) == EBB_OK);
        got += ebb_resampler_read(resampler, out + 2 * got, want - got);
    }
    REQUIRE(ebb_resampler_finish(resampler, EBB_RESAMPLE_EXACT, NULL) == EBB_OK);
    REQUIRE(ebb_resampler_available(resampler) == want - got);
    ebb_resampler_read(resampler, out + 2 * got, want - got);

    size_t edge = (size_t)to / 20;
    for (size_t i = edge; i < want - edge; i++) {
        REQUIRE_NEAR(out[2 * i], 0.5 * sin(2 * M_PI * hz * (double)i / to), 3e-5, "sine");
        REQUIRE_NEAR(out[2 * i + 1], 0.5 * cos(2 * M_PI * hz * (double)i / to), 3e-5, "cosine");
    }
    free(in);
    free(out);
    ebb_resampler_destroy(&resampler);
}

TEST(a_sine_stays_where_it_is)
{
    for (int i = 0; i < rate_count; i++) {
        check_sine(rates[i], 48000);
        check_sine(48000, rates[i]);
    }
}

TEST(there_and_back_has_the_same_length)
{
    for (int i = 0; i < rate_count; i++)
        for (size_t count = 1; count < 3000; count += 271) {
            struct ebb_resampler *there = ebb_resampler_create(rates[i], 48000, 1, NULL);
            struct ebb_resampler *back = ebb_resampler_create(48000, rates[i], 1, NULL);
            static float in[3000], middle[20000], out[4000];
            fill_noise(in, count, count, 1);
            REQUIRE(ebb_resampler_write(there, in, count, NULL) == EBB_OK);
            REQUIRE(ebb_resampler_finish(there, EBB_RESAMPLE_EXACT, NULL) == EBB_OK);
            size_t got = ebb_resampler_read(there, middle, 20000);
            REQUIRE(got == ebb_resample_length(count, rates[i], 48000));
            REQUIRE(ebb_resampler_write(back, middle, got, NULL) == EBB_OK);
            REQUIRE(ebb_resampler_finish(back, count, NULL) == EBB_OK);
            REQUIRE(ebb_resampler_read(back, out, 4000) == count);
            ebb_resampler_destroy(&there);
            ebb_resampler_destroy(&back);
        }
}

TEST(latency_is_kept)
{
    for (int i = 0; i < rate_count; i++) {
        struct ebb_resampler *resampler = ebb_resampler_create(rates[i], 48000, 1, NULL);
        size_t latency = ebb_resampler_latency(resampler), ready = 0;
        printf("# %d -> 48000: %zu frames, %.1f ms\n", rates[i], latency,
               1000.0 * (double)latency / rates[i]);
        static float in[64], out[100000];
        for (size_t n = 1; n < 4000; n++) {
            REQUIRE(ebb_resampler_write(resampler, in, 37, NULL) == EBB_OK);
            ready += ebb_resampler_read(resampler, out, 100000);
            double answered = (double)ready * rates[i] / 48000;
            REQUIRE((double)(n * 37) - answered <= (double)latency + 37);
        }
        ebb_resampler_destroy(&resampler);
    }
}

// Level of a full-scale sine of `hz` after conversion, in dB, ends left out.
static double level_after(int from, int to, double hz)
{
    static float in[96000], out[200000];
    struct ebb_resampler *resampler = ebb_resampler_create(from, to, 1, NULL);
    fill_sine(in, (size_t)from / 2, hz, from, 1);
    REQUIRE(ebb_resampler_write(resampler, in, (size_t)from / 2, NULL) == EBB_OK);
    size_t got = ebb_resampler_read(resampler, out, 200000), edge = (size_t)to / 20;
    double sum = 0;
    REQUIRE(got > 2 * edge);
    for (size_t i = edge; i < got - edge; i++)
        sum += (double)out[i] * out[i];
    ebb_resampler_destroy(&resampler);
    return 10 * log10(2 * sum / (double)(got - 2 * edge) + 1e-30);
}

TEST(what_fits_passes_and_what_does_not_is_gone)
{
    for (int i = 0; i < rate_count; i++)
        for (int back = 0; back < 2; back++) {
            int from = back ? 48000 : rates[i], to = back ? rates[i] : 48000, lower = from < to ? from : to;
            REQUIRE_NEAR(level_after(from, to, 0.45 * lower), 0, 0.05, "pass band");
            if (from > to)
                REQUIRE(level_after(from, to, 0.505 * lower) < -80);
        }
}

TEST(rates_far_apart_are_bounded)
{
    static const float in[4000];
    struct ebb_error error = {0};
    REQUIRE(!ebb_resampler_create(1000000, 999, 1, &error));
    REQUIRE(error.code == EBB_INVALID && strstr(error.message, "1000000 Hz to 999 Hz"));
    static const int far[][2] = {{1000000, 1000}, {1, 1000}, {999983, 48000}, {768000, 1000}};
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        struct ebb_resampler *resampler = ebb_resampler_create(far[i][0], far[i][1], 2, NULL);
        REQUIRE(resampler);
        REQUIRE(ebb_resampler_write(resampler, in, 2000, NULL) == EBB_OK);
        REQUIRE(ebb_resampler_finish(resampler, EBB_RESAMPLE_EXACT, NULL) == EBB_OK);
        REQUIRE(ebb_resampler_available(resampler) == ebb_resample_length(2000, far[i][0], far[i][1]));
        ebb_resampler_destroy(&resampler);
    }
}

// The last sample of a constant is the constant's half or more: what the filter held came out.
TEST(the_end_comes_out)
{
    static float in[4410], out[4800];
    for (int i = 0; i < 4410; i++)
        in[i] = 1;
    struct ebb_resampler *resampler = ebb_resampler_create(44100, 48000, 1, NULL);
    REQUIRE(ebb_resampler_write(resampler, in, 4410, NULL) == EBB_OK);
    REQUIRE(ebb_resampler_finish(resampler, EBB_RESAMPLE_EXACT, NULL) == EBB_OK);
    REQUIRE(ebb_resampler_read(resampler, out, 4800) == 4800);
    REQUIRE(out[0] > 0.5f && out[4799] > 0.5f);
    REQUIRE_NEAR(out[2400], 1, 1e-5, "the middle");
    ebb_resampler_destroy(&resampler);
}

TEST(a_sound_is_resampled_in_place)
{
    struct ebb_sound sound = {.samples = calloc(44100, 8 * sizeof(float)),
                              .frames = 44100,
                              .channels = 8,
                              .rate = 44100};
    REQUIRE(ebb_sound_resample(&sound, 48000, NULL) == EBB_OK);
    REQUIRE(sound.frames == 48000 && sound.rate == 48000 && sound.channels == 8);
    struct ebb_error error = {0};
    REQUIRE(ebb_sound_resample(&sound, 0, &error) == EBB_INVALID);
    REQUIRE(sound.frames == 48000 && strstr(error.message, "0 Hz"));
    ebb_sound_clear(&sound);
}

TEST_MAIN
