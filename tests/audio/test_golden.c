// SPDX-License-Identifier: LGPL-2.1-or-later
// Against librosa and diffusers' Mel class: tests/golden/make_audio.py made the numbers.
#include "audio/mel.h"
#include "audio/phase.h"
#include "test.h"
#include "waves.h"

enum { count = 8192 };

// A golden array; the caller frees it. The file must hold exactly `floats`.
static float *golden(const char *name, size_t floats)
{
    char path[1000];
    const char *data = getenv("EBB_TEST_DATA");
    snprintf(path, sizeof(path), "%s/golden/audio/%s.f32", data ? data : "tests", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        TEST_FAIL("%s cannot be opened", path);
    float *values = calloc(floats + 1, sizeof(float));
    size_t got = fread(values, sizeof(float), floats + 1, file);
    fclose(file);
    if (got != floats)
        TEST_FAIL("%s holds %zu floats, expected %zu", path, got, floats);
    return values;
}

static void compare_mel(const char *name, const struct ebb_mel_params *params)
{
    struct ebb_mel *mel = ebb_mel_create(params, NULL);
    REQUIRE(mel);
    size_t cells = ebb_mel_frames(mel, count) * (size_t)params->n_mels;
    float *x = golden("signal", count), *want = golden(name, cells), *got = calloc(cells, sizeof(float));
    REQUIRE(ebb_mel_analyse(mel, x, count, got, NULL) == EBB_OK);
    printf("# %s: %.2g\n", name, max_difference(got, want, cells));
    REQUIRE_NEAR(max_difference(got, want, cells), 0, 1e-4, name);
    free(x);
    free(want);
    free(got);
    ebb_mel_destroy(&mel);
}

TEST(mels_are_librosas)
{
    struct ebb_mel_params p;
    ebb_mel_params_default(&p);
    compare_mel("mel-own", &p);
    p = (struct ebb_mel_params){.sample_rate = 22050,
                                .n_fft = 1024,
                                .hop = 256,
                                .n_mels = 64,
                                .fmin = 50,
                                .fmax = 10000,
                                .scale = EBB_MEL_HTK,
                                .db_center = -30,
                                .db_range = 70};
    compare_mel("mel-htk", &p);
    p = (struct ebb_mel_params){.sample_rate = 16000,
                                .n_fft = 1024,
                                .hop = 160,
                                .n_mels = 80,
                                .fmin = 20,
                                .fmax = 8000,
                                .norm = EBB_MEL_NORM_SLANEY,
                                .db_center = -60,
                                .db_range = 60};
    compare_mel("mel-slaney-norm", &p);
    p = (struct ebb_mel_params){.sample_rate = 44100,
                                .n_fft = 2000,
                                .hop = 500,
                                .n_mels = 40,
                                .fmin = 0,
                                .fmax = 22050,
                                .scale = EBB_MEL_HTK,
                                .norm = EBB_MEL_NORM_SLANEY,
                                .db_center = -60,
                                .db_range = 60};
    compare_mel("mel-htk-norm", &p);
}

// Images of exactly one slice: frames * hop - 1 samples. Rounding may move a cell on the border between two
// steps.
static void compare_image(const char *name, int n_fft, int hop, int bands, double top_db)
{
    struct ebb_mel_params params = {.sample_rate = 22050,
                                    .n_fft = n_fft,
                                    .hop = hop,
                                    .n_mels = bands,
                                    .fmax = 11025,
                                    .norm = EBB_MEL_NORM_SLANEY,
                                    .coding = EBB_MEL_CODING_DIFFUSERS,
                                    .top_db = top_db};
    struct ebb_mel *mel = ebb_mel_create(&params, NULL);
    REQUIRE(mel);
    size_t frames = (size_t)(count / hop), cells = frames * (size_t)bands, off = 0;
    REQUIRE(ebb_mel_frames(mel, frames * (size_t)hop - 1) == frames);
    float *x = golden("signal", count), *want = golden(name, cells), *got = calloc(cells, sizeof(float));
    REQUIRE(ebb_mel_analyse(mel, x, frames * (size_t)hop - 1, got, NULL) == EBB_OK);
    for (size_t i = 0; i < cells; i++) {
        float step = (got[i] + 1) * 127.5f;
        REQUIRE_NEAR(step, want[i], 1.001, name);
        off += fabsf(step - want[i]) > 0.01f;
    }
    printf("# %s: %zu of %zu cells are one step off\n", name, off, cells);
    REQUIRE(off * 500 <= cells);
    free(x);
    free(want);
    free(got);
    ebb_mel_destroy(&mel);
}

TEST(images_are_those_of_diffusers)
{
    compare_image("diffusers-512", 512, 256, 64, 80);
    compare_image("diffusers-2000", 2000, 512, 96, 60);
}

TEST(griffin_lim_is_librosas)
{
    enum { n_fft = 256, hop = 64, bins = 129, frames = 26, samples = 1600 };
    static const int iterations[] = {0, 1, 2, 4};
    struct ebb_stft *stft = ebb_stft_create(n_fft, n_fft, hop);
    struct ebb_phase *phase = ebb_phase_create(stft, frames);
    struct ebb_phase_span span = ebb_phase_whole(phase, frames, samples);
    float *magnitude = golden("griffin-lim-magnitude", bins * frames),
          *angle = golden("griffin-lim-phase", bins * frames);

    for (int i = 0; i < 4; i++) {
        for (size_t k = 0; k < frames; k++)
            for (size_t b = 0; b < bins; b++) {
                float m = magnitude[b * frames + k], a = angle[b * frames + k];
                phase->magnitude[k * stft->real_stride + b] = m;
                phase->bins[k * stft->bin_stride + 2 * b] = m * cosf(a);
                phase->bins[k * stft->bin_stride + 2 * b + 1] = m * sinf(a);
            }
        ebb_phase_iterate(phase, &span, iterations[i]);
        ebb_phase_synthesise(phase, &span);
        char name[40];
        snprintf(name, sizeof(name), "griffin-lim-%d", iterations[i]);
        float *want = golden(name, samples);
        double off = max_difference(phase->signal + n_fft / 2, want, samples);
        printf("# %s: %.2g\n", name, off);
        REQUIRE_NEAR(off, 0, 2e-6, name);
        free(want);
    }
    free(magnitude);
    free(angle);
    ebb_phase_destroy(&phase);
    ebb_stft_destroy(&stft);
}

TEST(an_own_mel_comes_back)
{
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    float *x = golden("signal", count), values[128 * 17], again[128 * 17], y[count];
    REQUIRE(ebb_mel_analyse(mel, x, count, values, NULL) == EBB_OK);
    const struct ebb_mel_phases phases = {.iterations = 32, .seed = 1};
    REQUIRE(ebb_mel_to_sound(mel, values, 17, &phases, y, count, NULL) == EBB_OK);
    REQUIRE(ebb_mel_analyse(mel, y, count, again, NULL) == EBB_OK);
    double sum = 0;
    int cells = 0;
    for (int i = 0; i < 128 * 17; i++)
        if (values[i] > -0.5f) {
            sum += fabsf(again[i] - values[i]) * 50;
            cells++;
        }
    printf("# mean error %.2f dB\n", sum / cells);
    REQUIRE(sum / cells < 3);
    free(x);
    ebb_mel_destroy(&mel);
}

// Bands too narrow for a bin and a size that is no power of two included: the image's sound has the image.
static void return_image(int n_fft, int hop, int bands)
{
    struct ebb_mel_params params = {.sample_rate = 22050,
                                    .n_fft = n_fft,
                                    .hop = hop,
                                    .n_mels = bands,
                                    .fmax = 11025,
                                    .norm = EBB_MEL_NORM_SLANEY,
                                    .coding = EBB_MEL_CODING_DIFFUSERS,
                                    .top_db = 80};
    struct ebb_mel *mel = ebb_mel_create(&params, NULL);
    REQUIRE(mel);
    size_t frames = ebb_mel_frames(mel, count), cells = frames * (size_t)bands, heard = 0;
    float *x = golden("signal", count), *values = calloc(2 * cells, sizeof(float)), *again = values + cells;
    REQUIRE(ebb_mel_analyse(mel, x, count, values, NULL) == EBB_OK);
    const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1};
    REQUIRE(ebb_mel_to_sound(mel, values, frames, &phases, x, count, NULL) == EBB_OK);
    REQUIRE(ebb_mel_analyse(mel, x, count, again, NULL) == EBB_OK);
    double sum = 0;
    for (size_t i = 0; i < cells; i++)
        if (values[i] > 0) { // within 40 dB of the loudest
            sum += fabsf(values[i] - again[i]) * 40;
            heard++;
        }
    printf("# %d, %d bands: mean error %.2f dB\n", n_fft, bands, sum / (double)heard);
    REQUIRE(heard > 100 && sum / (double)heard < 1.5);
    free(x);
    free(values);
    ebb_mel_destroy(&mel);
}

