// SPDX-License-Identifier: LGPL-2.1-or-later
// The denoiser: its output, its latency and its memory.
#include <malloc.h>

#include "tiny_model.h"
#include "../model/scratch.h"
#include "denoise/channel.h"
#include "model/model.h"

static struct ebb_model *model; // opened by the first test that needs it, closed by the last

static struct ebb_model *tiny(void)
{
    if (!model)
        model = open_tiny("tiny-denoise");
    return model;
}

static struct ebb_denoise *try_words(struct ebb_model *m, const char *words, int rate, int channels,
                                     const struct ebb_hooks *hooks, struct ebb_error *error)
{
    char all[200];
    snprintf(all, sizeof(all), "steps=1 live=true %s", words);
    struct ebb_recipe *recipe = read_words(EBB_VERB_DENOISE, all, error);
    struct ebb_denoise *denoise = recipe ? ebb_denoise_create(m, recipe, rate, channels, hooks, error) : NULL;
    ebb_recipe_destroy(&recipe);
    return denoise;
}

static struct ebb_denoise *create_heard(const char *words, int rate, int channels,
                                        const struct ebb_hooks *hooks)
{
    struct ebb_error error;
    struct ebb_denoise *denoise = try_words(tiny(), words, rate, channels, hooks, &error);
    if (!denoise)
        TEST_FAIL("%s: %s", words, error.message);
    return denoise;
}

static struct ebb_denoise *create(const char *words, int rate, int channels)
{
    return create_heard(words, rate, channels, NULL);
}

// Noise and a tone, different in every channel.
static float *make_sound(size_t frames, int channels)
{
    float *x = malloc(frames * channels * sizeof(float) + 1);
    REQUIRE(x);
    uint32_t state = 1;
    for (size_t i = 0; i < frames * channels; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = 0.1f * ((state >> 8) * 0x1p-23f - 1) +
               0.2f * sinf((float)(i / channels) * 0.03f * (1 + i % channels));
    }
    return x;
}

// Everything through, `block` frames at a time.
static size_t clean(struct ebb_denoise *d, const float *in, float *out, size_t frames, int channels,
                    size_t block)
{
    size_t got = 0;
    for (size_t at = 0; at < frames; at += block) {
        size_t part = frames - at < block ? frames - at : block;
        REQUIRE_OK(ebb_denoise_write(d, in + at * channels, part, e));
        got += ebb_denoise_read(d, out + got * channels, NULL, ebb_denoise_available(d));
    }
    REQUIRE_OK(ebb_denoise_finish(d, e));
    got += ebb_denoise_read(d, out + got * channels, NULL, frames - got + 1);
    REQUIRE(ebb_denoise_available(d) == 0);
    return got;
}

TEST(t_0_returns_the_input_bit_for_bit)
{
    const int rates[] = {48000, 44100, 8000, 96000}, channels[] = {1, 2, 3, 1};
    for (int i = 0; i < 4; i++)
        for (int dry = 0; dry < 2; dry++) {
            char words[100];
            snprintf(words, sizeof(words), "%s live=%d", dry ? "t=0.8 wet=0" : "t=0", i % 2);
            size_t frames = 30011;
            float *in = make_sound(frames, channels[i]),
                  *out = calloc(frames + 1, channels[i] * sizeof(float));
            REQUIRE(out);
            struct ebb_denoise *d = create(words, rates[i], channels[i]);
            REQUIRE(clean(d, in, out, frames, channels[i], 1009) == frames);
            REQUIRE(memcmp(in, out, frames * channels[i] * sizeof(float)) == 0);
            ebb_denoise_destroy(&d);
            free(in);
            free(out);
        }
}

