// Cleaning: what comes out, when, and what it costs to hold.
#include <malloc.h>

#include "engine.h"
#include "../model/scratch.h"
#include "model/folder.h"

static struct ebb_model *model; // opened by the first test that needs it, closed by the last

static struct ebb_denoise_params defaults(void)
{
    struct ebb_denoise_params p;
    ebb_denoise_params_default(&p);
    p.steps = 1;
    p.live = true;
    return p;
}

static struct ebb_model *tiny(void)
{
    if (!model)
        model = open_tiny("tiny-denoise");
    return model;
}

static struct ebb_denoise *create(const struct ebb_denoise_params *p, int rate, int channels)
{
    struct ebb_error error;
    struct ebb_denoise *denoise = ebb_denoise_create(tiny(), p, rate, channels, &error);
    if (!denoise)
        TEST_FAIL("%s", error.message);
    return denoise;
}

// Noise and a tone, different in every channel.
static float *make_sound(size_t frames, int channels)
{
    float *x = malloc(frames * channels * sizeof(float) + 1);
    REQUIRE(x);
    uint32_t state = 1;
    for (size_t i = 0; i < frames * channels; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = 0.1f * ((state >> 8) * 0x1p-23f - 1) + 0.2f * sinf((float)(i / channels) * 0.03f * (1 + i % channels));
    }
    return x;
}

// Everything through, `block` frames at a time.
static size_t clean(struct ebb_denoise *d, const float *in, float *out, size_t frames, int channels, size_t block)
{
    size_t got = 0;
    for (size_t at = 0; at < frames; at += block) {
        size_t part = frames - at < block ? frames - at : block;
        REQUIRE_OK(ebb_denoise_write(d, in + at * channels, part, e));
        got += ebb_denoise_read(d, out + got * channels, ebb_denoise_available(d));
    }
    REQUIRE_OK(ebb_denoise_finish(d, e));
    got += ebb_denoise_read(d, out + got * channels, frames - got + 1);
    REQUIRE(ebb_denoise_available(d) == 0);
    return got;
}

