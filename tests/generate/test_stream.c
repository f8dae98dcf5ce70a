// SPDX-License-Identifier: LGPL-2.1-or-later
// Sound without end: any clip in any order, and no seam between them.
#include "tiny_model.h"
#include "../model/scratch.h"

static struct ebb_stream *stream_of(struct ebb_model *model, const char *words, const struct ebb_hooks *hooks,
                                    struct ebb_error *error)
{
    struct ebb_recipe *recipe = read_words(EBB_VERB_STREAM, words, error);
    struct ebb_stream *stream = recipe ? ebb_stream_create(model, recipe, hooks, error) : NULL;
    ebb_recipe_destroy(&recipe); // the stream keeps its own
    return stream;
}

static struct ebb_stream *open_stream(struct ebb_model *model, const char *words)
{
    struct ebb_error error;
    char all[200];
    snprintf(all, sizeof(all), "steps=2 %s", words);
    struct ebb_stream *stream = stream_of(model, all, NULL, &error);
    if (!stream)
        TEST_FAIL("%s: %s", words, error.message);
    return stream;
}

static void any_order(const char *seven, const char *eight)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *stream = open_stream(model, seven);
    enum { CLIPS = 6 };
    size_t n = ebb_stream_clip_length(stream), got;
    float *row = calloc(n, CLIPS * sizeof(float)), *one = calloc(n, sizeof(float));
    REQUIRE(row && one);

    // In a row, in pieces that do not fit the clips.
    for (size_t at = 0; at < CLIPS * n; at += got) {
        size_t part = CLIPS * n - at < 50001 ? CLIPS * n - at : 50001;
        REQUIRE_OK(ebb_stream_read(stream, row + at, part, &got, e));
        REQUIRE(got == part);
    }
    // Out of order, twice, from a stream that has seen others, and from one that has not.
    const int order[] = {4, 1, 5, 0, 1, 2, 3};
    for (int i = 0; i < 7; i++) {
        REQUIRE_OK(ebb_stream_clip(stream, order[i], one, n, e));
        REQUIRE(memcmp(one, row + order[i] * n, n * sizeof(float)) == 0);
    }
    struct ebb_stream *fresh = open_stream(model, seven);
    ebb_stream_seek(fresh, 3 * n + 12345);
    REQUIRE_OK(ebb_stream_read(fresh, one, n, &got, e));
    REQUIRE(got == n && memcmp(one, row + 3 * n + 12345, n * sizeof(float)) == 0);

    struct ebb_stream *other = open_stream(model, eight);
    REQUIRE_OK(ebb_stream_clip(other, 1, one, n, e));
    REQUIRE(memcmp(one, row + n, n * sizeof(float)) != 0);

    ebb_stream_destroy(&stream);
    ebb_stream_destroy(&fresh);
    ebb_stream_destroy(&other);
    free(row);
    free(one);
    ebb_model_close(&model);
}

TEST(texture_clips_come_in_any_order)
{
    any_order("label=rain seed=7", "label=rain seed=8");
}

TEST(event_clips_come_in_any_order)
{
    any_order("label=kick seed=7", "label=kick seed=8");
}

TEST(events_end_in_silence)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *stream = open_stream(model, "label=bell num-clips=2");
    size_t n = ebb_stream_clip_length(stream), got;
    REQUIRE(n == 131072 + 12000);
    float *samples = calloc(n, 3 * sizeof(float));
    REQUIRE(samples);
    REQUIRE_OK(ebb_stream_read(stream, samples, 3 * n, &got, e));
    REQUIRE(got == 2 * n); // there are two
    for (size_t i = 0; i < 12000; i++)
        REQUIRE(samples[131072 + i] == 0);
    float peak = 0;
    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(samples[n + i]));
    REQUIRE(peak > 1e-5f && peak <= 1);
    REQUIRE(ebb_stream_clip(stream, 2, samples, n, NULL) == EBB_INVALID);
    ebb_stream_destroy(&stream);
    free(samples);
    ebb_model_close(&model);
}

// Mean power of `count` samples.
static double power(const float *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sum / count;
}

// How much one sample cannot be told from its neighbours: the second difference.
static double kink(const float *x)
{
    return fabs((double)x[-1] - 2 * x[0] + x[1]);
}

// Distance of the spectra before and after a sample, in dB: root mean square over the bands.
static double spectral_jump(struct ebb_mel *mel, const float *at)
{
    enum { SPAN = 4096 };
    static float before[128 * 9], after[128 * 9];
    REQUIRE_OK(ebb_mel_analyse(mel, at - SPAN, SPAN, before, e));
    REQUIRE_OK(ebb_mel_analyse(mel, at, SPAN, after, e));
    double sum = 0;
    for (int band = 0; band < 128; band++) {
        double difference = 0;
        for (int i = 2; i < 7; i++) // frames that see no edge
            difference += (after[band * 9 + i] - before[band * 9 + i]) * 50 / 5;
        sum += difference * difference / 128;
    }
    return sqrt(sum);
}