TEST(as_much_comes_out_as_went_in_and_in_time)
{
    const int rates[] = {48000, 44100, 16000, 11025, 192000};
    const size_t lengths[] = {0, 1, 2, 511, 512, 2049, 20011};
    for (int r = 0; r < 5; r++)
        for (int l = 0; l < 7; l++) {
            struct ebb_denoise *d = create("t=0.6", rates[r], 1);
            size_t frames = lengths[l], latency = ebb_denoise_latency(d), written = 0, got = 0;
            float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
            REQUIRE(out);
            if (latency >= (rates[r] < 16000 ? 0.4 : 0.3) * rates[r]) // resampling low rates takes long
                                                                      // filters
                TEST_FAIL("rate %d: latency %zu", rates[r], latency);
            for (size_t at = 0; at < frames; at += 97) {
                size_t part = frames - at < 97 ? frames - at : 97;
                REQUIRE_OK(ebb_denoise_write(d, in + at, part, e));
                written += part;
                got += ebb_denoise_read(d, out + got, NULL, frames);
                if (got + latency < written)
                    TEST_FAIL("rate %d: %zu in, %zu out, latency %zu", rates[r], written, got, latency);
            }
            REQUIRE_OK(ebb_denoise_finish(d, e));
            got += ebb_denoise_read(d, out + got, NULL, frames + 1 - got);
            REQUIRE(got == frames);
            for (size_t i = 0; i < frames; i++)
                REQUIRE(isfinite(out[i]));
            ebb_denoise_destroy(&d);
            free(in);
            free(out);
        }
}

// The share of `in` that is left in `out` at each point must not depend on where it lies: no shift in time.
TEST(what_is_left_stays_where_it_was)
{
    for (int live = 0; live < 2; live++) {
        size_t frames = 60000;
        float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
        REQUIRE(out);
        struct ebb_denoise *d = create(live ? "t=0.5" : "t=0.5 live=false", 44100, 1);
        REQUIRE(clean(d, in, out, frames, 1, 4096) == frames);
        double best = 0;
        int where = 99;
        for (int shift = -8; shift <= 8; shift++) {
            double sum = 0;
            for (size_t i = 10000; i < 50000; i++)
                sum += (double)in[i] * out[i + shift];
            if (sum > best) {
                best = sum;
                where = shift;
            }
        }
        REQUIRE(where == 0);
        ebb_denoise_destroy(&d);
        free(in);
        free(out);
    }
}

TEST(blocks_do_not_matter)
{
    const size_t blocks[] = {20000, 1, 333, 4801};
    size_t frames = 20000;
    float *in = make_sound(frames, 2), *first = calloc(frames, 2 * sizeof(float)),
          *out = calloc(frames, 2 * sizeof(float));
    REQUIRE(first && out);
    struct ebb_denoise *d = create("t=0.7", 44100, 2);
    for (int i = 0; i < 4; i++) {
        REQUIRE(clean(d, in, i ? out : first, frames, 2, blocks[i]) == frames);
        REQUIRE(i == 0 || memcmp(first, out, frames * 2 * sizeof(float)) == 0);
        ebb_denoise_reset(d);
    }
    ebb_denoise_destroy(&d);
    free(in);
    free(first);
    free(out);
}