TEST(t_0_returns_the_input_bit_for_bit)
{
    const int rates[] = {48000, 44100, 8000, 96000}, channels[] = {1, 2, 3, 1};
    for (int i = 0; i < 4; i++)
        for (int dry = 0; dry < 2; dry++) {
            struct ebb_denoise_params p = defaults();
            p.t = dry ? 0.8 : 0;
            p.wet = dry ? 0 : 1;
            p.live = i % 2;
            size_t frames = 30011;
            float *in = make_sound(frames, channels[i]), *out = calloc(frames + 1, channels[i] * sizeof(float));
            REQUIRE(out);
            struct ebb_denoise *d = create(&p, rates[i], channels[i]);
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
            struct ebb_denoise_params p = defaults();
            p.t = 0.6;
            struct ebb_denoise *d = create(&p, rates[r], 1);
            size_t frames = lengths[l], latency = ebb_denoise_latency(d), written = 0, got = 0;
            float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
            REQUIRE(out);
            if (latency >= (rates[r] < 16000 ? 0.4 : 0.3) * rates[r]) // resampling low rates takes long filters
                TEST_FAIL("rate %d: latency %zu", rates[r], latency);
            for (size_t at = 0; at < frames; at += 97) {
                size_t part = frames - at < 97 ? frames - at : 97;
                REQUIRE_OK(ebb_denoise_write(d, in + at, part, e));
                written += part;
                got += ebb_denoise_read(d, out + got, frames);
                if (got + latency < written)
                    TEST_FAIL("rate %d: %zu in, %zu out, latency %zu", rates[r], written, got, latency);
            }
            REQUIRE_OK(ebb_denoise_finish(d, e));
            got += ebb_denoise_read(d, out + got, frames + 1 - got);
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
        struct ebb_denoise_params p = defaults();
        p.t = 0.5;
        p.live = live;
        size_t frames = 60000;
        float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
        REQUIRE(out);
        struct ebb_denoise *d = create(&p, 44100, 1);
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
    float *in = make_sound(frames, 2), *first = calloc(frames, 2 * sizeof(float)), *out = calloc(frames, 2 * sizeof(float));
    REQUIRE(first && out);
    struct ebb_denoise_params p = defaults();
    p.t = 0.7;
    struct ebb_denoise *d = create(&p, 44100, 2);
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
    struct ebb_denoise_params p = defaults();
    p.t = 1;
    p.progress = count_calls;
    p.user = &count;
    size_t frames = 50000;
    float *in = calloc(frames, sizeof(float)), *out = calloc(frames + 1, sizeof(float));
    REQUIRE(in && out);
    struct ebb_denoise *d = create(&p, 48000, 1);
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

TEST(not_a_number_counts_as_silence)
{
    struct ebb_denoise_params p = defaults();
    p.t = 0.5;
    size_t frames = 9000;
    float *in = make_sound(frames, 1), *with = calloc(frames + 1, sizeof(float)), *want = calloc(frames + 1, sizeof(float));
    REQUIRE(with && want);
    struct ebb_denoise *d = create(&p, 48000, 1);
    in[777] = in[4000] = 0;
    clean(d, in, want, frames, 1, 1000);
    ebb_denoise_reset(d);
    in[777] = NAN;
    in[4000] = INFINITY;
    clean(d, in, with, frames, 1, 1000);
    REQUIRE(memcmp(with, want, frames * sizeof(float)) == 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(with);
    free(want);
}

TEST(wet_mixes)
{
    size_t frames = 30000;
    float *in = make_sound(frames, 1), *all = calloc(frames + 1, sizeof(float)), *half = calloc(frames + 1, sizeof(float));
    REQUIRE(all && half);
    struct ebb_denoise_params p = defaults();
    p.t = 0.6;
    struct ebb_denoise *d = create(&p, 48000, 1);
    clean(d, in, all, frames, 1, 1000);
    REQUIRE_OK(ebb_denoise_set_wet(d, 0.5, e));
    ebb_denoise_reset(d);
    clean(d, in, half, frames, 1, 1000);
    double removed = 0;
    for (size_t i = 0; i < frames; i++) {
        REQUIRE_NEAR(half[i], 0.5 * (in[i] + all[i]), 1e-6, "halfway");
        removed = fmax(removed, fabsf(in[i] - all[i]));
    }
    REQUIRE(removed > 0.01);
    ebb_denoise_destroy(&d);
    free(in);
    free(all);
    free(half);
}

// The largest second difference while a tone goes through, t moving between 0 and 1 or not. `change`: what was done at all.
static double roughest(bool turning, double *change)
{
    size_t frames = 96000, got = 0;
    float *in = malloc(frames * sizeof(float)), *out = calloc(frames + 1, sizeof(float));
    REQUIRE(in && out);
    for (size_t i = 0; i < frames; i++)
        in[i] = 0.5f * sinf(i * 0.05f);
    struct ebb_denoise_params p = defaults();
    p.t = 1;
    struct ebb_denoise *d = create(&p, 48000, 1);
    for (size_t at = 0; at < frames; at += 1000) {
        REQUIRE_OK(ebb_denoise_set_t(d, turning && at / 16000 % 2 ? 0 : 1, e));
        REQUIRE_OK(ebb_denoise_write(d, in + at, 1000, e));
        got += ebb_denoise_read(d, out + got, frames);
    }
    REQUIRE_OK(ebb_denoise_finish(d, e));
    got += ebb_denoise_read(d, out + got, frames);
    double worst = 0;
    for (size_t i = 2000; i + 2000 < got; i++) {
        worst = fmax(worst, fabs(out[i - 1] - 2 * out[i] + out[i + 1]));
        *change = fmax(*change, fabs(out[i] - in[i]));
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
    struct ebb_denoise_params p = defaults();
    p.t = EBB_T_AUTO;
    double t[2];
    for (int noisy = 0; noisy < 2; noisy++) {
        size_t frames = 96000;
        float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
        REQUIRE(out);
        for (size_t i = 0; i < frames && !noisy; i++)
            in[i] *= i / 12000 % 2 ? 1 : 0.01f; // pauses that tell the floor
        struct ebb_denoise *d = create(&p, 48000, 1);
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
    struct ebb_auto_point by_snr = {0, 0.7}, by_doubt = {0, 0};
    size_t frames = 60000;
    float *in = make_sound(frames, 1), *out[2] = {calloc(frames + 1, sizeof(float)), calloc(frames + 1, sizeof(float))};
    REQUIRE(out[0] && out[1]);
    struct ebb_denoise_params p = defaults();
    struct ebb_auto_t auto_t = tiny()->auto_t, auto_doubt = tiny()->auto_doubt;
    for (int i = 0; i < 2; i++) {
        by_doubt.t = doubts[i];
        model->auto_t = (struct ebb_auto_t){&by_snr, 1};
        model->auto_doubt = (struct ebb_auto_t){&by_doubt, 1};
        for (int fixed = 0; fixed < 2; fixed++) {
            p.t = fixed ? expected[i] : EBB_T_AUTO;
            struct ebb_denoise *d = create(&p, 48000, 1);
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

TEST(memory_is_flat)
{
    struct ebb_denoise_params p = defaults();
    p.t = 0.5;
    struct ebb_denoise *d = create(&p, 44100, 2);
    float *in = make_sound(4410, 2), *out = calloc(4410 * 8, 2 * sizeof(float));
    REQUIRE(out);
    size_t early = 0;
    for (int i = 0; i < 300; i++) { // 30 s
        REQUIRE_OK(ebb_denoise_write(d, in, 4410, e));
        ebb_denoise_read(d, out, 4410 * 8);
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
    struct ebb_denoise_params p = defaults();
    p.t = 0.5;
    p.progress = stop_at_third;
    p.user = &calls;
    size_t frames = 48000;
    float *in = make_sound(frames, 1), *out = calloc(frames + 1, sizeof(float));
    struct ebb_denoise *d = create(&p, 48000, 1);
    REQUIRE(ebb_denoise_write(d, in, frames, NULL) == EBB_CANCELLED);
    REQUIRE(calls == 3);
    REQUIRE(ebb_denoise_finish(d, NULL) == EBB_INVALID && ebb_denoise_write(d, in, 1, NULL) == EBB_INVALID);
    ebb_denoise_reset(d);
    REQUIRE_OK(ebb_denoise_set_t(d, 0, e));
    REQUIRE(clean(d, in, out, frames, 1, 1000) == frames);
    REQUIRE(memcmp(in, out, frames * sizeof(float)) == 0);
    ebb_denoise_destroy(&d);
    free(in);
    free(out);
}

TEST(what_is_not_possible_is_refused)
{
    struct ebb_denoise_params p = defaults();
    struct ebb_model *sfx = open_tiny("tiny-sfx");
    struct ebb_error error;
    REQUIRE(!ebb_denoise_create(sfx, &p, 48000, 1, &error) && error.code == EBB_WRONG_TYPE);
    REQUIRE(!ebb_denoise_create(model, &p, 999, 1, &error) && error.code == EBB_INVALID);
    REQUIRE(!ebb_denoise_create(model, &p, 48000, 65, &error) && error.code == EBB_INVALID);
    p.t = 1.01;
    REQUIRE(!ebb_denoise_create(model, &p, 48000, 1, &error) && error.code == EBB_INVALID);
    p = defaults();
    struct ebb_denoise *d = create(&p, 48000, 1);
    REQUIRE(ebb_denoise_set_t(d, -0.5, NULL) == EBB_INVALID && ebb_denoise_set_t(d, NAN, NULL) == EBB_INVALID);
    REQUIRE(ebb_denoise_set_wet(d, 2, NULL) == EBB_INVALID && ebb_denoise_set_steps(d, -1, NULL) == EBB_INVALID);
    model->info.latent = true; // known before the networks are loaded
    REQUIRE(!ebb_denoise_create(model, &p, 48000, 1, &error) && error.code == EBB_UNSUPPORTED);
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
    struct ebb_denoise_params p = defaults();
    struct ebb_error error;
    REQUIRE(!ebb_denoise_create(small, &p, 48000, 1, &error) && error.code == EBB_UNSUPPORTED);
    if (!strstr(error.message, "has 8 frames") || !strstr(error.message, "needs 12"))
        TEST_FAIL("%s", error.message);
    p.live = false;
    struct ebb_denoise *d = ebb_denoise_create(small, &p, 48000, 1, &error);
    REQUIRE(d);
    ebb_denoise_destroy(&d);
    ebb_model_close(&small);
    scratch_remove();
}

TEST_MAIN
