// SPDX-License-Identifier: LGPL-2.1-or-later
// Automatic t with the shipped network: noise goes where there is nothing else, whatever is before it and
// beside it.
#include "tiny_model.h"
#include "model/model.h"

enum { RATE = 48000 };

static struct ebb_model *shipped(void)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/../models/denoise", getenv("EBB_TEST_DATA"));
    return open_at(path);
}

static uint32_t random_state;

// White noise at an RMS of `level`.
static void add_noise(float *x, size_t frames, double level)
{
    for (size_t i = 0; i < frames; i++) {
        random_state = random_state * 1664525u + 1013904223u;
        x[i] += (float)(level * sqrt(3) * ((random_state >> 8) * 0x1p-23 - 1));
    }
}

// As voices are: a tone with overtones that rises and falls in pitch and in syllables, at an RMS of about
// 0.06.
static void add_voice(float *x, size_t frames)
{
    double phase = 0;
    for (size_t i = 0; i < frames; i++) {
        double s = (double)i / RATE, syllable = fmax(0, sin(2 * M_PI * 3.1 * s));
        phase += 2 * M_PI * (140 + 30 * sin(2 * M_PI * 0.9 * s)) / RATE;
        for (int k = 1; k < 20; k++)
            x[i] += (float)(0.15 * syllable * sin(k * phase) / (k + fabs(k - 5.0)));
    }
}

// dB by which `count` samples of channel `i` of `channels` from `from` on have sunk.
static double sunk(const float *in, const float *out, size_t from, size_t count, int channels, int i)
{
    double before = 0, after = 1e-20;
    for (size_t k = from; k < from + count; k++) {
        before += pow(in[k * channels + i], 2);
        after += pow(out[k * channels + i], 2);
    }
    return 10 * log10(before / after);
}

struct heard {
    double least, mean, most;
};

static struct heard clean(struct ebb_model *model, const char *words, const float *in, float *out,
                          size_t frames, int channels)
{
    struct ebb_error error;
    struct ebb_recipe *recipe = read_words(EBB_VERB_DENOISE, words, &error);
    REQUIRE(recipe);
    struct ebb_denoise *d = ebb_denoise_create(model, recipe, RATE, channels, NULL, &error);
    REQUIRE(d);
    struct heard t;
    REQUIRE(!ebb_denoise_t_range(d, &t.least, &t.mean, &t.most) && isnan(t.mean));
    REQUIRE_OK(ebb_denoise_write(d, in, frames, e));
    REQUIRE_OK(ebb_denoise_finish(d, e));
    REQUIRE(ebb_denoise_read(d, out, NULL, frames) == frames);
    REQUIRE(ebb_denoise_t_range(d, &t.least, &t.mean, &t.most));
    REQUIRE(t.least <= t.mean && t.mean <= t.most && t.least >= 0 && t.most <= 1);
    ebb_denoise_destroy(&d);
    ebb_recipe_destroy(&recipe);
    return t;
}

static const char *const ways[] = {"auto-t=true", "auto-t=true live=true"};

TEST(noise_alone_goes)
{
    const double levels[] = {0.03, 0.0003};
    size_t frames = 5 * RATE;
    float *in = calloc(frames, sizeof(float)), *out = calloc(frames, sizeof(float));
    REQUIRE(in && out);
    struct ebb_model *model = shipped();
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < 2; i++) {
            memset(in, 0, frames * sizeof(float));
            add_noise(in, frames, levels[i]);
            struct heard t = clean(model, ways[way], in, out, frames, 1);
            double taken = sunk(in, out, 2 * RATE, 2 * RATE, 1, 0);
            if (taken < 15 || t.most < 0.7)
                TEST_FAIL("%s, level %g: %.1f dB taken, t up to %.2f", ways[way], levels[i], taken, t.most);
        }
    ebb_model_close(&model);
    free(in);
    free(out);
}

// Noise, then speech in it, then noise again; beside it a channel of noise alone, and one of digital silence.
TEST(pauses_and_other_channels_are_cleaned)
{
    enum { CHANNELS = 3 };
    const double levels[] = {0.02, 0.002};
    size_t frames = 12 * RATE, speech = 3 * RATE, pause = 6 * RATE;
    float *one = calloc(frames, sizeof(float)), *beside = calloc(frames, sizeof(float));
    float *in = calloc(frames, CHANNELS * sizeof(float)), *out = calloc(frames, CHANNELS * sizeof(float));
    REQUIRE(one && beside && in && out);
    struct ebb_model *model = shipped();
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < 2; i++) {
            memset(one, 0, frames * sizeof(float));
            memset(beside, 0, frames * sizeof(float));
            add_noise(one, frames, levels[i]);
            add_noise(beside, frames, 0.01);
            add_voice(one + speech, pause - speech);
            for (size_t k = 0; k < frames; k++) {
                in[k * CHANNELS] = one[k];
                in[k * CHANNELS + 1] = beside[k];
            }
            clean(model, ways[way], in, out, frames, CHANNELS);
            double before = sunk(in, out, RATE, RATE, CHANNELS, 0);
            double after = sunk(in, out, pause + 3 * RATE, 3 * RATE, CHANNELS, 0);
            double other = sunk(in, out, 2 * RATE, 9 * RATE, CHANNELS, 1);
            if (before < 15 || after < 15 || other < 15)
                TEST_FAIL("%s, level %g: before %.1f dB, after %.1f dB, beside %.1f dB", ways[way], levels[i],
                          before, after, other);
            for (size_t k = 0; k < frames; k++)
                REQUIRE(out[k * CHANNELS + 2] == 0);
        }
    ebb_model_close(&model);
    free(one);
    free(beside);
    free(in);
    free(out);
}