TEST(silence_costs_nothing_and_stays)
{
    struct count count = {0};
    struct ebb_hooks hooks = {sizeof(hooks), .progress = count_calls, .user = &count};
    size_t frames = 50000;
    float *in = calloc(frames, sizeof(float)), *out = calloc(frames + 1, sizeof(float));
    REQUIRE(in && out);
    struct ebb_denoise *d = create_heard("t=1", 48000, 1, &hooks);
    REQUIRE(clean(d, in, out, frames, 1, 1000) == frames);
    for (size_t i = 0; i < frames; i++)
        REQUIRE(out[i] == 0);
    REQUIRE(count.calls == 0 && ebb_denoise_windows(d) > 0);

    ebb_denoise_reset(d);
    in[25000] = 0.5f;
    clean(d, in, out, frames, 1, 1000);
    REQUIRE(count.calls > 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(out);
}

// Cleans `in`, whose samples 777 and 4000 become `a` and `b`.
static void clean_with(struct ebb_denoise *d, float *in, float a, float b, float *out, size_t frames)
{
    in[777] = a;
    in[4000] = b;
    ebb_denoise_reset(d);
    clean(d, in, out, frames, 1, 1000);
}

TEST(not_a_number_counts_as_silence)
{
    size_t frames = 9000;
    float *in = make_sound(frames, 1), *with = calloc(frames + 1, sizeof(float)),
          *want = calloc(frames + 1, sizeof(float));
    REQUIRE(with && want);
    struct ebb_denoise *d = create("t=0.5", 48000, 1);
    clean_with(d, in, 0, 0, want, frames);
    clean_with(d, in, NAN, INFINITY, with, frames);
    REQUIRE(memcmp(with, want, frames * sizeof(float)) == 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(with);
    free(want);
}

// Neither an error nor a trace in what lies around it: a broken sample comes out as it went in.
TEST(a_broken_sample_counts_as_silence)
{
    size_t frames = 9000;
    float *in = make_sound(frames, 1), *with = calloc(frames + 1, sizeof(float)),
          *want = calloc(frames + 1, sizeof(float));
    REQUIRE(with && want);
    struct ebb_denoise *d = create("auto-t=true", 44100, 1);
    clean_with(d, in, 0, 0, want, frames);
    clean_with(d, in, 3e38f, -3e38f, with, frames);
    REQUIRE(with[777] == 3e38f && with[4000] == -3e38f);
    with[777] = want[777];
    with[4000] = want[4000];
    REQUIRE(memcmp(with, want, frames * sizeof(float)) == 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(with);
    free(want);
}

// What comes out scales with what goes in: y(g x) = g y(x), all of them outside the levels that are left as
// they are.
TEST(quiet_and_loud_recordings_are_cleaned_alike)
{
    const char *const words[] = {"t=0.7", "t=0.7 live=false", "auto-t=true", "auto-t=true live=false"};
    const int powers[] = {-20, -17, -12, 10, 20};
    size_t frames = 40000;
    float *sound = make_sound(frames, 1), *in = calloc(frames, sizeof(float)),
          *want = calloc(frames + 1, sizeof(float));
    float *out = calloc(frames + 1, sizeof(float));
    REQUIRE(in && want && out);
    for (int w = 0; w < 4; w++)
        for (int p = 0; p < 5; p++) {
            for (size_t i = 0; i < frames; i++)
                in[i] = ldexpf(sound[i], powers[p]);
            struct ebb_denoise *d = create(words[w], 48000, 1);
            REQUIRE(clean(d, in, p ? out : want, frames, 1, 1000) == frames);
            ebb_denoise_destroy(&d);
            double error = 0, power = 0;
            for (size_t i = 0; i < frames && p; i++) {
                error += pow(ldexpf(out[i], -powers[p]) - ldexpf(want[i], -powers[0]), 2);
                power += pow(ldexpf(want[i], -powers[0]), 2);
            }
            if (error > 1e-5 * power) // t by floors that are read to a dB, or rounding
                TEST_FAIL("%s, by 2^%d: an error of %.1f dB", words[w], powers[p], 10 * log10(error / power));
        }
    free(sound);
    free(in);
    free(want);
    free(out);
}

// The frames of the STFT reach over the edges of a silence; what is taken away does not.
TEST(digital_silence_between_sounds_stays)
{
    const int rates[] = {48000, 44100, 8000};
    for (int r = 0; r < 3; r++) {
        size_t frames = 30000, from = 9000, to = from + rates[r] / 100, tail = 29000;
        float *in = make_sound(frames, 2), *out = calloc(frames + 1, 2 * sizeof(float)),
              *again = calloc(frames + 1, 2 * sizeof(float));
        REQUIRE(out && again);
        for (size_t i = 0; i < frames; i++)
            in[2 * i + 1] = (i >= from && i < to) || i >= tail ? 0 : in[2 * i + 1];
        struct ebb_denoise *d = create("t=0.9", rates[r], 2);
        REQUIRE(clean(d, in, out, frames, 2, 1000) == frames);
        for (size_t i = 0; i < frames; i++)
            REQUIRE(in[2 * i + 1] != 0 || out[2 * i + 1] == 0);
        REQUIRE(out[2 * (from + 5)] != in[2 * (from + 5)] && out[2 * from - 1] != in[2 * from - 1]);
        ebb_denoise_reset(d);
        REQUIRE(clean(d, in, again, frames, 2, 77) == frames);
        REQUIRE(memcmp(out, again, frames * 2 * sizeof(float)) == 0);
        ebb_denoise_destroy(&d);
        free(in);
        free(out);
        free(again);
    }
}

// What a channel removes of a sound whose frames are all alike from the 26th on.
static float *removed_of_alike(struct ebb_denoise_channel_size size, size_t frames)
{
    struct ebb_error error;
    struct ebb_denoise_channel_settings settings = {
        .t = 0.8, .wet = 1, .steps = 1, .sampler = "ddim", .snr = NAN};
    struct ebb_denoise_channel *channel = ebb_denoise_channel_create(tiny(), &settings, &size, &error);
    size_t hop = (size_t)tiny()->mel.hop, count = frames * hop;
    float *period = make_sound(hop, 1), *sound = malloc(count * sizeof(float)),
          *removed = calloc(count + 1, sizeof(float));
    REQUIRE(channel && sound && removed);
    for (size_t i = 0; i < count; i++)
        sound[i] = i < 24 * hop ? period[i * 7 % hop] : period[i % hop];
    REQUIRE_OK(ebb_denoise_channel_write(channel, sound, count, e));
    REQUIRE_OK(ebb_denoise_channel_finish(channel, e));
    REQUIRE(ebb_denoise_channel_read(channel, removed, count) == count);
    ebb_denoise_channel_destroy(&channel);
    free(period);
    free(sound);
    return removed;
}

// Where frames are alike, mirrored ones are as those that follow: a live window of few frames and a window of
// a file that begin at the same frame make the same of it. Between two such frames, `hop` samples are of four
// frames that both have cleaned.
TEST(a_live_window_sees_mirrored_frames_at_its_end)
{
    REQUIRE_OK(ebb_model_ready(tiny(), e));
    size_t hop = (size_t)tiny()->mel.hop;
    REQUIRE((size_t)tiny()->mel.n_fft == 4 * hop);
    float *live = removed_of_alike((struct ebb_denoise_channel_size){64, 4, 0, 6}, 140),
          *file = removed_of_alike((struct ebb_denoise_channel_size){64, 10, 0, 0}, 140);
    for (size_t first = 80; first <= 120; first += 20)
        for (size_t i = (first + 1) * hop; i < (first + 2) * hop; i++)
            REQUIRE_NEAR(live[i], file[i], 1e-6, "removed");
    REQUIRE(memcmp(live, file, 140 * hop * sizeof(float)) != 0);
    free(live);
    free(file);
}

TEST(wet_mixes)
{
    size_t frames = 30000;
    float *in = make_sound(frames, 1), *all = calloc(frames + 1, sizeof(float)),
          *half = calloc(frames + 1, sizeof(float));
    REQUIRE(all && half);
    struct ebb_denoise *d = create("t=0.6", 48000, 1);
    clean(d, in, all, frames, 1, 1000);
    REQUIRE_OK(ebb_denoise_set(d, "wet", 0.5, e));
    ebb_denoise_reset(d);
    clean(d, in, half, frames, 1, 1000);
    double removed = 0;
    for (size_t i = 0; i < frames; i++) {
        REQUIRE_NEAR(half[i], 0.5 * (in[i] + all[i]), 1e-6, "halfway");
        removed = larger(removed, fabsf(in[i] - all[i]));
    }
    REQUIRE(removed > 0.01);
    ebb_denoise_destroy(&d);
    free(in);
    free(all);
    free(half);
}

// The largest second difference while a tone goes through, t moving between 0 and 1 or not. `change`: what
// was done at all.
static double roughest(bool turning, double *change)
{
    size_t frames = 96000, got = 0;
    float *in = malloc(frames * sizeof(float)), *out = calloc(frames + 1, sizeof(float));
    REQUIRE(in && out);
    for (size_t i = 0; i < frames; i++)
        in[i] = 0.5f * sinf(i * 0.05f);
    struct ebb_denoise *d = create("t=1", 48000, 1);
    for (size_t at = 0; at < frames; at += 1000) {
        REQUIRE_OK(ebb_denoise_set(d, "t", turning && at / 16000 % 2 ? 0 : 1, e));
        REQUIRE_OK(ebb_denoise_write(d, in + at, 1000, e));
        got += ebb_denoise_read(d, out + got, NULL, frames);
    }
    REQUIRE_OK(ebb_denoise_finish(d, e));
    got += ebb_denoise_read(d, out + got, NULL, frames);
    double worst = 0;
    for (size_t i = 2000; i + 2000 < got; i++) {
        worst = larger(worst, fabs(out[i - 1] - 2 * out[i] + out[i + 1]));
        *change = larger(*change, fabs(out[i] - in[i]));
    }
    ebb_denoise_destroy(&d);
    free(in);
    free(out);
    return worst;
}

TEST(knobs_turn_without_a_click)
{
    double change = 0, still = roughest(false, &change), turning = roughest(true, &change);
    printf("# roughest %.2g, at a constant t %.2g\n", turning, still);
    REQUIRE(change > 0.1);
    REQUIRE(turning < 1.5 * fmax(still, 0.5 * 0.05 * 0.05));
}

TEST(auto_follows_the_noise)
{
    double t[2];
    for (int noisy = 0; noisy < 2; noisy++) {
        size_t frames = 96000;
        float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
        REQUIRE(out);
        for (size_t i = 0; i < frames && !noisy; i++)
            in[i] *= i / 12000 % 2 ? 1 : 0.01f; // pauses that tell the floor
        struct ebb_denoise *d = create("auto-t=true", 48000, 1);
        clean(d, in, out, frames, 1, 1000);
        t[noisy] = ebb_denoise_t(d);
        REQUIRE(isfinite(ebb_denoise_snr(d)));
        ebb_denoise_destroy(&d);
        free(in);
        free(out);
    }
    REQUIRE(t[1] > t[0] + 0.1);
}

// t is the lesser of what the two tables say, and what comes out is what that t makes.
TEST(doubt_lowers_auto_t)
{
    const double doubts[] = {0.25, 0.9}, expected[] = {0.25, 0.7};
    struct ebb_curve_point by_snr = {0, 0.7}, by_doubt = {0, 0};
    size_t frames = 60000;
    float *in = make_sound(frames, 1),
          *out[2] = {calloc(frames + 1, sizeof(float)), calloc(frames + 1, sizeof(float))};
    REQUIRE(out[0] && out[1]);
    struct ebb_curve auto_t = tiny()->auto_t, auto_doubt = tiny()->auto_doubt;
    for (int i = 0; i < 2; i++) {
        by_doubt.y = doubts[i];
        model->auto_t = (struct ebb_curve){&by_snr, 1};
        model->auto_doubt = (struct ebb_curve){&by_doubt, 1};
        for (int fixed = 0; fixed < 2; fixed++) {
            char words[40];
            snprintf(words, sizeof(words), "t=%g", expected[i]);
            struct ebb_denoise *d = create(fixed ? words : "auto-t=true", 48000, 1);
            REQUIRE(clean(d, in, out[fixed], frames, 1, 1000) == frames);
            REQUIRE(ebb_denoise_t(d) == expected[i]);
            ebb_denoise_destroy(&d);
        }
        REQUIRE(memcmp(out[0], out[1], frames * sizeof(float)) == 0);
    }
    model->auto_t = auto_t;
    model->auto_doubt = auto_doubt;
    free(in);
    free(out[0]);
    free(out[1]);
}

// The tiny network is neither sure nor wholly unsure of its gains. That counts where there is doubt: not
// beside a sound without pauses, for what stands still may be noise.
TEST(an_unsure_network_lowers_auto_t)
{
    struct ebb_curve_point by_snr = {0, 0.7}, by_doubt = {0, 1};
    struct ebb_curve_point lenient[] = {{0.999, 1}, {1, 0}}, strict[] = {{0, 1}, {0.001, 0.25}};
    struct ebb_curve_point *by_unsure[] = {lenient, strict, strict};
    const bool pauses[] = {true, true, false};
    const double expected[] = {0.7, 0.25, 0.7};
    size_t frames = 60000, block = 48000 / 5;
    float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float)),
          *sound = make_sound(frames, 1);
    REQUIRE(out);
    struct ebb_curve auto_t = tiny()->auto_t, auto_doubt = tiny()->auto_doubt;
    double t[3];
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < frames; k++)
            in[k] = sound[k] * (pauses[i] && k / block % 2 ? 1e-3f : 1);
        model->auto_t = (struct ebb_curve){&by_snr, 1};
        model->auto_doubt = (struct ebb_curve){&by_doubt, 1};
        model->auto_unsure = (struct ebb_curve){by_unsure[i], 2};
        struct ebb_denoise *d = create("auto-t=true", 48000, 1);
        REQUIRE(clean(d, in, out, frames, 1, 1000) == frames);
        t[i] = ebb_denoise_t(d);
        ebb_denoise_destroy(&d);
        model->auto_t = auto_t;
        model->auto_doubt = auto_doubt;
        model->auto_unsure = (struct ebb_curve){0};
    }
    free(in);
    free(out);
    free(sound);
    for (int i = 0; i < 3; i++)
        REQUIRE_NEAR(t[i], expected[i], 1e-9, "t");
}

