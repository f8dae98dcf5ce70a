// SPDX-License-Identifier: LGPL-2.1-or-later
// Two channels: how alike they are follows from the width, in textures, events, streams and loops.
#include "tiny_model.h"
#include "../model/scratch.h"

#define QUICK "steps=3 phase-iterations=8 "

// A sound of two channels, to be freed.
static float *make_stereo(struct ebb_model *model, const char *words, size_t *count)
{
    char all[300];
    snprintf(all, sizeof(all), QUICK "channels=2 %s", words);
    struct ebb_recipe *recipe = generating(all);
    REQUIRE(ebb_generate_channels(recipe) == 2);
    *count = ebb_generate_length(model, recipe, NULL);
    float *samples = calloc(2 * *count + 2, sizeof(float));
    REQUIRE(samples && *count > 0);
    REQUIRE_OK(ebb_generate(model, recipe, samples, *count, NULL, e));
    ebb_recipe_destroy(&recipe);
    for (size_t i = 0; i < 2 * *count; i++)
        REQUIRE(isfinite(samples[i]) && fabsf(samples[i]) <= 1);
    return samples;
}

static double alike(const float *x, size_t from, size_t to)
{
    double ll = 1e-30, rr = 1e-30, lr = 0;
    for (size_t i = from; i < to; i++) {
        ll += (double)x[2 * i] * x[2 * i];
        rr += (double)x[2 * i + 1] * x[2 * i + 1];
        lr += (double)x[2 * i] * x[2 * i + 1];
    }
    return lr / sqrt(ll * rr);
}

static double alike_of(struct ebb_model *model, const char *words)
{
    size_t count;
    float *x = make_stereo(model, words, &count);
    double result = alike(x, 0, count);
    free(x);
    return result;
}

static bool has_left(struct ebb_model *model, const char *words, const char *plain)
{
    size_t count, mono_count;
    char all[300];
    snprintf(all, sizeof(all), QUICK "%s", plain);
    float *x = make_stereo(model, words, &count), *mono = make(model, all, &mono_count);
    bool same = count == mono_count;
    for (size_t i = 0; i < count && same; i++)
        same = x[2 * i] == mono[i];
    free(x);
    free(mono);
    return same;
}

// Of the shipped model: a small change of its noise is a small change of its mel, which a network of random
// weights does not promise.
TEST(the_width_says_how_alike_the_channels_are)
{
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/../models/sfx", data ? data : "tests");
    struct ebb_model *model = open_at(path);
    static const char *const kinds[] = {"label=rain seed=1", "label=rain seed=1 seconds=5",
                                        "label=rain seed=1 seconds=2.5 loop=true"};
    for (int i = 0; i < 3; i++) {
        char words[200];
        double found[3];
        static const char *const widths[] = {"0.3", "0.6", "1"};
        for (int w = 0; w < 3; w++) {
            snprintf(words, sizeof(words), "%s width=%s", kinds[i], widths[w]);
            found[w] = alike_of(model, words);
        }
        printf("# %s: %.2f %.2f %.2f\n", kinds[i], found[0], found[1], found[2]);
        REQUIRE(found[0] > 0.6 && found[1] < found[0] - 0.1 && found[1] > 0.25 && fabs(found[2]) < 0.15);
    }
    ebb_model_close(&model);
}

// Over several windows, of the shipped model: no ambience leans to one side.
TEST(the_channels_are_equally_loud)
{
    static const char *const labels[] = {"fire", "engine"};
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096], words[200];
    snprintf(path, sizeof(path), "%s/../models/sfx", data ? data : "tests");
    struct ebb_model *model = open_at(path);
    for (int i = 0; i < 2; i++) {
        size_t count;
        double left = 0, right = 0;
        snprintf(words, sizeof(words), "label=%s seed=1 width=1 seconds=6", labels[i]);
        float *x = make_stereo(model, words, &count);
        for (size_t k = 0; k < count; k++) {
            left += (double)x[2 * k] * x[2 * k];
            right += (double)x[2 * k + 1] * x[2 * k + 1];
        }
        printf("# %s: %+.2f dB\n", words, 10 * log10(left / right));
        REQUIRE(fabs(10 * log10(left / right)) < 1);
        free(x);
    }
    ebb_model_close(&model);
}