TEST(an_image_of_diffusers_comes_back)
{
    return_image(2048, 512, 256);
    return_image(2000, 512, 128);
    return_image(1024, 256, 64);
}

// tests/golden/make_riffusion.py. A cell on the edge of a step of the 8 bits may fall on the other side.
TEST(riffusions_picture)
{
    enum { samples = 22050, bands = 64, frames = 51 };
    struct ebb_mel_params params;
    ebb_mel_params_riffusion(&params, bands);
    struct ebb_mel *mel = ebb_mel_create(&params, NULL);
    float *x = calloc(samples, sizeof(float)), *got = calloc(bands * frames, sizeof(float));
    float *want = golden("riffusion", bands * frames);
    REQUIRE(mel && x && got && ebb_mel_frames(mel, samples) == frames);
    for (int i = 0; i < samples; i++) {
        double far = (i - 11025) / 4000.0, t = i;
        x[i] = (float)(0.6 * sin(0.03 * t + 1e-5 * t * t) * exp(-far * far) + 0.1 * sin(0.8 * t));
    }
    REQUIRE(ebb_mel_analyse(mel, x, samples, got, NULL) == EBB_OK);
    int other = 0, loud = 0;
    for (int i = 0; i < bands * frames; i++) {
        loud += want[i] < 0.8f;
        other += want[i] < 0.8f && fabsf(got[i] - want[i]) > 1.0f / 255;
    }
    printf("# %d of %d cells are another step, at most %.0f\n", other, loud,
           max_difference(got, want, bands * frames) * 127.5);
    REQUIRE(loud > 500 && other <= loud / 100);
    REQUIRE_NEAR(max_difference(got, want, bands * frames), 0, 4.01 / 255, "steps");
    free(x);
    free(got);
    free(want);
    ebb_mel_destroy(&mel);
}