// `statistic` at the turns between windows is not larger than it is elsewhere.
TEST(no_seam_where_windows_meet)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *stream = open_stream(model, "label=rain seed=5");
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    enum { CLIPS = 8 };
    size_t n = ebb_stream_clip_length(stream), total = CLIPS * n, got, turn = 131072 / 8;
    float *x = calloc(total, sizeof(float));
    REQUIRE(x && mel);
    REQUIRE_OK(ebb_stream_read(stream, x, total, &got, e));
    REQUIRE(got == total);

    double kink_here = 0, kink_there = 0, jump_here = 0, jump_there = 0, level_here = 0, level_there = 0;
    int elsewhere = 0;
    for (size_t clip = 1; clip < CLIPS; clip++) {
        const float *at = x + clip * n + turn; // where the sound turns from one window to the next
        for (int i = -64; i < 64; i++)
            kink_here = larger(kink_here, kink(at + i));
        jump_here += spectral_jump(mel, at) / (CLIPS - 1);
        level_here += fabs(10 * log10(power(at, 4096) / power(at - 4096, 4096))) / (CLIPS - 1);
        for (size_t step = 8192; step + 16384 < n; step += 8192, elsewhere++) {
            for (int i = -64; i < 64; i++)
                kink_there = larger(kink_there, kink(at + step + i));
            jump_there += spectral_jump(mel, at + step);
            level_there += fabs(10 * log10(power(at + step, 4096) / power(at + step - 4096, 4096)));
        }
    }
    printf("# kink %.2g (elsewhere %.2g), spectral jump %.2f dB (%.2f), level %.2f dB (%.2f)\n", kink_here,
           kink_there, jump_here, jump_there / elsewhere, level_here, level_there / elsewhere);
    REQUIRE(kink_here < 1.2 * kink_there);
    REQUIRE(jump_here < 1.3 * jump_there / elsewhere);
    REQUIRE(level_here < 0.5 + 1.5 * level_there / elsewhere);
    ebb_stream_destroy(&stream);
    ebb_mel_destroy(&mel);
    free(x);
    ebb_model_close(&model);
}

struct stopper {
    int calls, stop_at;
};

static bool stop(void *user, double fraction)
{
    struct stopper *s = user;
    return ++s->calls != s->stop_at;
}

TEST(a_stopped_clip_can_be_asked_for_again)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *plain = open_stream(model, "label=rain seed=5");
    size_t n = ebb_stream_clip_length(plain);
    float *want = calloc(n, sizeof(float)), *got = calloc(n, sizeof(float));
    REQUIRE(want && got);
    REQUIRE_OK(ebb_stream_clip(plain, 1, want, n, e));

    struct stopper s = {0};
    struct ebb_hooks hooks = {sizeof(hooks), .progress = stop, .user = &s};
    for (int at = 1; at <= 6; at++) { // three windows of two evaluations
        struct ebb_stream *stream = stream_of(model, "label=rain seed=5 steps=2", &hooks, NULL);
        REQUIRE(stream);
        s = (struct stopper){.stop_at = at};
        REQUIRE(ebb_stream_clip(stream, 1, got, n, NULL) == EBB_CANCELLED);
        REQUIRE(s.calls == at);
        REQUIRE_OK(ebb_stream_clip(stream, 1, got, n, e));
        REQUIRE(memcmp(got, want, n * sizeof(float)) == 0);
        ebb_stream_destroy(&stream);
    }
    ebb_stream_destroy(&plain);
    free(want);
    free(got);
    ebb_model_close(&model);
}

// As of a caller that was compiled when the struct had fewer fields.
TEST(hooks_end_where_their_size_says)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_counts counts = {.evals = -1};
    struct ebb_hooks hooks = {.size = offsetof(struct ebb_hooks, counts), .counts = &counts};
    float *samples = NULL;
    for (int whole = 0; whole < 2; whole++) {
        struct ebb_stream *stream = stream_of(model, "label=rain seed=5 steps=2", &hooks, NULL);
        REQUIRE(stream);
        size_t n = ebb_stream_clip_length(stream);
        REQUIRE((samples = realloc(samples, n * sizeof(float))));
        REQUIRE_OK(ebb_stream_clip(stream, 1, samples, n, e));
        REQUIRE(counts.evals == (whole ? 2 : -1));
        ebb_stream_destroy(&stream);
        hooks.size = sizeof(hooks);
    }
    free(samples);
    ebb_model_close(&model);
}

