#include "audio/mel.h"
#include "audio/phase.h"
#include "waves.h"
#include "test.h"

static double convergence_after(int iterations, bool gradient)
{
    struct ebb_stft *stft = ebb_stft_create(2048, 512);
    static float x[48000];
    fill_noise(x, 48000, 9, 0.2f);
    for (int i = 0; i < 48000; i++)
        x[i] = x[i] * (float)exp(-i / 8000.0) + 0.3f * (float)sin(i * 0.1 + 3e-6 * i * i);
    size_t frames = ebb_stft_frames(stft, 48000);
    struct ebb_phase *phase = ebb_phase_create(stft, frames);
    struct ebb_phase_span span = ebb_phase_whole(phase, frames, 48000);
    ebb_stft_forward(stft, x, 48000, phase->bins);
    for (size_t k = 0; k < frames; k++)
        for (int i = 0; i < stft->bins; i++) {
            const float *bin = phase->bins + k * stft->bin_stride + 2 * i;
            phase->magnitude[k * stft->real_stride + (size_t)i] = hypotf(bin[0], bin[1]);
        }
    (gradient ? ebb_phase_integrate : ebb_phase_random)(phase, &span, 1, 0);
    ebb_phase_iterate(phase, &span, iterations);
    ebb_phase_synthesise(phase, &span);
    double result = ebb_phase_convergence(phase, &span);
    ebb_phase_destroy(&phase);
    ebb_stft_destroy(&stft);
    return result;
}

TEST(iterations_converge)
{
    double none = convergence_after(0, false), some = convergence_after(8, false), more = convergence_after(32, false);
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

// Where the magnitude says nothing, integration must not put a pulse into every window: energy is even over the hop.
TEST(flat_noise_does_not_buzz)
{
    enum { frames = 100, hop = 128, parts = 16 };
    struct ebb_stft *stft = ebb_stft_create(512, hop);
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
    struct ebb_stft *stft = ebb_stft_create(512, hop);
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
    REQUIRE(ebb_mel_to_sound(mel, values, 40, 4, 7, a, 20000, NULL) == EBB_OK);
    REQUIRE(ebb_mel_to_sound(mel, values, 40, 4, 7, b, 20000, NULL) == EBB_OK);
    REQUIRE(memcmp(a, b, sizeof(a)) == 0);
    REQUIRE(ebb_mel_to_sound(mel, values, 40, 4, 8, b, 20000, NULL) == EBB_OK);
    REQUIRE(memcmp(a, b, sizeof(a)) != 0);
    struct ebb_error error = {0};
    REQUIRE(ebb_mel_to_sound(mel, values, 2, 4, 8, b, 20000, &error) == EBB_INVALID);
    ebb_mel_destroy(&mel);
}

// ---- the stream ----

enum { stream_frames = 400, hop = 128, n_fft = 512, bins = 257 };
static float wanted[stream_frames][bins];

static void make_magnitudes(struct ebb_stft *stft)
{
    static float x[stream_frames * hop];
    static float frame[2 * bins];
    fill_noise(x, stream_frames * hop, 4, 0.5f);
    for (int i = 0; i < stream_frames * hop; i++)
        x[i] += (float)sin(i * 0.3);
    for (size_t k = 0; k < stream_frames; k++) {
        ebb_stft_frame_of(stft, x, stream_frames * hop, k, frame);
        for (int i = 0; i < bins; i++)
            wanted[k][i] = hypotf(frame[2 * i], frame[2 * i + 1]);
    }
}

// Writes frames from..to-1 and returns all samples, reading in pieces.
static size_t play(struct ebb_phase_stream *stream, size_t from, size_t to, float *samples)
{
    size_t total = 0;
    ebb_phase_stream_start(stream, from);
    for (size_t k = from; k < to; k++) {
        REQUIRE(ebb_phase_stream_write(stream, wanted[k]) == 0);
        total += ebb_phase_stream_read(stream, samples + total, 1000);
    }
    REQUIRE(ebb_phase_stream_finish(stream) == 0);
    return total + ebb_phase_stream_read(stream, samples + total, (size_t)-1 / 8);
}

TEST(a_stream_can_be_entered_anywhere)
{
    struct ebb_stft *stft = ebb_stft_create(n_fft, hop);
    struct ebb_phase_stream_params params;
    ebb_phase_stream_params_default(&params);
    params.block = 16;
    params.context = 4;
    params.iterations = 3;
    struct ebb_phase_stream *stream = ebb_phase_stream_create(stft, &params);
    static float all[stream_frames * hop], part[stream_frames * hop];
    make_magnitudes(stft);
    REQUIRE(play(stream, 0, stream_frames, all) == (stream_frames - 1) * hop);

    size_t lead = ebb_phase_stream_lead_in(stream), ahead = ebb_phase_stream_look_ahead(stream);
    for (size_t f = lead; f + ahead + 20 < stream_frames; f += 7) {
        size_t got = play(stream, f - lead, f + 20 + ahead, part), skip = lead * hop;
        REQUIRE(got == (lead + 20 + ahead - 1) * hop);
        REQUIRE(memcmp(part + skip, all + f * hop, 20 * hop * sizeof(float)) == 0);
    }
    ebb_phase_stream_destroy(&stream);
    ebb_stft_destroy(&stft);
}

TEST(a_stream_gives_what_it_promises_in_time)
{
    struct ebb_stft *stft = ebb_stft_create(n_fft, hop);
    struct ebb_phase_stream_params params;
    ebb_phase_stream_params_default(&params);
    params.block = 8;
    params.context = 2;
    params.iterations = 1;
    struct ebb_phase_stream *stream = ebb_phase_stream_create(stft, &params);
    make_magnitudes(stft);
    size_t ahead = ebb_phase_stream_look_ahead(stream), worst = 0;
    for (size_t k = 0; k < stream_frames; k++) {
        REQUIRE(ebb_phase_stream_write(stream, wanted[k]) == 0);
        size_t ready = ebb_phase_stream_available(stream) / hop; // up to frame `ready`
        if (k >= ready && k - ready > worst)
            worst = k - ready;
    }
    REQUIRE(worst <= ahead);
    REQUIRE(worst + 4 > ahead); // and not far less than it says
    ebb_phase_stream_destroy(&stream);
    ebb_stft_destroy(&stft);
}

TEST(short_streams_end_where_their_last_frame_does)
{
    struct ebb_stft *stft = ebb_stft_create(n_fft, hop);
    struct ebb_phase_stream_params params;
    ebb_phase_stream_params_default(&params);
    params.block = 8;
    params.context = 2;
    params.iterations = 2;
    struct ebb_phase_stream *stream = ebb_phase_stream_create(stft, &params);
    static float samples[stream_frames * hop];
    make_magnitudes(stft);
    for (size_t from = 0; from < 20; from += 3)
        for (size_t frames = 1; frames < 60; frames++) {
            REQUIRE(play(stream, from, from + frames, samples) == (frames - 1) * hop);
            for (size_t i = 0; i < (frames - 1) * hop; i++)
                REQUIRE(isfinite(samples[i]));
        }
    ebb_phase_stream_destroy(&stream);
    ebb_stft_destroy(&stft);
}

TEST_MAIN
