// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/audio.h>
#include <ebb/mel.h>

#include "transforms.h"
#include "waves.h"
#include "test.h"

static double convergence_after(int iterations, bool gradient)
{
    struct ebb_stft *stft = ebb_stft_create(2048, 2048, 512);
    static float x[48000];
    fill_noise(x, 48000, 9, 0.2f);
    for (int i = 0; i < 48000; i++)
        x[i] = x[i] * (float)exp(-i / 8000.0) + 0.3f * (float)sin(i * 0.1 + 3e-6 * i * i);
    size_t frames = ebb_stft_frames(stft, 48000);
    struct ebb_phase *phase = ebb_phase_create(stft, frames);
    struct ebb_phase_span span = ebb_phase_whole(phase, frames, 48000);
    transform_all(stft, x, 48000, phase->bins);
    for (size_t k = 0; k < frames; k++)
        for (int i = 0; i < stft->bins; i++) {
            const float *bin = phase->bins + k * stft->bin_stride + 2 * i;
            phase->magnitude[k * stft->real_stride + (size_t)i] = hypotf(bin[0], bin[1]);
        }
    if (gradient)
        ebb_phase_integrate(phase, &span, 1, 0);
    else
        start_at_random(phase, &span, 1);
    ebb_phase_iterate(phase, &span, iterations);
    ebb_phase_synthesise(phase, &span);
    double result = convergence_of(phase, &span);
    ebb_phase_destroy(&phase);
    ebb_stft_destroy(&stft);
    return result;
}

TEST(iterations_converge)
{
    double none = convergence_after(0, false), some = convergence_after(8, false),
           more = convergence_after(32, false);
    printf("# spectral convergence after 0, 8, 32: %.4f %.4f %.4f\n", none, some, more);
    REQUIRE(none > 0.4);
    REQUIRE(some < 0.5 * none);
    REQUIRE(more < 0.5 * some);
}

TEST(integration_is_a_better_start)
{
    double none = convergence_after(0, true), some = convergence_after(8, true);
    printf("# spectral convergence after 0, 8: %.4f %.4f\n", none, some);
    REQUIRE(none < 0.6 * convergence_after(0, false));
    REQUIRE(some < 0.8 * convergence_after(8, false));
}

// Where the magnitude says nothing, integration must not put a pulse into every window: energy is even over
// the hop.
TEST(flat_noise_does_not_buzz)
{
    enum { frames = 100, hop = 128, parts = 16 };
    struct ebb_stft *stft = ebb_stft_create(512, 512, hop);
    struct ebb_phase *phase = ebb_phase_create(stft, frames);
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    fill_noise(phase->magnitude, frames * stft->real_stride, 1, 0.01f);
    for (size_t i = 0; i < frames * stft->real_stride; i++)
        phase->magnitude[i] += 1;
    ebb_phase_integrate(phase, &span, 1, 0);
    ebb_phase_synthesise(phase, &span);
    double energy[parts] = {0}, total = 0;
    for (size_t i = 512; i < (frames - 4) * hop; i++) {
        energy[i % hop * parts / hop] += phase->signal[i] * phase->signal[i];
        total += phase->signal[i] * phase->signal[i];
    }
    for (int i = 0; i < parts; i++)
        REQUIRE_NEAR(energy[i] * parts / total, 1, 0.25, "share of a sixteenth of the hop");
    ebb_phase_destroy(&phase);
    ebb_stft_destroy(&stft);
}

// Held to the true phases of the frames before and after it, a tone runs on through the gap.
TEST(integration_starts_at_fixed_frames)
{
    enum { frames = 20, hop = 128, n = (frames + 3) * hop };
    struct ebb_stft *stft = ebb_stft_create(512, 512, hop);
    struct ebb_phase *phase = ebb_phase_create(stft, frames);
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    static float x[n];
    fill_sine(x, n, 0.0371, 1, 0.5);
    for (size_t k = 0; k < frames; k++) {
        float *bins = phase->bins + k * stft->bin_stride;
        ebb_stft_frame(stft, x + k * hop, bins);
        for (int i = 0; i < stft->bins; i++)
            phase->magnitude[k * stft->real_stride + (size_t)i] = hypotf(bins[2 * i], bins[2 * i + 1]);
        bool fixed = k < 3 || k >= frames - 3;
        memset(fixed ? phase->magnitude + k * stft->real_stride : bins, 0, stft->real_stride * sizeof(float));
    }
    span.fixed_before = span.fixed_after = 3;
    ebb_phase_integrate(phase, &span, 1, 0);
    ebb_phase_synthesise(phase, &span);
    REQUIRE_NEAR(max_difference(phase->signal + 512, x + 512, n - 1024), 0, 0.1, "the tone");
    ebb_phase_destroy(&phase);
    ebb_stft_destroy(&stft);
}

