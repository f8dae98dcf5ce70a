// SPDX-License-Identifier: LGPL-2.1-or-later
// How much what is kept is like a voice: against its definition, and of sounds whose answer is known.
#include <stdlib.h>

#include "denoise/voice.h"
#include "test.h"

enum { RATE = 48000, BANDS = 128, FRAMES = 600 };

static struct ebb_mel *usual_mel(void)
{
    struct ebb_mel_params params;
    ebb_mel_params_default(&params);
    struct ebb_error error;
    struct ebb_mel *mel = ebb_mel_create(&params, &error);
    REQUIRE(mel);
    return mel;
}

static double noise(void)
{
    static uint32_t state = 7;
    state = state * 1664525u + 1013904223u;
    return (state >> 8) * 0x1p-23 - 1;
}

// A band's middle on Slaney's scale.
static double middle(int band)
{
    double mel = (15 + log(24) * 27 / log(6.4)) * (band + 1) / (BANDS + 1);
    return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

// The definition, written out, over the last `n` of the frames (n, BANDS).
static double likeness_by_loops(const float *kept, int n)
{
    static double loud[FRAMES];
    double mean = 0, spread = 0, moved = 0, sum = 0, all = 0;
    for (int i = 0; i < n; i++) {
        const float *k = kept + i * BANDS;
        double frame = 0, speech = 0, level[31], ripple[31], most = -1e9, power = 1, best = -1;
        for (int b = 0; b < BANDS; b++) {
            frame += k[b];
            speech += middle(b) >= 200 && middle(b) < 4000 ? k[b] : 0;
        }
        for (int b = 0; b < 31; b++)
            most = fmax(most, level[b] = 10 * log10(k[b]));
        for (int b = 0; b < 31; b++) {
            ripple[b] = fmax(level[b], most - 40);
            for (int near = -3; near <= 3; near++)
                ripple[b] -= fmax(level[(int)fmin(fmax(b + near, 0), 30)], most - 40) / 7;
            power += ripple[b] * ripple[b] / 31;
        }
        for (int lag = 3; lag <= 12; lag++) {
            double product = 0;
            for (int b = lag; b < 31; b++)
                product += ripple[b] * ripple[b - lag] / (31 - lag);
            best = fmax(best, product / power);
        }
        sum += best * frame;
        all += frame;
        loud[i] = pow(speech, 0.3);
        mean += loud[i] / n;
    }
    for (int i = 0; i < n; i++)
        spread += pow(loud[i] - mean, 2) / n;
    for (int i = 12; i < n; i++)
        moved += pow(loud[i] - loud[i - 12], 2) / (n - 12);
    return sum / all + 0.22 * fmin(moved / (2 * spread), 1);
}

TEST(likeness_is_its_definition)
{
    static float kept[FRAMES * BANDS];
    struct ebb_mel *mel = usual_mel();
    static struct ebb_voice voice;
    ebb_voice_init(&voice, mel);
    REQUIRE(ebb_voice_likeness(&voice) == 0);
    for (int i = 0; i < FRAMES; i++) {
        for (int b = 0; b < BANDS; b++)
            kept[i * BANDS + b] = (float)pow(10, -4 + 2 * noise() + sin(i / 25.0) +
                                                     (b % 5 == i / 100 % 5 ? 2 : 0));
        ebb_voice_add(&voice, kept + i * BANDS, kept + i * BANDS);
        int n = i + 1 < EBB_SNR_FRAMES ? i + 1 : EBB_SNR_FRAMES;
        if (i < 14)
            REQUIRE(ebb_voice_likeness(&voice) == 0);
        else if (i % 41 == 0 || i == FRAMES - 1)
            REQUIRE_NEAR(ebb_voice_likeness(&voice), likeness_by_loops(kept + (i + 1 - n) * BANDS, n), 1e-6,
                         "likeness");
    }
    ebb_voice_reset(&voice);
    REQUIRE(ebb_voice_likeness(&voice) == 0);
    ebb_mel_destroy(&mel);
}

// Of 4 s of a sound, at a level.
static double likeness_of(float (*sample)(double seconds), float level)
{
    struct ebb_mel *mel = usual_mel();
    static struct ebb_voice voice;
    float *bins = ebb_stft_alloc_bins(mel->stft, 1), window[2048], power[BANDS];
    REQUIRE(bins);
    ebb_voice_init(&voice, mel);
    for (int frame = 0; frame < EBB_SNR_FRAMES; frame++) {
        static float sound[4 * RATE + 2048];
        if (frame == 0)
            for (int i = 0; i < 4 * RATE + 2048; i++)
                sound[i] = level * sample((double)i / RATE);
        memcpy(window, sound + frame * 512, sizeof(window));
        ebb_stft_frame(mel->stft, window, bins);
        ebb_mel_power(mel, bins, power);
        ebb_voice_add(&voice, power, power);
    }
    free(bins);
    ebb_mel_destroy(&mel);
    return ebb_voice_likeness(&voice);
}

static float syllables(double s)
{
    double sum = 0;
    for (int k = 1; k < 20; k++)
        sum += sin(2 * M_PI * 150 * k * s) / k;
    return (float)(sum * fmax(0, sin(2 * M_PI * 3 * s)));
}

static float hiss(double s)
{
    return (float)noise() + 0 * (float)s;
}

static float clicks(double s)
{
    return fmod(s, 0.4) < 0.02 ? (float)noise() : 0;
}

static float whistle(double s)
{
    return (float)sin(2 * M_PI * 700 * s);
}

static float nothing(double s)
{
    return 0 * (float)s;
}

TEST(a_voice_is_told_from_other_sounds_at_any_level)
{
    const float levels[] = {1, 1e-4f};
    for (int i = 0; i < 2; i++) {
        double voice = likeness_of(syllables, levels[i]);
        REQUIRE(voice > 0.8 && voice < 2);
        REQUIRE_NEAR(voice, likeness_of(syllables, 0.1f), 1e-3, "whatever the level");
        REQUIRE(likeness_of(hiss, levels[i]) < 0.65);
        REQUIRE(likeness_of(clicks, levels[i]) < 0.65);
        REQUIRE(likeness_of(whistle, levels[i]) < 0.65);
    }
    REQUIRE(isfinite(likeness_of(nothing, 1)) && likeness_of(nothing, 1) < 0.65);
}

// What is taken counts from 200 Hz to 4 kHz, whatever is kept; old frames are forgotten.
TEST(what_is_taken_lies_beside_speech_or_not)
{
    struct ebb_mel *mel = usual_mel();
    static struct ebb_voice voice;
    ebb_voice_init(&voice, mel);
    REQUIRE(ebb_voice_beside_db(&voice) == -100);
    float kept[BANDS], taken[BANDS];
    for (int i = 0; i < 2 * EBB_SNR_FRAMES; i++) {
        double all = 0, beside = 0;
        for (int b = 0; b < BANDS; b++) {
            kept[b] = (float)(1 + noise());
            taken[b] = i < EBB_SNR_FRAMES ? 1 : b < 5 ? 100 : 0.5f;
            all += taken[b];
            beside += middle(b) >= 200 && middle(b) < 4000 ? taken[b] : 0;
        }
        ebb_voice_add(&voice, kept, taken);
        if (i == EBB_SNR_FRAMES - 1 || i == 2 * EBB_SNR_FRAMES - 1)
            REQUIRE_NEAR(ebb_voice_beside_db(&voice), 10 * log10(beside / all), 1e-6, "beside");
    }
    REQUIRE(ebb_voice_beside_db(&voice) < -10);
    ebb_mel_destroy(&mel);
}

TEST(what_is_taken_goes_with_what_is_kept_or_not)
{
    struct ebb_mel *mel = usual_mel();
    static struct ebb_voice voice;
    const double expected[] = {1, -1, 0, 0};
    for (int way = 0; way < 4; way++) {
        ebb_voice_init(&voice, mel);
        REQUIRE(ebb_voice_together(&voice) == 0);
        for (int i = 0; i < 400; i++) {
            float kept[BANDS], taken[BANDS];
            double loud = 1 + 0.5 * sin(2 * M_PI * i / 25), other = 1 + 0.5 * cos(2 * M_PI * i / 25);
            for (int b = 0; b < BANDS; b++) {
                kept[b] = (float)pow(loud, 1 / 0.3);
                taken[b] = (float)(0.01 * pow(way == 0   ? loud
                                              : way == 1 ? 2 - loud
                                              : way == 2 ? other
                                                         : 1,
                                              1 / 0.3));
            }
            ebb_voice_add(&voice, kept, taken);
        }
        REQUIRE_NEAR(ebb_voice_together(&voice), expected[way], 1e-4, "together");
    }
    ebb_mel_destroy(&mel);
}

// A mel with few bands below 1 kHz shows no harmonics: there the pace alone counts.
TEST(a_coarse_mel_shows_no_harmonics)
{
    struct ebb_mel_params params;
    ebb_mel_params_default(&params);
    params.n_mels = 16;
    struct ebb_error error;
    struct ebb_mel *mel = ebb_mel_create(&params, &error);
    REQUIRE(mel);
    static struct ebb_voice voice;
    ebb_voice_init(&voice, mel);
    float kept[16];
    for (int i = 0; i < 200; i++) {
        for (int b = 0; b < 16; b++)
            kept[b] = b % 2 ? 1 : 1e-3f;
        ebb_voice_add(&voice, kept, kept);
    }
    REQUIRE(ebb_voice_likeness(&voice) == 0);
    ebb_mel_destroy(&mel);
}

TEST_MAIN
