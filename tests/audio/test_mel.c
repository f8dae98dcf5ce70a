// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/mel_coding.h"
#include <ebb/audio.h>
#include <stdlib.h>
#include <unistd.h>
#include "waves.h"
#include "test.h"

TEST(a_full_scale_sine_reads_0_dB)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    REQUIRE(mel);
    static float x[8192], db[1025 * 17];
    fill_sine(x, 8192, 48000.0 * 100 / 2048, 48000, 1);
    REQUIRE(ebb_mel_frames(mel, 8192) == 17);
    REQUIRE(ebb_mel_spectrogram(mel, x, 8192, db, NULL) == EBB_OK);
    REQUIRE_NEAR(db[100 * 17 + 8], 0, 1e-4, "the sine's bin");
    REQUIRE_NEAR(db[101 * 17 + 8], -6.0206, 1e-3, "the bin beside it");
    REQUIRE(db[300 * 17 + 8] < -110);
    ebb_mel_destroy(&mel);
    REQUIRE(mel == NULL);
}

TEST(silence_is_minus_one)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    static float x[5000], values[128 * 10], magnitude[1025 * 10], y[5000];
    REQUIRE(ebb_mel_analyse(mel, x, 5000, values, NULL) == EBB_OK);
    for (int i = 0; i < 128 * 10; i++)
        REQUIRE(values[i] == -1);
    REQUIRE(ebb_mel_to_magnitude(mel, values, 10, magnitude, NULL) == EBB_OK);
    for (int i = 0; i < 1025 * 10; i++)
        REQUIRE(magnitude[i] == 0);
    const struct ebb_mel_phases phases = {.iterations = 4, .seed = 1};
    REQUIRE(ebb_mel_to_sound(mel, values, 10, &phases, y, 5000, NULL) == EBB_OK);
    for (int i = 0; i < 5000; i++)
        REQUIRE(y[i] == 0);
    ebb_mel_destroy(&mel);
}

TEST(magnitudes_have_the_mel_they_came_from)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    static float x[48000], values[128 * 94], magnitude[1025 * 94], power[128], bins[2050];
    fill_noise(x, 48000, 5, 0.3f);
    for (int i = 24000; i < 48000; i++) // and something with steep sides
        x[i] = 0.001f * x[i] + 0.5f * (float)sin(i * 0.2);
    REQUIRE(ebb_mel_analyse(mel, x, 48000, values, NULL) == EBB_OK);
    REQUIRE(ebb_mel_to_magnitude(mel, values, 94, magnitude, NULL) == EBB_OK);
    double sum = 0;
    int cells = 0;
    for (int k = 0; k < 94; k++) {
        for (int b = 0; b < 1025; b++) {
            REQUIRE(magnitude[b * 94 + k] >= 0);
            bins[2 * b] = magnitude[b * 94 + k];
        }
        ebb_mel_power(mel, bins, power);
        for (int band = 0; band < 128; band++)
            if (values[band * 94 + k] > -0.8f) {
                sum += fabs(ebb_mel_value(mel, power[band]) - values[band * 94 + k]) * 50;
                cells++;
            }
    }
    REQUIRE_NEAR(sum / cells, 0, 0.5, "mean error in dB");
    ebb_mel_destroy(&mel);
}

TEST(a_gain_spreads_over_the_bins)
{
    struct ebb_mel_params params;
    ebb_mel_params_default(&params);
    params.fmin = 300;
    params.fmax = 8000;
    struct ebb_mel *mel = ebb_mel_create(&params, NULL);
    float gain[128], bins[1025];
    for (int i = 0; i < 128; i++)
        gain[i] = 1;
    ebb_mel_spread(mel, gain, bins);
    for (int k = 0; k < 1025; k++)
        REQUIRE(bins[k] == 1);
    for (int i = 0; i < 128; i++)
        gain[i] = (float)i / 127;
    ebb_mel_spread(mel, gain, bins);
    REQUIRE_NEAR(bins[0], 0, 1e-6, "below the lowest band");
    REQUIRE_NEAR(bins[1024], 1, 1e-6, "above the highest");
    for (int k = 1; k < 1025; k++)
        REQUIRE(bins[k] >= bins[k - 1]);
    ebb_mel_destroy(&mel);
}

TEST(parameters_that_make_no_sense_are_refused)
{
    static const struct {
        size_t offset;
        int value;
    } wrong[] = {{offsetof(struct ebb_mel_params, sample_rate), 0},
                 {offsetof(struct ebb_mel_params, n_fft), 2047},
                 {offsetof(struct ebb_mel_params, n_fft), 8},
                 {offsetof(struct ebb_mel_params, hop), 0},
                 {offsetof(struct ebb_mel_params, hop), 4096},
                 {offsetof(struct ebb_mel_params, n_mels), 0},
                 {offsetof(struct ebb_mel_params, n_mels), 2000}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ebb_mel_params params;
        struct ebb_error error = {0};
        ebb_mel_params_default(&params);
        memcpy((char *)&params + wrong[i].offset, &wrong[i].value, sizeof(int));
        REQUIRE(!ebb_mel_create(&params, &error));
        REQUIRE(error.code == EBB_INVALID && strstr(error.message, "mel"));
    }
    struct ebb_mel_params params;
    ebb_mel_params_default(&params);
    params.fmax = NAN;
    REQUIRE(!ebb_mel_create(&params, NULL));
}