// Nobody speaks in digital silence, nor does it say that a recording has no noise.
TEST(silence_is_no_quiet_moment)
{
    size_t frames = 7 * RATE, begins = 3 * RATE;
    float *in = calloc(frames, sizeof(float)), *out = calloc(frames, sizeof(float));
    REQUIRE(in && out);
    struct ebb_model *model = shipped();
    for (int way = 0; way < 2; way++) {
        memset(in, 0, frames * sizeof(float));
        add_noise(in + begins, frames - begins, 0.02);
        clean(model, ways[way], in, out, frames, 1);
        double taken = sunk(in, out, begins + RATE, 2 * RATE, 1, 0);
        if (taken < 15)
            TEST_FAIL("%s: %.1f dB taken", ways[way], taken);
    }
    ebb_model_close(&model);
    free(in);
    free(out);
}

// A clean recording stays as it is, in its pauses too.
TEST(what_is_clean_stays)
{
    size_t frames = 6 * RATE;
    float *in = calloc(frames, sizeof(float)), *out = calloc(frames, sizeof(float));
    REQUIRE(in && out);
    add_noise(in, frames, 0.0003);
    for (int i = 0; i < 2; i++)
        add_voice(in + 3 * i * RATE, RATE + RATE / 2);
    struct ebb_model *model = shipped();
    for (int way = 0; way < 2; way++) {
        clean(model, ways[way], in, out, frames, 1);
        double error = 0, power = 0;
        for (size_t i = 0; i < frames; i++) {
            error += pow(in[i] - out[i], 2);
            power += pow(in[i], 2);
        }
        if (error > 1e-4 * power)
            TEST_FAIL("%s: changed by %.1f dB", ways[way], 10 * log10(error / power));
    }
    ebb_model_close(&model);
    free(in);
    free(out);
}

// Noise that comes and goes, every two seconds.
static void add_swells(float *x, size_t frames, double level)
{
    for (size_t i = 0; i < frames; i++)
        add_noise(x + i, 1, level * pow(sin(M_PI * i / (2.0 * RATE)), 2));
}

static double si_sdr(const float *sound, const float *heard, size_t from, size_t to)
{
    double product = 0, power = 0, all = 0;
    for (size_t i = from; i < to; i++) {
        product += (double)sound[i] * heard[i];
        power += pow(sound[i], 2);
        all += pow(heard[i], 2);
    }
    double part = product * product / power;
    return 10 * log10(part / (all - part));
}

// Noise that pauses has a low floor, by which the recording looks nearly clean. Beside a voice it goes all
// the same. Without a voice nothing changes: swells may be what is to be heard.
TEST(noise_that_pauses_goes_beside_a_voice)
{
    size_t frames = 8 * RATE, from = 3 * RATE;
    float *voice = calloc(frames, sizeof(float)), *in = calloc(frames, sizeof(float)),
          *out = calloc(frames, sizeof(float)), *before = calloc(frames, sizeof(float));
    REQUIRE(voice && in && out && before);
    add_voice(voice, frames);
    struct ebb_model *model = shipped();
    struct ebb_curve auto_voice = model->auto_voice;
    REQUIRE(auto_voice.count > 0);
    for (int way = 0; way < 2; way++)
        for (int spoken = 0; spoken < 2; spoken++) {
            memset(in, 0, frames * sizeof(float));
            add_noise(in, frames, 0.001);
            add_swells(in, frames, 0.05);
            for (size_t i = 0; i < frames && spoken; i++)
                in[i] += voice[i];
            clean(model, ways[way], in, out, frames, 1);
            model->auto_voice.count = 0;
            clean(model, ways[way], in, before, frames, 1);
            model->auto_voice = auto_voice;
            if (!spoken) {
                REQUIRE(memcmp(out, before, frames * sizeof(float)) == 0);
                continue;
            }
            double gain = si_sdr(voice, out, from, frames) - si_sdr(voice, in, from, frames),
                   had = si_sdr(voice, before, from, frames) - si_sdr(voice, in, from, frames);
            printf("# %s: %.1f dB gained, %.1f without the table\n", ways[way], gain, had);
            if (gain < had + 3)
                TEST_FAIL("%s: %.1f dB gained, %.1f without the table", ways[way], gain, had);
        }
    ebb_model_close(&model);
    free(voice);
    free(in);
    free(out);
    free(before);
}

TEST_MAIN
