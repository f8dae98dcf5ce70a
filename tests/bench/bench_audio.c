// SPDX-License-Identifier: LGPL-2.1-or-later
// How long the audio floor takes and how well it does:
//     bench-audio [SOUND FILE ...]
// Times are medians of processor time over one window of our models (256 frames, 2.73 s). For the files
// (mono, resampled to 48 kHz): what is lost from mel to magnitude, and from there to sound after some
// iterations from either start. bench_librosa.py does librosa's side of it.
#include "../audio/transforms.h"

#include "audio/mel.h"

#include <ebb/audio.h>
#include <ebb/mel.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { frames = 256, hop = 512, count = frames * hop - 1, bands = 128, bins = 1025 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // all of it runs in one thread; others may be busy
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct audio_bench {
    struct ebb_mel *mel;
    struct ebb_phase *phase;
    struct ebb_phase_span span;
    float *x, *y, *values, *again, *magnitude;
};

static void analyse(struct audio_bench *b)
{
    ebb_mel_analyse(b->mel, b->x, count, b->values, NULL);
}

static void invert(struct audio_bench *b)
{
    ebb_mel_to_magnitude(b->mel, b->values, frames, b->magnitude, NULL);
    for (size_t k = 0; k < frames; k++)
        for (size_t i = 0; i < bins; i++)
            b->phase->magnitude[k * b->phase->stft->real_stride + i] = b->magnitude[i * frames + k];
}

static void random_start(struct audio_bench *b)
{
    start_at_random(b->phase, &b->span, 1);
}

static void gradient_start(struct audio_bench *b)
{
    ebb_phase_integrate(b->phase, &b->span, 1, 0);
}

static void iterate_32(struct audio_bench *b)
{
    ebb_phase_iterate(b->phase, &b->span, 32);
}

static void whole(struct audio_bench *b)
{
    const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1};
    ebb_mel_to_sound(b->mel, b->values, frames, &phases, b->y, count, NULL);
}

static void whole_with_grain(struct audio_bench *b)
{
    const struct ebb_mel_phases phases = {.iterations = 16, .seed = 1, .grain = true};
    ebb_mel_to_sound(b->mel, b->values, frames, &phases, b->y, count, NULL);
}

static void time_it(const char *name, void (*run)(struct audio_bench *), struct audio_bench *b)
{
    enum { times = 11 };
    double took[times];
    run(b);
    for (int i = 0; i < times; i++) {
        double start = now();
        run(b);
        took[i] = now() - start;
    }
    qsort(took, times, sizeof(*took), ascending);
    printf("%-24s %8.2f ms\n", name, took[times / 2]);
}

// ---- quality ----

struct loss {
    double invert_db, convergence[2][6], mel_db[2][6];
    double own[2]; // spectral convergence to the recording's own magnitudes after 32 iterations
    int files;
};

static const int iterations[] = {0, 4, 8, 16, 32, 100};

// Mean |difference| in dB over the cells where `want` is heard (within 60 dB of the loudest).
static double mel_difference(const float *want, const float *got)
{
    double sum = 0;
    int cells = 0;
    float top = -1;
    for (int i = 0; i < bands * frames; i++)
        top = fmaxf(top, want[i]);
    for (int i = 0; i < bands * frames; i++)
        if (want[i] > top - 1.2f && want[i] > -0.99f) {
            sum += fabsf(want[i] - got[i]) * 50;
            cells++;
        }
    return cells ? sum / cells : 0;
}

// Between the recording's own magnitudes and those from its mel, mean |difference| in dB over the cells
// heard.
static double invert_difference(struct audio_bench *b)
{
    static float own[bins * frames];
    ebb_mel_spectrogram(b->mel, b->x, count, own, NULL);
    double sum = 0;
    int cells = 0;
    float top = -120;
    for (int i = 0; i < bins * frames; i++)
        top = fmaxf(top, own[i]);
    for (int i = 0; i < bins * frames; i++)
        if (own[i] > top - 60 && own[i] > -110) {
            sum += fabs(own[i] - 20 * log10(fmax((double)b->magnitude[i] * 4 / 2048, 1e-6)));
            cells++;
        }
    return cells ? sum / cells : 0;
}

