// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/grain.h"
#include "transforms.h"
#include "waves.h"
#include "test.h"

enum { bands = 128, hop = 512, bins = 1025 };

static void fill(float *values, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        values[i] = value;
}

// Mean and standard deviation of the transform's dB, bins 4 to 42, where all bands are equally wide; frames
// that see no end.
static void scatter(struct ebb_mel *mel, const float *x, size_t count, double *mean, double *deviation)
{
    size_t frames = ebb_mel_frames(mel, count);
    float *db = calloc(frames * bins, sizeof(float));
    double sum = 0, squares = 0, cells = 0;
    REQUIRE(db && ebb_mel_spectrogram(mel, x, count, db, NULL) == EBB_OK);
    for (size_t i = 4; i < 42; i++)
        for (size_t k = 6; k + 6 < frames; k++, cells++) {
            sum += db[i * frames + k];
            squares += db[i * frames + k] * db[i * frames + k];
        }
    *mean = sum / cells;
    *deviation = sqrt(squares / cells - *mean * *mean);
    free(db);
}

// A plain mel with grain is noise in every respect: Rayleigh's 5.6 dB of scatter, and its own mel is the one
// wanted.
TEST(a_plain_mel_becomes_noise)
{
    enum { frames = 250, n = (frames - 1) * hop };
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    static float values[bands * frames], again[bands * frames], x[n];
    double mean, plain, grainy;
    fill(values, bands * frames, 0);
    const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1};
    REQUIRE(ebb_mel_to_sound(mel, values, frames, &phases, x, n, NULL) == EBB_OK);
    scatter(mel, x, n, &mean, &plain);
    const struct ebb_mel_phases grained = {.iterations = 16, .seed = 1, .grain = true};
    REQUIRE(ebb_mel_to_sound(mel, values, frames, &grained, x, n, NULL) == EBB_OK);
    scatter(mel, x, n, &mean, &grainy);
    printf("# scatter %.2f dB, with grain %.2f dB\n", plain, grainy);
    REQUIRE(plain < 3);
    REQUIRE_NEAR(grainy, 5.57, 0.5, "scatter");

    REQUIRE(ebb_mel_analyse(mel, x, n, again, NULL) == EBB_OK);
    for (size_t band = 0; band < bands; band += 32) {
        double off = 0;
        for (size_t i = 0; i < 32; i++)
            for (size_t k = 6; k + 6 < frames; k++)
                off += again[(band + i) * frames + k] * 50 / (32.0 * (frames - 12));
        REQUIRE_NEAR(off, 0, 0.5, "mean of the mel's dB over 32 bands");
    }
    ebb_mel_destroy(&mel);
}

// Of the energy around `at`, without what comes back after 16 samples: the part within 128 of it.
static double sharpness(const float *x, int at)
{
    double near = 0, far = 0;
    for (int i = at - 2048; i < at + 2048; i++) {
        float y = 2 * x[i] - x[i - 16] - x[i + 16];
        *(abs(i - at) < 128 ? &near : &far) += y * y;
    }
    return near / (near + far);
}

// A tone in quiet noise, and a click: the same as without grain, which is what the quiet noise gets.
TEST(what_stands_out_stays)
{
    enum { frames = 60, n = (frames - 1) * hop, click = 15000 };
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    static float values[bands * frames], x[2][n], db[2][bins * frames];
    fill_noise(x[0], n, 5, 0.001f);
    fill_sine(x[1], n, 3000, 48000, 0.3);
    for (int i = 0; i < n; i++)
        x[0][i] += x[1][i];
    x[0][click] += 8;
    REQUIRE(ebb_mel_analyse(mel, x[0], n, values, NULL) == EBB_OK);
    for (int grain = 0; grain < 2; grain++) {
        const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1, .grain = grain};
        REQUIRE(ebb_mel_to_sound(mel, values, frames, &phases, x[grain], n, NULL) == EBB_OK);
        REQUIRE(ebb_mel_spectrogram(mel, x[grain], n, db[grain], NULL) == EBB_OK);
    }
    double tone = 0, floor = 0;
    for (size_t k = 6; k + 6 < frames; k++) {
        tone = larger(tone, fabsf(db[1][128 * frames + k] - db[0][128 * frames + k]));
        floor = larger(floor, fabsf(db[1][800 * frames + k] - db[0][800 * frames + k]));
    }
    printf("# the tone differs by %.3f dB, the floor by %.1f dB\n", tone, floor);
    REQUIRE(tone < 0.2 && floor > 3);
    printf("# the click: %.3f of its energy within 128 samples, %.3f without grain\n", sharpness(x[1], click),
           sharpness(x[0], click));
    REQUIRE_NEAR(sharpness(x[1], click), sharpness(x[0], click), 0.05, "the click");
    REQUIRE(sharpness(x[1], click) > 0.7);
    ebb_mel_destroy(&mel);
}

// Two pieces that share frames share their noise, sample by sample, whatever was there before.
TEST(pieces_have_one_noise)
{
    enum { frames = 30, later = 10, n = (frames + 3) * hop };
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    struct ebb_phase *phase = ebb_phase_create(mel->stft, frames);
    static float values[bands * frames], x[n];
    fill(values, bands * frames, 0);
    for (int piece = 0; piece < 3; piece++) {
        struct ebb_phase_span span = ebb_phase_piece(phase, frames);
        struct ebb_mel_image image = {values, frames, 0, piece == 2 ? 8 : 7, piece ? 1000 + later : 1000,
                                      NULL};
        fill(phase->magnitude, frames * mel->stft->real_stride, 1);
        start_at_random(phase, &span, (uint64_t)piece);
        ebb_mel_grain(mel, phase, &span, &image);
        ebb_phase_synthesise(phase, &span);
        size_t shared = (frames - later - 6) * hop;
        const float *there = x + (later + 3) * hop, *here = phase->signal + 3 * hop;
        if (piece == 0)
            memcpy(x, phase->signal, sizeof(x));
        else if (piece == 1)
            REQUIRE_NEAR(max_difference(here, there, shared), 0, 1e-6, "the noise of both");
        else
            REQUIRE(max_difference(here, there, shared) > 0.01);
    }
    ebb_phase_destroy(&phase);
    ebb_mel_destroy(&mel);
}

TEST(fixed_frames_stay)
{
    enum { frames = 20 };
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    struct ebb_phase *phase = ebb_phase_create(mel->stft, frames);
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    static float values[bands * frames];
    span.fixed_before = 3;
    span.fixed_after = 2;
    fill(phase->bins, frames * mel->stft->bin_stride, 1);
    fill(phase->magnitude, frames * mel->stft->real_stride, 2);
    ebb_mel_grain(mel, phase, &span, &(struct ebb_mel_image){.values = values, .frames = frames});
    for (size_t k = 0; k < frames; k++) {
        bool fixed = k < 3 || k >= frames - 2;
        REQUIRE((phase->bins[k * mel->stft->bin_stride + 500] == 1) == fixed);
        REQUIRE((phase->magnitude[k * mel->stft->real_stride + 500] == 2) == fixed);
    }
    ebb_phase_destroy(&phase);
    ebb_mel_destroy(&mel);
}

TEST_MAIN
