// SPDX-License-Identifier: LGPL-2.1-or-later
// Loops: the end runs into the start.
#include "tiny_model.h"
#include "../model/scratch.h"

#define QUICK "loop=true steps=3 phase-iterations=4 "

static double kink(const float *x, size_t count, size_t at)
{
    return fabs((double)x[(at + count - 1) % count] - 2 * x[at % count] + x[(at + 1) % count]);
}

static double power(const float *x, size_t count, size_t from, size_t span)
{
    double sum = 0;
    for (size_t i = 0; i < span; i++)
        sum += (double)x[(from + i) % count] * x[(from + i) % count] / span;
    return sum;
}

// Change of the level over `span` samples before and after, in dB.
static double level_change(const float *x, size_t count, size_t at, size_t span)
{
    return 10 * fabs(log10(power(x, count, at, span) / power(x, count, at + count - span, span)));
}

// Distance of the spectra of the 4096 samples before and after, in dB: root mean square over the bands.
static double spectral_jump(struct ebb_mel *mel, const float *x, size_t count, size_t at)
{
    enum { SPAN = 4096 };
    static float around[2 * SPAN], before[128 * 9], after[128 * 9];
    for (size_t i = 0; i < 2 * SPAN; i++)
        around[i] = x[(at + count - SPAN + i) % count];
    REQUIRE_OK(ebb_mel_analyse(mel, around, SPAN, before, e));
    REQUIRE_OK(ebb_mel_analyse(mel, around + SPAN, SPAN, after, e));
    double sum = 0;
    for (int band = 0; band < 128; band++) {
        double difference = 0;
        for (int i = 2; i < 7; i++) // frames that see no edge
            difference += (after[band * 9 + i] - before[band * 9 + i]) * 50 / 5;
        sum += difference * difference / 128;
    }
    return sqrt(sum);
}

// Means over loops of several lengths: at the join, and everywhere else.
struct seam {
    double kink[2], level[2], jump[2];
};

static struct seam seam_of(struct ebb_model *model, const char *more)
{
    static const char *const lengths[] = {"1", "2.7", "3.217", "5.3", "7.777", "12"};
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    struct seam s = {0};
    for (int i = 0; i < 6; i++) {
        char words[200];
        size_t count, elsewhere = 0;
        snprintf(words, sizeof(words), "steps=3 phase-iterations=4 label=rain seed=%d seconds=%s %s", i,
                 lengths[i], more);
        float *x = make(model, words, &count);
        struct seam one = {0};
        for (size_t at = 2400; at + 2400 < count; at += 1200, elsewhere++) {
            one.kink[1] += kink(x, count, at);
            one.level[1] += level_change(x, count, at, 240);
            one.jump[1] += spectral_jump(mel, x, count, at);
        }
        s.kink[0] += kink(x, count, 0) / 6;
        s.level[0] += level_change(x, count, 0, 240) / 6;
        s.jump[0] += spectral_jump(mel, x, count, 0) / 6;
        s.kink[1] += one.kink[1] / elsewhere / 6;
        s.level[1] += one.level[1] / elsewhere / 6;
        s.jump[1] += one.jump[1] / elsewhere / 6;
        free(x);
    }
    ebb_mel_destroy(&mel);
    printf("# %s: kink %.2g (elsewhere %.2g), level %.2f dB (%.2f), spectrum %.2f dB (%.2f)\n", more,
           s.kink[0], s.kink[1], s.level[0], s.level[1], s.jump[0], s.jump[1]);
    return s;
}

static bool is_seamless(const struct seam *s)
{
    return s->kink[0] < 2 * s->kink[1] && s->level[0] < 0.5 + 1.5 * s->level[1] &&
           s->jump[0] < 1.3 * s->jump[1];
}

TEST(the_end_runs_into_the_start)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct seam loop = seam_of(model, "loop=true"), plain = seam_of(model, "");
    REQUIRE(is_seamless(&loop));
    REQUIRE(!is_seamless(&plain)); // the measures tell a loop from a sound that ends
    ebb_model_close(&model);
}