TEST(the_same_seed_makes_the_same_sound)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    static float x[20000], values[128 * 40], a[20000], b[20000];
    fill_noise(x, 20000, 1, 0.5f);
    REQUIRE(ebb_mel_analyse(mel, x, 20000, values, NULL) == EBB_OK);
    const struct ebb_mel_phases phases = {.iterations = 4, .seed = 7};
    REQUIRE(ebb_mel_to_sound(mel, values, 40, &phases, a, 20000, NULL) == EBB_OK);
    REQUIRE(ebb_mel_to_sound(mel, values, 40, &phases, b, 20000, NULL) == EBB_OK);
    REQUIRE(memcmp(a, b, sizeof(a)) == 0);
    const struct ebb_mel_phases others = {.iterations = 4, .seed = 8};
    REQUIRE(ebb_mel_to_sound(mel, values, 40, &others, b, 20000, NULL) == EBB_OK);
    REQUIRE(memcmp(a, b, sizeof(a)) != 0);
    struct ebb_error error = {0};
    REQUIRE(ebb_mel_to_sound(mel, values, 2, &others, b, 20000, &error) == EBB_INVALID);
    ebb_mel_destroy(&mel);
}

// A piece between two that are settled: their sound is kept, and across the joins it is as smooth as
// anywhere.
TEST(a_piece_goes_on_where_its_neighbours_end)
{
    enum { frames = 60, hop = 512, edge = 6, n = (frames + 3) * hop };
    struct ebb_stft *stft = ebb_stft_create(2048, 2048, hop);
    struct ebb_phase *phase = ebb_phase_create(stft, frames);
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    static float x[n], before[edge * 2050];
    fill_noise(x, n, 3, 0.3f);
    for (size_t k = 0; k < frames; k++) {
        float *bins = phase->bins + k * stft->bin_stride;
        ebb_stft_frame(stft, x + k * hop, bins);
        for (int i = 0; i < stft->bins; i++)
            phase->magnitude[k * stft->real_stride + (size_t)i] = hypotf(bins[2 * i], bins[2 * i + 1]);
    }
    for (size_t k = 0; k < edge; k++)
        memcpy(before + k * 2050, phase->bins + k * stft->bin_stride, 2050 * sizeof(float));
    span.fixed_before = span.fixed_after = edge;
    ebb_phase_integrate(phase, &span, 1, 0);
    ebb_phase_iterate(phase, &span, 16);
    ebb_phase_synthesise(phase, &span);
    for (size_t k = 0; k < edge; k++)
        REQUIRE(memcmp(before + k * 2050, phase->bins + k * stft->bin_stride, 2050 * sizeof(float)) == 0);

    // Whole where only fixed frames reach: up to half a window before the last of them ends.
    size_t whole = edge * hop;
    REQUIRE_NEAR(max_difference(phase->signal + 1536, x + 1536, whole - 1536), 0, 1e-5, "the sound before");
    REQUIRE_NEAR(max_difference(phase->signal + n - whole, x + n - whole, whole - 1536), 0, 1e-5,
                 "the sound after");
    REQUIRE(max_difference(phase->signal + n / 2, x + n / 2, 1000) > 0.1); // and the middle is new
    printf("# spectral convergence of the middle: %.3f\n", convergence_of(phase, &span));
    REQUIRE(convergence_of(phase, &span) < 0.3);
    ebb_phase_destroy(&phase);
    ebb_stft_destroy(&stft);
}

TEST_MAIN
