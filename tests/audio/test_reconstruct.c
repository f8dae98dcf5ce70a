// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/phase_reconstruct.h"
#include "transforms.h"
#include "waves.h"
#include "test.h"

enum { bands = 128, hop = 512, frames = 60, n = (frames - 1) * hop };

static float x[n], y[n], values[bands * frames], again[bands * frames];

// A sound's own bins and a mel twice as strong: magnitudes double, less where the cell is noise; fixed frames
// stay.
TEST(a_correction_gives_bands_what_they_lack)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    struct ebb_phase *phase = ebb_phase_create(mel->stft, frames);
    size_t stride = mel->stft->real_stride;
    fill_noise(x, n, 5, 0.2f);
    REQUIRE(ebb_mel_analyse(mel, x, n, values, NULL) == EBB_OK);
    for (size_t i = 0; i < bands * frames; i++)
        values[i] += 20 * log10f(2) / (float)mel->params.db_range;
    transform_all(mel->stft, x, n, phase->bins);
    for (size_t i = 0; i < frames * stride; i++) {
        phase->magnitude[i] = 1;
        phase->noise[i] = i / stride < 20 ? 0 : i / stride < 40 ? 0.25f : 1;
    }
    struct ebb_phase_span span = ebb_phase_whole(phase, frames, n);
    span.fixed_before = 3;
    ebb_mel_correct(mel, phase, &span, &(struct ebb_mel_image){.values = values, .frames = frames});
    for (size_t k = 0; k < frames; k++)
        for (size_t i = 1; i < 1024; i += 31) {
            float want = k < 3 ? 1 : k < 20 ? 2 : k < 40 ? 1.75f : 1;
            REQUIRE_NEAR(phase->magnitude[k * stride + i], want, 2e-3, "a magnitude");
        }
    ebb_phase_destroy(&phase);
    ebb_mel_destroy(&mel);
}

// A band that is asked for where there is nothing, or nothing where there is something, moves by 10 dB at
// most.
TEST(a_correction_is_bounded)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    struct ebb_phase *phase = ebb_phase_create(mel->stft, frames);
    size_t stride = mel->stft->real_stride;
    for (int loud = 0; loud < 2; loud++) {
        fill_noise(x, n, 5, loud ? 1e-4f : 0.2f);
        for (size_t i = 0; i < bands * frames; i++)
            values[i] = loud ? 1 : -1;
        transform_all(mel->stft, x, n, phase->bins);
        for (size_t i = 0; i < frames * stride; i++)
            phase->magnitude[i] = 1;
        struct ebb_phase_span span = ebb_phase_whole(phase, frames, n);
        ebb_mel_correct(mel, phase, &span, &(struct ebb_mel_image){.values = values, .frames = frames});
        for (size_t i = 1; i < 1024; i += 31)
            REQUIRE_NEAR(phase->magnitude[30 * stride + i], loud ? sqrt(10) : sqrt(0.1), 1e-3, "a magnitude");
    }
    ebb_phase_destroy(&phase);
    ebb_mel_destroy(&mel);
}

static double mel_error(void)
{
    double sum = 0, heard = 0;
    for (size_t i = 0; i < bands * frames; i++)
        if (values[i] > -0.5f) {
            sum += fabsf(values[i] - again[i]) * 50;
            heard++;
        }
    return sum / heard;
}

// Clicks and a tone in noise, 16 iterations: nearer to the mel asked for than by as many iterations alone.
TEST(corrections_come_nearer_to_the_mel)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    struct ebb_phase *phase = ebb_phase_create(mel->stft, frames);
    static float magnitude[1025 * frames];
    size_t stride = mel->stft->real_stride;
    fill_noise(x, n, 5, 0.02f);
    fill_sine(y, n, 3000, 48000, 0.3);
    for (int i = 0; i < n; i++)
        x[i] += (i > n / 2 ? y[i] : 0) + (i % 7001 == 3000 ? 0.9f : 0);
    REQUIRE(ebb_mel_analyse(mel, x, n, values, NULL) == EBB_OK);
    REQUIRE(ebb_mel_to_magnitude(mel, values, frames, magnitude, NULL) == EBB_OK);
    for (size_t i = 0; i < 1025 * frames; i++)
        phase->magnitude[i % frames * stride + i / frames] = magnitude[i];

    struct ebb_phase_span span = ebb_phase_whole(phase, frames, n);
    ebb_phase_integrate(phase, &span, 1, 0);
    ebb_phase_iterate(phase, &span, 16);
    ebb_phase_synthesise(phase, &span);
    REQUIRE(ebb_mel_analyse(mel, phase->signal + span.support_from, n, again, NULL) == EBB_OK);
    double alone = mel_error();

    const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1};
    REQUIRE(ebb_mel_to_sound(mel, values, frames, &phases, y, n, NULL) == EBB_OK);
    REQUIRE(ebb_mel_analyse(mel, y, n, again, NULL) == EBB_OK);
    double corrected = mel_error();
    printf("# mean error of the mel %.3f dB, %.3f dB by iterations alone\n", corrected, alone);
    REQUIRE(corrected < 0.9 * alone);
    ebb_phase_destroy(&phase);
    ebb_mel_destroy(&mel);
}

TEST_MAIN