static void measure(struct audio_bench *b, struct loss *loss)
{
    analyse(b);
    invert(b);
    loss->invert_db += invert_difference(b);
    for (int start = 0; start < 2; start++)
        for (int i = 0; i < 6; i++) {
            (start ? gradient_start : random_start)(b);
            ebb_phase_iterate(b->phase, &b->span, iterations[i]);
            ebb_phase_synthesise(b->phase, &b->span);
            loss->convergence[start][i] += convergence_of(b->phase, &b->span);
            ebb_mel_analyse(b->mel, b->phase->signal + b->span.support_from, count, b->again, NULL);
            loss->mel_db[start][i] += mel_difference(b->values, b->again);
        }
    for (int start = 0; start < 2; start++) {
        const struct ebb_stft *stft = b->phase->stft;
        transform_all(b->phase->stft, b->x, count, b->phase->bins);
        for (size_t i = 0; i < frames * stft->real_stride; i++) {
            const float *bin = b->phase->bins + i / stft->real_stride * stft->bin_stride +
                               2 * (i % stft->real_stride);
            if (i % stft->real_stride < bins)
                b->phase->magnitude[i] = hypotf(bin[0], bin[1]);
        }
        (start ? gradient_start : random_start)(b);
        iterate_32(b);
        ebb_phase_synthesise(b->phase, &b->span);
        loss->own[start] += convergence_of(b->phase, &b->span);
    }
    loss->files++;
}

static int load(struct audio_bench *b, const char *path)
{
    struct ebb_sound sound;
    if (ebb_sound_read(path, &sound, NULL) != EBB_OK || ebb_sound_resample(&sound, 48000, NULL) != EBB_OK) {
        fprintf(stderr, "%s cannot be read\n", path);
        return -1;
    }
    memset(b->x, 0, count * sizeof(float));
    for (size_t i = 0; i < count && i < sound.frames; i++)
        b->x[i] = sound.samples[i * (size_t)sound.channels];
    ebb_sound_clear(&sound);
    return 0;
}

static void print(const struct loss *l)
{
    printf("%d files; mel -> magnitude: %.3f dB\n", l->files, l->invert_db / l->files);
    printf("own magnitudes, 32 iterations: spectral convergence %.4f random start, %.4f gradient start\n",
           l->own[0] / l->files, l->own[1] / l->files);
    for (int start = 0; start < 2; start++)
        for (int i = 0; i < 6; i++)
            printf("%-8s start, %3d iterations: spectral convergence %.4f, mel %.3f dB\n",
                   start ? "gradient" : "random", iterations[i], l->convergence[start][i] / l->files,
                   l->mel_db[start][i] / l->files);
}

int main(int argc, char **argv)
{
    struct audio_bench b = {.mel = ebb_mel_create(NULL, NULL)};
    b.phase = b.mel ? ebb_phase_create(b.mel->stft, frames) : NULL;
    b.x = calloc(count, sizeof(float));
    b.y = calloc(count + 1, sizeof(float));
    b.values = calloc(bands * frames, sizeof(float));
    b.again = calloc(bands * frames, sizeof(float));
    b.magnitude = calloc((size_t)bins * frames, sizeof(float));
    if (!b.phase || !b.x || !b.y || !b.values || !b.again || !b.magnitude)
        return 1;
    b.span = ebb_phase_whole(b.phase, frames, count);

    srand(1);
    for (int i = 0; i < count; i++)
        b.x[i] = 0.3f * ((float)rand() / (float)RAND_MAX - 0.5f) * (float)exp(-i / 60000.0) +
                 0.3f * (float)sin(i * 0.05 + 1e-6 * i * i);
    time_it("mel analysis", analyse, &b);
    time_it("mel to magnitude", invert, &b);
    time_it("random phases", random_start, &b);
    time_it("gradient phases", gradient_start, &b);
    time_it("32 iterations", iterate_32, &b);
    time_it("mel to sound, 16", whole, &b);
    time_it("the same with grain", whole_with_grain, &b);

    struct loss loss = {0};
    for (int i = 1; i < argc; i++)
        if (load(&b, argv[i]) == 0)
            measure(&b, &loss);
    if (loss.files)
        print(&loss);

    free(b.x);
    free(b.y);
    free(b.values);
    free(b.again);
    free(b.magnitude);
    ebb_phase_destroy(&b.phase);
    ebb_mel_destroy(&b.mel);
    return 0;
}