TEST(models_without_an_autoencoder_loop_too)
{
    struct ebb_model *model = open_tiny("tiny-direct");
    size_t count;
    float *x = make(model, QUICK "seconds=2", &count);
    REQUIRE(count == 2 * (size_t)ebb_model_info(model)->sample_rate);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += kink(x, count, i) / count;
    REQUIRE(sum > 0 && kink(x, count, 0) < 6 * sum);
    free(x);
    ebb_model_close(&model);
}

TEST(lengths_are_to_the_sample)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const char *const words[] = {"seconds=0",       "seconds=0.46", "seconds=1.00001", "seconds=2.72",
                                 "seconds=6.11113", "seconds=0.1",  "seconds=0.31113", "seconds=0.45"};
    const size_t want[] = {131072, 22080, 48000, 130560, 293334, 4800, 14934, 21600};
    for (int i = 0; i < 8; i++) {
        char all[200];
        size_t count;
        snprintf(all, sizeof(all), QUICK "label=rain %s", words[i]);
        float *x = make(model, all, &count);
        REQUIRE(count == want[i]);
        for (size_t k = 0; k < count; k++)
            REQUIRE(isfinite(x[k]) && fabsf(x[k]) <= 1);
        REQUIRE(power(x, count, 0, 480) > 1e-12); // no fade
        REQUIRE(power(x, count, count - 480, 480) > 1e-12);
        free(x);
    }
    ebb_model_close(&model);
}

TEST(a_loop_follows_from_its_recipe_alone)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const char *plain = QUICK "label=rain seconds=3 seed=2";
    const char *const others[] = {"label=rain seconds=3 seed=3", "label=rain seconds=3 seed=2 index=1",
                                  "label=wind seconds=3 seed=2", "label=rain seconds=3 seed=2 guidance=4"};
    REQUIRE(same(model, plain, model, plain));
    for (int i = 0; i < 4; i++) {
        char words[200];
        snprintf(words, sizeof(words), QUICK "%s", others[i]);
        REQUIRE(!same(model, plain, model, words));
    }
    REQUIRE(same(model, plain, model, plain));
    ebb_model_close(&model);
}

// A loop that is shorter than a ring can be: no step at its join, and its two halves, of which one is folded,
// are about as loud.
TEST(short_loops_have_no_seam)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    double at_join = 0, elsewhere = 0, halves = 0;
    for (int i = 0; i < 12; i++) {
        char words[200];
        size_t count;
        snprintf(words, sizeof(words), QUICK "label=rain seed=%d seconds=%g", i, 0.1 + 0.03 * i);
        float *x = make(model, words, &count);
        for (size_t at = 0; at < count; at++)
            elsewhere += kink(x, count, at) / (double)count;
        at_join += kink(x, count, 0);
        halves += 10 * log10(power(x, count, 0, count / 2) / power(x, count, count / 2, count / 2)) / 12;
        free(x);
    }
    printf("# kink %.2g (elsewhere %.2g), first half %+.2f dB\n", at_join / 12, elsewhere / 12, halves);
    REQUIRE(at_join < 2 * elsewhere && fabs(halves) < 2.5); // the deviation of this mean is 0.9 dB
    ebb_model_close(&model);
}

// The definition: the event again and again, every so many samples, each ringing on into the next.
TEST(an_event_comes_once_a_round)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static const char *const lengths[] = {"0.1", "0.7", "2.731", "4"};
    size_t whole, count;
    float *event = make(model, "label=kick steps=3 phase-iterations=4", &whole);
    double peak = 0;
    for (size_t i = 0; i < whole; i++)
        peak = fabs(event[i]) > peak ? fabs(event[i]) : peak;
    for (int i = 0; i < 4; i++) {
        char words[200];
        snprintf(words, sizeof(words), QUICK "label=kick seconds=%s", lengths[i]);
        float *loop = make(model, words, &count);
        double *want = calloc(count, sizeof(*want)), most = 0;
        REQUIRE(want);
        for (size_t k = 0; k < whole; k++)
            want[k % count] += event[k];
        for (size_t k = 0; k < count; k++)
            most = fabs(want[k]) > most ? fabs(want[k]) : most;
        for (size_t k = 0; k < count && most < 0.89 && peak < 0.89; k++) // louder ones are brought down
            REQUIRE(fabs(loop[k] - want[k]) < 1e-6);
        REQUIRE(most > 0);
        free(loop);
        free(want);
    }
    free(event);
    ebb_model_close(&model);
}