// Piece by piece is all at once: the same frames, bit for bit, at any rate and hop.
TEST(the_mel_of_a_file_is_that_of_its_sound)
{
    static const struct {
        size_t frames;
        int rate, channels, n_fft, hop;
        enum ebb_mel_coding coding;
    } rows[] = {
        {100000, 48000, 1, 2048, 512, EBB_MEL_CODING_ABSOLUTE},
        {70000, 44100, 2, 2048, 512, EBB_MEL_CODING_DIFFUSERS},
        {5000, 8000, 3, 1024, 1000, EBB_MEL_CODING_ABSOLUTE},
        {40000, 96000, 1, 512, 7, EBB_MEL_CODING_ABSOLUTE},
        {1, 48000, 1, 2048, 512, EBB_MEL_CODING_ABSOLUTE},
        {90000, 48000, 1, 65536, 65536, EBB_MEL_CODING_ABSOLUTE},
    };
    static float samples[140000];
    char path[] = "/tmp/ebb-mel-XXXXXX";
    REQUIRE(mkstemp(path) >= 0);
    fill_noise(samples, 140000, 9, 0.5f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ebb_sound s = {.samples = samples,
                              .frames = rows[i].frames,
                              .channels = rows[i].channels,
                              .rate = rows[i].rate};
        struct ebb_mel_params params;
        struct ebb_mel_values got;
        ebb_mel_params_default(&params);
        params.n_fft = rows[i].n_fft;
        params.hop = rows[i].hop;
        params.coding = rows[i].coding;
        struct ebb_mel *mel = ebb_mel_create(&params, NULL);
        REQUIRE(mel && ebb_sound_write(path, &s, EBB_WAV_32F, NULL) == EBB_OK);
        REQUIRE(ebb_mel_read(mel, path, &got, NULL) == EBB_OK && !got.warning);
        REQUIRE(ebb_sound_read(path, &s, NULL) == EBB_OK);
        for (size_t k = 0; k < s.frames; k++) {
            double sum = 0;
            for (int c = 0; c < s.channels; c++)
                sum += (double)s.samples[k * (size_t)s.channels + (size_t)c];
            s.samples[k] = (float)(sum / s.channels);
        }
        s.channels = 1;
        REQUIRE(ebb_sound_resample(&s, params.sample_rate, NULL) == EBB_OK);
        size_t frames = ebb_mel_frames(mel, s.frames);
        float *want = malloc(frames * (size_t)params.n_mels * sizeof(float));
        REQUIRE(ebb_mel_analyse(mel, s.samples, s.frames, want, NULL) == EBB_OK);
        if (got.frames != frames ||
            memcmp(want, got.values, frames * (size_t)params.n_mels * sizeof(float)) != 0)
            TEST_FAIL("row %zu: %zu frames, expected %zu", i, got.frames, frames);
        free(want);
        ebb_sound_clear(&s);
        ebb_mel_values_clear(&got);
        ebb_mel_destroy(&mel);
    }
    unlink(path);
}

TEST(a_mel_out_of_all_proportion_is_refused)
{
    static float samples[20000];
    char path[] = "/tmp/ebb-mel-XXXXXX";
    struct ebb_error error = {0};
    struct ebb_mel_values got;
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    REQUIRE(mkstemp(path) >= 0 && mel);
    struct ebb_sound s = {.samples = samples, .frames = 20000, .channels = 1, .rate = 1};
    REQUIRE(ebb_sound_write(path, &s, EBB_WAV_16, NULL) == EBB_OK);
    REQUIRE(ebb_mel_read(mel, path, &got, &error) == EBB_UNSUPPORTED &&
            strstr(error.message, "expected 1000"));
    s.rate = 1000;
    REQUIRE(ebb_sound_write(path, &s, EBB_WAV_16, NULL) == EBB_OK);
    setenv("EBB_MEMORY", "1M", 1);
    REQUIRE(ebb_mel_read(mel, path, &got, &error) == EBB_UNSUPPORTED && strstr(error.message, "EBB_MEMORY"));
    unsetenv("EBB_MEMORY");
    REQUIRE(ebb_mel_read(mel, path, &got, &error) == EBB_OK && got.frames == 1876);
    ebb_mel_values_clear(&got);
    ebb_mel_destroy(&mel);
    unlink(path);
}

TEST_MAIN