// Where what is kept is a voice, t is that of the network's own SNR, whatever the doubt: from the first
// second on more and more, and wholly after two.
TEST(a_voice_raises_auto_t)
{
    struct ebb_curve_point by_snr = {0, 0.7}, by_doubt = {0, 0.25}, always[] = {{-10, 1}},
                           half[] = {{-10, 0.5}}, never[] = {{10, 0}, {11, 1}};
    struct ebb_curve_point *by_voice[] = {always, half, never};
    const int points[] = {1, 1, 2};
    const double expected[] = {0.7, 0.475, 0.25};
    size_t frames = 3 * 48000;
    float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
    REQUIRE(out);
    struct ebb_curve auto_t = tiny()->auto_t, auto_doubt = tiny()->auto_doubt;
    model->auto_t = (struct ebb_curve){&by_snr, 1};
    model->auto_doubt = (struct ebb_curve){&by_doubt, 1};
    double early[3], late[3];
    for (int i = 0; i < 3; i++) {
        model->auto_voice = (struct ebb_curve){by_voice[i], points[i]};
        struct ebb_denoise *d = create("auto-t=true", 48000, 1);
        REQUIRE_OK(ebb_denoise_write(d, in, 40000, e));
        early[i] = ebb_denoise_t(d);
        ebb_denoise_reset(d);
        REQUIRE(clean(d, in, out, frames, 1, 1000) == frames);
        late[i] = ebb_denoise_t(d);
        ebb_denoise_reset(d);
        REQUIRE_OK(ebb_denoise_write(d, in, 40000, e));
        REQUIRE(ebb_denoise_t(d) == early[i]); // forgotten
        ebb_denoise_destroy(&d);
    }
    model->auto_voice = (struct ebb_curve){0};
    model->auto_t = auto_t;
    model->auto_doubt = auto_doubt;
    free(in);
    free(out);
    for (int i = 0; i < 3; i++) {
        REQUIRE_NEAR(early[i], 0.25, 1e-9, "t in the first second");
        REQUIRE_NEAR(late[i], expected[i], 1e-9, "t");
    }
}