// The sound of a picture has the picture again: mean difference in steps of 8 bits, where it is not white.
TEST(riffusions_picture_comes_back)
{
    enum { samples = 22050, bands = 64, frames = 51 };
    struct ebb_mel_params params;
    ebb_mel_params_riffusion(&params, bands);
    struct ebb_mel *mel = ebb_mel_create(&params, NULL);
    float *x = calloc(samples, sizeof(float)), *got = calloc(bands * frames, sizeof(float));
    float *want = golden("riffusion", bands * frames);
    REQUIRE(mel && x && got);
    const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1};
    REQUIRE(ebb_mel_to_sound(mel, want, frames, &phases, x, samples, NULL) == EBB_OK);
    REQUIRE(ebb_mel_analyse(mel, x, samples, got, NULL) == EBB_OK);
    double sum = 0;
    int cells = 0;
    for (int i = 0; i < bands * frames; i++)
        if (want[i] < 0.2f) {
            sum += fabs((double)got[i] - want[i]) * 255 / 2;
            cells++;
        }
    printf("# %.1f steps over %d cells\n", sum / cells, cells);
    REQUIRE(cells > 200 && sum / cells < 12);
    free(x);
    free(got);
    free(want);
    ebb_mel_destroy(&mel);
}

TEST_MAIN