TEST(crossfades_set_the_length_of_clips)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_error error;
    struct ebb_stream *stream = open_stream(model, "label=wind crossfade=1.3"); // 15.2 columns of 85 ms: 15
    REQUIRE(ebb_stream_clip_length(stream) == (32 - 15) * 8 * 512);
    ebb_stream_destroy(&stream);
    REQUIRE(!stream_of(model, "label=wind crossfade=1.4", NULL, &error) &&
            strstr(error.message, "0 to 1.36"));
    REQUIRE(!stream_of(model, "label=wind crossfade=-0.01", NULL, &error) && error.code == EBB_INVALID);
    stream = open_stream(model, "label=wind crossfade=0"); // as little as the timeline can
    REQUIRE(ebb_stream_clip_length(stream) > 28 * 8 * 512 && ebb_stream_clip_length(stream) < 32 * 8 * 512);
    ebb_stream_destroy(&stream);
    stream = open_stream(model, "label=kick crossfade=60"); // events have none
    ebb_stream_destroy(&stream);
    REQUIRE(!stream_of(model, "label=wind gap=-1", NULL, &error) && strstr(error.message, "gap"));
    ebb_model_close(&model);
}

TEST(gaps_are_behind_events_alone)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *texture = open_stream(model, ""), *with = open_stream(model, "label=kick");
    struct ebb_stream *without = open_stream(model, "label=kick gap=0");
    REQUIRE(ebb_stream_gap(texture) == 0); // the default label is a texture
    REQUIRE(ebb_stream_gap(with) == 12000 && ebb_stream_gap(without) == 0);
    REQUIRE(ebb_stream_clip_length(with) == ebb_stream_clip_length(without) + 12000);

    size_t n = ebb_stream_clip_length(without);
    float *a = calloc(n, sizeof(float)), *b = calloc(n, sizeof(float));
    REQUIRE(a && b);
    REQUIRE_OK(ebb_stream_clip(with, 1, a, n, e)); // the silence left out
    REQUIRE_OK(ebb_stream_clip(without, 1, b, n, e));
    REQUIRE(memcmp(a, b, n * sizeof(float)) == 0);
    REQUIRE(ebb_stream_clip(with, 1, a, n - 1, NULL) == EBB_INVALID);
    free(a);
    free(b);
    ebb_stream_destroy(&texture);
    ebb_stream_destroy(&with);
    ebb_stream_destroy(&without);
    ebb_model_close(&model);
}

TEST(a_stream_obeys_guidance_times)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *always = open_stream(model, "label=kick guidance=4 gap=0");
    struct ebb_stream *never = open_stream(model,
                                           "label=kick guidance=4 gap=0 guidance-from=0 guidance-to=0");
    struct ebb_stream *plain = open_stream(model, "label=kick guidance=1 gap=0");
    size_t n = ebb_stream_clip_length(always);
    float *a = calloc(n, 3 * sizeof(float));
    REQUIRE(a);
    REQUIRE_OK(ebb_stream_clip(always, 0, a, n, e));
    REQUIRE_OK(ebb_stream_clip(never, 0, a + n, n, e));
    REQUIRE_OK(ebb_stream_clip(plain, 0, a + 2 * n, n, e));
    REQUIRE(memcmp(a + n, a + 2 * n, n * sizeof(float)) == 0 && memcmp(a, a + n, n * sizeof(float)) != 0);
    free(a);
    ebb_stream_destroy(&always);
    ebb_stream_destroy(&never);
    ebb_stream_destroy(&plain);
    ebb_model_close(&model);
}

TEST(a_stream_of_nothing_is_all_defaults)
{
    struct ebb_model *model = open_tiny("tiny-sfx"), *cleaner = open_tiny("tiny-denoise");
    struct ebb_error error;
    struct ebb_stream *stream = ebb_stream_create(model, NULL, NULL, &error);
    REQUIRE(stream && ebb_stream_gap(stream) == 0);
    ebb_stream_destroy(&stream);
    struct ebb_recipe *recipe = generating("label=rain");
    REQUIRE(!ebb_stream_create(model, recipe, NULL, &error) && error.code == EBB_WRONG_TYPE);
    REQUIRE(!ebb_stream_create(cleaner, NULL, NULL, &error) && error.code == EBB_WRONG_TYPE);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    ebb_model_close(&cleaner);
}

// 256 samples: less than the 10 ms that an end fades. A window of them cannot be held by its neighbours.
TEST(windows_shorter_than_a_fade)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"hop\": 512", "\"hop\": 1");
    struct ebb_model *model = open_at(scratch);
    struct ebb_error error;
    struct ebb_stream *stream = stream_of(model, "label=kick steps=1 gap=0", NULL, &error);
    REQUIRE(stream && ebb_stream_clip_length(stream) == 256);
    float room[1024];
    for (int i = 0; i < 1024; i++)
        room[i] = 7;
    REQUIRE_OK(ebb_stream_clip(stream, 0, room + 768, 256, e));
    for (int i = 0; i < 768; i++)
        REQUIRE(room[i] == 7);
    REQUIRE(fabsf(room[1023]) < 1e-4f);
    ebb_stream_destroy(&stream);

    REQUIRE(!stream_of(model, "label=rain steps=1", NULL, &error) && error.code == EBB_UNSUPPORTED);
    if (!strstr(error.message, "1024 frames") || !strstr(error.message, "at most 8"))
        TEST_FAIL("%s", error.message);
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
