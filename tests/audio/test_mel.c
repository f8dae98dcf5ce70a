#include "audio/mel.h"
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
    REQUIRE(ebb_mel_to_sound(mel, values, 10, false, 4, 1, y, 5000, NULL) == EBB_OK);
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
    } wrong[] = {{offsetof(struct ebb_mel_params, sample_rate), 0}, {offsetof(struct ebb_mel_params, n_fft), 2047},
                 {offsetof(struct ebb_mel_params, n_fft), 8},       {offsetof(struct ebb_mel_params, hop), 0},
                 {offsetof(struct ebb_mel_params, hop), 4096},      {offsetof(struct ebb_mel_params, n_mels), 0},
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

TEST_MAIN