TEST(a_stream_of_a_loop_is_the_loop_again_and_again)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_STREAM, QUICK "label=rain seconds=1.5 num-clips=3");
    struct ebb_stream *stream = ebb_stream_create(model, recipe, NULL, NULL);
    REQUIRE(stream && ebb_stream_clip_length(stream) == 72000 && ebb_stream_gap(stream) == 0);
    size_t count, got;
    float *loop = make(model, QUICK "label=rain seconds=1.5", &count), *x = calloc(4 * 72000, sizeof(float));
    REQUIRE(x);
    REQUIRE_OK(ebb_stream_read(stream, x, 4 * 72000, &got, e));
    REQUIRE(got == 3 * 72000);
    for (int i = 0; i < 3; i++)
        REQUIRE(memcmp(x + i * 72000, loop, count * sizeof(float)) == 0);
    REQUIRE_OK(ebb_stream_clip(stream, 2, x, 72000, e));
    REQUIRE(memcmp(x, loop, count * sizeof(float)) == 0);
    ebb_stream_destroy(&stream);
    ebb_recipe_destroy(&recipe);
    free(loop);
    free(x);
    ebb_model_close(&model);
}

TEST(progress_rises_to_1_and_stops_the_call)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_recipe *recipe = generating(QUICK "label=rain seconds=5");
    struct count c = {0};
    struct ebb_hooks hooks = {sizeof(hooks), .progress = count_calls, .user = &c};
    size_t count = ebb_generate_length(model, recipe, NULL);
    float *x = calloc(count, sizeof(float));
    REQUIRE(x);
    REQUIRE_OK(ebb_generate(model, recipe, x, count, &hooks, e));
    REQUIRE(c.last == 1 && !c.falls && c.calls > 8);
    for (int at = 1; at < c.calls; at += 3) {
        struct count stopping = {.stop_at = at};
        hooks.user = &stopping;
        REQUIRE(ebb_generate(model, recipe, x, count, &hooks, NULL) == EBB_CANCELLED && stopping.calls == at);
    }
    free(x);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

static void refused(struct ebb_model *model, const char *words, enum ebb_result code, const char *named)
{
    struct ebb_error error;
    if (refusal(model, words, &error) != code || !strstr(error.message, named))
        TEST_FAIL("%s: code %d, \"%s\"", words, (int)error.code, error.message);
}

TEST(what_makes_no_loop_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    refused(model, "loop=true label=rain seconds=0.09", EBB_INVALID,
            "a loop of 0.09 seconds, expected 0.1 to 86400");
    refused(model, "loop=true label=kick seconds=0.05", EBB_INVALID, "expected 0.1 to 86400");
    struct ebb_recipe *day = generating("loop=true label=rain seconds=86400");
    struct ebb_error error = {0};
    size_t count = ebb_generate_length(model, day, &error);
    float one; // no sample of it is written
    REQUIRE(count == (size_t)86400 * 48000);
    REQUIRE(ebb_generate(model, day, &one, count, NULL, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "at most 3600 are made in memory"));
    ebb_recipe_destroy(&day);
    struct ebb_recipe *stream = recipe_of(EBB_VERB_STREAM, "loop=true label=rain seconds=3601");
    REQUIRE(!ebb_stream_create(model, stream, NULL, &error) && strstr(error.message, "0.1 to 3600"));
    ebb_recipe_destroy(&stream);
    refused(model, "loop=true label=rain noise=torch", EBB_UNSUPPORTED, "torch");
    refused(model, "loop=maybe", EBB_INVALID, "loop");
    ebb_model_close(&model);
    model = open_tiny("tiny-led");
    refused(model, "loop=true label=rain classifier-guidance=1", EBB_UNSUPPORTED, "classifier-guidance");
    ebb_model_close(&model);
}

TEST_MAIN