TEST(width_0_is_one_sound_twice)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static const char *const kinds[] = {"label=rain", "label=kick", "label=rain seconds=4",
                                        "label=rain loop=true seconds=1", "label=kick loop=true seconds=1"};
    for (int i = 0; i < 5; i++) {
        char words[200];
        size_t count;
        snprintf(words, sizeof(words), "%s width=0", kinds[i]);
        float *x = make_stereo(model, words, &count);
        for (size_t k = 0; k < count; k++)
            REQUIRE(x[2 * k] == x[2 * k + 1]);
        free(x);
        REQUIRE(has_left(model, words, kinds[i])); // which is the one of a single channel
    }
    ebb_model_close(&model);
}

TEST(an_event_stays_in_the_middle_and_its_tail_is_wide)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    size_t count, loudest = 0;
    float *x = make_stereo(model, "label=kick width=1 seed=4", &count), most = 0;
    double blocks = 0;
    for (size_t at = 0; at + 480 <= count; at += 480) {
        double sum = 0;
        for (size_t i = at; i < at + 480; i++)
            sum += (double)x[2 * i] * x[2 * i];
        loudest = sum > blocks ? at : loudest;
        blocks = sum > blocks ? sum : blocks;
    }
    for (size_t i = 0; i < loudest + 480 + 2400 && i < count; i++)
        most = fmaxf(most, fabsf(x[2 * i] - x[2 * i + 1]));
    printf("# loudest at %.2f s of %.2f\n", loudest / 48000.0, count / 48000.0);
    REQUIRE(most == 0);
    size_t tail = loudest + 2880 + 3 * 4096;
    REQUIRE(tail >= count || alike(x, tail, count) < 0.5);
    free(x);
    ebb_model_close(&model);
}

TEST(a_stream_has_two_channels_where_it_has_a_width)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static const char *const labels[] = {"rain", "kick"};
    for (int i = 0; i < 2; i++) {
        char words[200];
        snprintf(words, sizeof(words), QUICK "label=%s seed=3 width=0.7 num-clips=4", labels[i]);
        struct ebb_recipe *recipe = recipe_of(EBB_VERB_STREAM, words);
        struct ebb_stream *stream = ebb_stream_create(model, recipe, NULL, NULL);
        REQUIRE(stream && ebb_stream_channels(stream) == 2);
        size_t n = ebb_stream_clip_length(stream), got;
        float *row = calloc(4 * n, 2 * sizeof(float)), *one = calloc(n, 2 * sizeof(float));
        REQUIRE(row && one);
        for (size_t at = 0; at < 4 * n; at += got) // in pieces that do not fit the clips
            REQUIRE_OK(
                ebb_stream_read(stream, row + 2 * at, 4 * n - at < 50001 ? 4 * n - at : 50001, &got, e));
        static const int order[] = {2, 0, 3, 1};
        struct ebb_stream *other = ebb_stream_create(model, recipe, NULL, NULL);
        for (int k = 0; k < 4; k++) { // out of order, the same bits
            REQUIRE_OK(ebb_stream_clip(other, order[k], one, n, e));
            REQUIRE(memcmp(one, row + 2 * order[k] * n, 2 * n * sizeof(float)) == 0);
        }
        REQUIRE(alike(row, n, 3 * n) < 0.999);
        ebb_stream_destroy(&stream);
        ebb_stream_destroy(&other);
        ebb_recipe_destroy(&recipe);
        free(row);
        free(one);
    }
    struct ebb_stream *plain = ebb_stream_create(model, NULL, NULL, NULL);
    REQUIRE(plain && ebb_stream_channels(plain) == 1);
    ebb_stream_destroy(&plain);
    ebb_model_close(&model);
}

static void refused(struct ebb_model *model, const char *words, enum ebb_result code, const char *named)
{
    struct ebb_error error;
    if (refusal(model, words, &error) != code || !strstr(error.message, named))
        TEST_FAIL("%s: code %d, \"%s\"", words, (int)error.code, error.message);
}

TEST(what_makes_no_sense_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    refused(model, "channels=3", EBB_INVALID, "1 to 2");
    refused(model, "channels=0", EBB_INVALID, "1 to 2");
    refused(model, "channels=2 width=1.5", EBB_INVALID, "0 to 1");
    refused(model, "channels=2 width=-0.1", EBB_INVALID, "0 to 1");
    refused(model, "width=0.5", EBB_INVALID, "for two channels");
    refused(model, "channels=2 noise=torch", EBB_UNSUPPORTED, "torch");
    REQUIRE(ebb_generate_channels(NULL) == 1);
    ebb_model_close(&model);
}

TEST_MAIN