TEST(memory_is_flat)
{
    struct ebb_denoise *d = create("t=0.5", 44100, 2);
    float *in = make_sound(4410, 2), *out = calloc(4410 * 8, 2 * sizeof(float));
    REQUIRE(out);
    size_t early = 0;
    for (int i = 0; i < 300; i++) { // 30 s
        REQUIRE_OK(ebb_denoise_write(d, in, 4410, e));
        ebb_denoise_read(d, out, NULL, 4410 * 8);
        if (i == 50)
            early = mallinfo2().uordblks;
    }
    REQUIRE(mallinfo2().uordblks <= early + 65536);
    ebb_denoise_destroy(&d);
    free(in);
    free(out);
}

static bool stop_at_third(void *user, double fraction)
{
    return ++*(int *)user < 3;
}

TEST(a_stopped_denoiser_can_be_reset)
{
    int calls = 0;
    struct ebb_hooks hooks = {sizeof(hooks), .progress = stop_at_third, .user = &calls};
    size_t frames = 48000;
    float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
    struct ebb_denoise *d = create_heard("t=0.5", 48000, 1, &hooks);
    REQUIRE(ebb_denoise_write(d, in, frames, NULL) == EBB_CANCELLED);
    REQUIRE(calls == 3);
    REQUIRE(ebb_denoise_finish(d, NULL) == EBB_INVALID && ebb_denoise_write(d, in, 1, NULL) == EBB_INVALID);
    ebb_denoise_reset(d);
    REQUIRE_OK(ebb_denoise_set(d, "t", 0, e));
    REQUIRE(clean(d, in, out, frames, 1, 1000) == frames);
    REQUIRE(memcmp(in, out, frames * sizeof(float)) == 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(out);
}

TEST(the_removed_part_is_the_difference)
{
    size_t frames = 30000, got = 0;
    float *in = make_sound(frames, 2), *out = calloc(frames, 2 * sizeof(float)),
          *removed = calloc(frames, 2 * sizeof(float));
    REQUIRE(out && removed);
    struct ebb_denoise *d = create("t=0.6 wet=0.7", 44100, 2);
    REQUIRE_OK(ebb_denoise_write(d, in, frames, e));
    REQUIRE_OK(ebb_denoise_finish(d, e));
    while (got < frames)
        got += ebb_denoise_read(d, out + 2 * got, removed + 2 * got, 1000);
    float most = 0;
    for (size_t i = 0; i < 2 * frames; i++) {
        REQUIRE(out[i] == in[i] - removed[i]);
        most = fmaxf(most, fabsf(removed[i]));
    }
    REQUIRE(got == frames && most > 0.01f);

    float *alone = calloc(frames, 2 * sizeof(float));
    REQUIRE(alone);
    ebb_denoise_reset(d);
    REQUIRE_OK(ebb_denoise_write(d, in, frames, e));
    REQUIRE_OK(ebb_denoise_finish(d, e));
    REQUIRE(ebb_denoise_read(d, NULL, alone, frames) == frames && ebb_denoise_available(d) == 0);
    REQUIRE(memcmp(alone, removed, 2 * frames * sizeof(float)) == 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(out);
    free(removed);
    free(alone);
}

static void refuse(struct ebb_model *m, const char *words, int rate, int channels, enum ebb_result code,
                   const char *named)
{
    struct ebb_error error = {0};
    if (try_words(m, words, rate, channels, NULL, &error) || error.code != code ||
        !strstr(error.message, named))
        TEST_FAIL("%s: %s: %s", words, ebb_result_name(error.code), error.message);
}

TEST(what_is_not_possible_is_refused)
{
    struct ebb_model *sfx = open_tiny("tiny-sfx");
    struct ebb_error error;
    refuse(sfx, "", 48000, 1, EBB_WRONG_TYPE, "does not clean");
    refuse(tiny(), "", 999, 1, EBB_INVALID, "999 Hz");
    refuse(tiny(), "", 48000, 65, EBB_INVALID, "65 channels");
    refuse(tiny(), "t=1.01", 48000, 1, EBB_INVALID, "0 to 1");
    refuse(tiny(), "guidance=2", 48000, 1, EBB_NOT_FOUND, "guidance");
    struct ebb_recipe *generate = generating("");
    REQUIRE(!ebb_denoise_create(model, generate, 48000, 1, NULL, &error) && error.code == EBB_WRONG_TYPE);
    ebb_recipe_destroy(&generate);
    struct ebb_denoise *d = create("", 48000, 1);
    REQUIRE(ebb_denoise_set(d, "t", -0.5, NULL) == EBB_INVALID &&
            ebb_denoise_set(d, "t", INFINITY, NULL) == EBB_INVALID);
    REQUIRE(ebb_denoise_set(d, "wet", 2, NULL) == EBB_INVALID &&
            ebb_denoise_set(d, "steps", 0, NULL) == EBB_INVALID);
    REQUIRE(ebb_denoise_set(d, "seed", 1, &error) == EBB_INVALID &&
            strstr(error.message, "while sound runs"));
    REQUIRE(ebb_denoise_set(d, "colour", 1, NULL) == EBB_NOT_FOUND);
    model->info.latent = true; // known before the networks are loaded
    refuse(model, "", 48000, 1, EBB_UNSUPPORTED, "no autoencoder");
    model->info.latent = false;
    REQUIRE_OK(ebb_denoise_finish(d, e));
    float x = 0;
    REQUIRE(ebb_denoise_write(d, &x, 1, NULL) == EBB_INVALID);
    ebb_denoise_destroy(&d);
    ebb_model_close(&sfx);
    ebb_model_close(&model);
}

TEST(live_needs_so_many_frames)
{
    scratch_make("models/tiny-denoise");
    scratch_replace("ebb.json", "\"window_frames\": 64", "\"window_frames\": 8");
    struct ebb_model *small = open_at(scratch);
    struct ebb_error error;
    refuse(small, "", 48000, 1, EBB_UNSUPPORTED, "has 8 frames");
    refuse(small, "", 48000, 1, EBB_UNSUPPORTED, "needs 12");
    struct ebb_denoise *d = try_words(small, "live=false", 48000, 1, NULL, &error);
    REQUIRE(d);
    ebb_denoise_destroy(&d);
    ebb_model_close(&small);
    scratch_remove();
}

TEST_MAIN
