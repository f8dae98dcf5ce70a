// SPDX-License-Identifier: LGPL-2.1-or-later
// One sound: it depends on seed and index alone, and its process is that of diffusers.
#include "tiny_model.h"

#define QUICK "phase-iterations=2 "

TEST(a_sound_follows_from_its_recipe_alone)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const char *plain = QUICK "label=kick index=3";
    const char *const others[] = {"label=kick index=4",
                                  "label=kick index=3 seed=1",
                                  "label=wind index=3",
                                  "index=3",
                                  "label=kick index=3 guidance=1",
                                  "label=kick index=3 steps=5"};
    REQUIRE(same(model, plain, model, plain));
    for (int i = 0; i < 6; i++) { // each leaves other states in the buffers: the next sound must not see them
        char words[200];
        snprintf(words, sizeof(words), QUICK "%s", others[i]);
        REQUIRE(!same(model, plain, model, words));
    }
    REQUIRE(same(model, plain, model, plain));
    ebb_model_close(&model);
}

TEST(guidance_0_is_no_label_and_guidance_1_is_plain)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    REQUIRE(same(model, QUICK "label=kick guidance=0 noise-version=1", model, QUICK));
    REQUIRE(same(model, QUICK "label=none", model, QUICK));
    ebb_model_close(&model);
}

TEST(a_recipe_left_out_is_an_open_one)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    size_t count, length = ebb_generate_length(model, NULL, NULL);
    float *want = make(model, "", &count), *got = calloc(length, sizeof(float));
    REQUIRE(got && length == count);
    REQUIRE_OK(ebb_generate(model, NULL, got, count, NULL, e));
    REQUIRE(memcmp(want, got, count * sizeof(float)) == 0);
    free(want);
    free(got);
    ebb_model_close(&model);
}

TEST(lengths_are_what_was_asked_for)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const char *const words[] = {QUICK "steps=1 seconds=0",   QUICK "steps=1 seconds=1e-9",
                                 QUICK "steps=1 seconds=0.5", QUICK "steps=1 seconds=1.00001",
                                 QUICK "steps=1 seconds=2.7", QUICK "steps=1 seconds=4.2"};
    const size_t want[] = {131072, 1, 24000, 48000, 129600, 201600};
    for (int i = 0; i < 6; i++) {
        size_t count;
        float *samples = make(model, words[i], &count);
        REQUIRE(count == want[i]);
        float peak = 0, last = fabsf(samples[count - 1]);
        for (size_t k = 0; k < count; k++) {
            REQUIRE(isfinite(samples[k]) && fabsf(samples[k]) <= 1);
            peak = fmaxf(peak, fabsf(samples[k]));
        }
        REQUIRE(count == 1 || peak > 1e-5f);
        REQUIRE(count == 1 || last <= 1e-3f); // ends without a click
        free(samples);
    }
    ebb_model_close(&model);
}

// ---- a path between two seeds ----

static double apart(struct ebb_model *model, const char *a, const char *b)
{
    static float x[4096], y[4096];
    size_t count = latents_of(model, a, x, 4096);
    REQUIRE(latents_of(model, b, y, 4096) == count);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum / count);
}

// One window, more than one, torch's noise, and a sampler that draws at every step.
TEST(a_path_begins_and_ends_at_the_plain_seeds)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const char *const kinds[] = {"", "seconds=4", "noise=torch", "sampler=euler-a"};
    for (int kind = 0; kind < 4; kind++) {
        enum { A, B, FROM, TO, MIDDLE, SOUNDS };
        static const char *const seeds[SOUNDS] = {"seed=5", "seed=6", "seed=5 to-seed=6",
                                                  "seed=5 to-seed=6 share=1", "seed=5 to-seed=6 share=0.5"};
        float *sound[SOUNDS];
        size_t count[SOUNDS];
        for (int i = 0; i < SOUNDS; i++) {
            char words[200];
            snprintf(words, sizeof(words), QUICK "label=wind %s %s", seeds[i], kinds[kind]);
            sound[i] = make(model, words, &count[i]);
            REQUIRE(count[i] == count[A]);
        }
        size_t bytes = count[A] * sizeof(float);
        REQUIRE(memcmp(sound[FROM], sound[A], bytes) == 0 && memcmp(sound[TO], sound[B], bytes) == 0);
        REQUIRE(memcmp(sound[MIDDLE], sound[A], bytes) && memcmp(sound[MIDDLE], sound[B], bytes));
        for (int i = 0; i < SOUNDS; i++)
            free(sound[i]);
    }
    ebb_model_close(&model);
}

TEST(along_a_path_one_end_goes_and_the_other_comes)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    double from = 0, to = INFINITY;
    for (int i = 1; i < 5; i++) {
        char path[100];
        snprintf(path, sizeof(path), "seed=5 to-seed=6 share=%g", i / 5.0);
        double now_from = apart(model, "seed=5", path), now_to = apart(model, "seed=6", path);
        REQUIRE(now_from > from && now_to < to);
        from = now_from;
        to = now_to;
    }
    ebb_model_close(&model);
}

TEST(progress_rises_to_1_and_stops_the_call)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct count c = {0};
    struct ebb_hooks hooks = {sizeof(hooks), .progress = count_calls, .user = &c};
    const char *words = QUICK "seconds=4"; // three windows of the timeline
    size_t count;
    float *samples = make_heard(model, words, &hooks, &count);
    REQUIRE(!c.falls);
    REQUIRE(c.calls >= 3 * 4);
    REQUIRE_NEAR(c.last, 1, 1e-12, "the end");

    int all = c.calls;
    struct ebb_recipe *recipe = generating(words);
    for (int stop = 1; stop <= all; stop += 3) {
        c = (struct count){.stop_at = stop};
        REQUIRE(ebb_generate(model, recipe, samples, count, &hooks, NULL) == EBB_CANCELLED);
        REQUIRE(c.calls == stop); // not one evaluation more
    }
    ebb_recipe_destroy(&recipe);
    free(samples);
    ebb_model_close(&model);
}

struct parts {
    float *next; // where the next part goes
    size_t channels, most;
    int count, stop_at;
};

// The parts behind one another. Each is spoiled afterwards: the call must not need it any more.
static bool add_part(void *user, float *samples, size_t frames)
{
    struct parts *parts = user;
    memcpy(parts->next, samples, frames * parts->channels * sizeof(float));
    memset(samples, 0x55, frames * parts->channels * sizeof(float));
    parts->next += frames * parts->channels;
    parts->most = frames > parts->most ? frames : parts->most;
    return ++parts->count != parts->stop_at;
}

// A fade longer than a part, an end within a part, two channels, a loop, a sound of one window.
TEST(parts_are_the_sound)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static const struct {
        const char *words;
        size_t channels;
        int parts;
    } cases[] = {
        {QUICK "label=rain steps=1 seconds=9.3 fade=5", 1, 5},
        {QUICK "label=rain steps=1 seconds=5 channels=2 width=0.7", 2, 3},
        {QUICK "label=kick steps=1 seconds=1", 1, 1},
        {QUICK "label=rain steps=1 seconds=4 loop=true", 1, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ebb_recipe *recipe = generating(cases[i].words);
        size_t frames = ebb_generate_length(model, recipe, NULL), count = frames * cases[i].channels;
        float *want = calloc(count, sizeof(float)), *got = calloc(count, sizeof(float));
        struct parts parts = {.next = got, .channels = cases[i].channels};
        REQUIRE(want && got);
        REQUIRE_OK(ebb_generate(model, recipe, want, frames, NULL, e));
        REQUIRE_OK(ebb_generate_parts(model, recipe, add_part, &parts, NULL, e));
        REQUIRE_NEAR(parts.count, cases[i].parts, 0, cases[i].words);
        REQUIRE(parts.next == got + count && memcmp(want, got, count * sizeof(float)) == 0);

        parts = (struct parts){.next = got, .channels = cases[i].channels, .stop_at = 1};
        REQUIRE(ebb_generate_parts(model, recipe, add_part, &parts, NULL, NULL) == EBB_CANCELLED);
        REQUIRE(parts.count == 1);
        ebb_recipe_destroy(&recipe);
        free(want);
        free(got);
    }
    ebb_model_close(&model);
}

static bool see(void *user, const struct ebb_generate_step *step)
{
    struct count *c = user;
    c->falls = c->falls || step->step != c->calls || step->abar < c->last || step->n_mels != 128 ||
               step->frames != 256;
    c->last = step->abar;
    return ++c->calls != c->stop_at;
}

TEST(the_chain_can_be_watched)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct count c = {0};
    struct ebb_hooks hooks = {sizeof(hooks), .watch = see, .user = &c};
    size_t count;
    float *samples = make_heard(model, QUICK "steps=5", &hooks, &count);
    REQUIRE(c.calls == 6 && !c.falls);
    REQUIRE_NEAR(c.last, 1, 1e-9, "signal power of the result");
    c = (struct count){.stop_at = 2};
    struct ebb_recipe *recipe = generating(QUICK "steps=5");
    REQUIRE(ebb_generate(model, recipe, samples, count, &hooks, NULL) == EBB_CANCELLED);
    ebb_recipe_destroy(&recipe);
    free(samples);
    ebb_model_close(&model);
}

// Golden files: tests/golden/make_latents.py, the diffusers loop with torch.Generator().manual_seed(42).
static void compare_latents(const char *name, const char *golden, const char *words)
{
    enum { MOST = 1 << 16 };
    static float got[MOST], want[MOST];
    struct ebb_model *model = open_tiny(name);
    size_t count = latents_of(model, words, got, MOST);
    char path[4096];
    snprintf(path, sizeof(path), "%s/golden/%s", getenv("EBB_TEST_DATA"), golden);
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    REQUIRE(fread(want, sizeof(float), count, file) == count && fgetc(file) == EOF);
    fclose(file);

    double worst = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        worst = larger(worst, fabs((double)got[i] - want[i]));
        size = larger(size, fabs(want[i]));
    }
    REQUIRE_NEAR(worst / size, 0, 1e-4, golden);
    ebb_model_close(&model);
}

TEST(latents_are_those_of_diffusers)
{
    compare_latents("tiny-sfx", "latents-sfx.f32", "noise=torch seed=42 steps=10 guidance=1 label=wind");
    compare_latents("tiny-direct", "latents-direct.f32", "noise=torch seed=42 steps=10"); // DDPM: ten draws
                                                                                          // in a row
}

TEST(guided_latents_are_those_of_diffusers)
{
    compare_latents("tiny-sfx", "latents-guided.f32", "noise=torch seed=42 steps=10 guidance=3.5 label=wind");
}

#define GUIDED QUICK "label=kick guidance=3 "

TEST(guidance_left_alone_is_the_plain_one)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    REQUIRE(same(model, GUIDED, model, GUIDED "label=kick:5")); // a mixture of one, to the bit
    REQUIRE(same(model, GUIDED "guidance=1", model, GUIDED "guidance-from=0 guidance-to=0")); // never
    ebb_model_close(&model);
}

TEST(guidance_has_a_time_a_base_and_a_measure)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const char *until = GUIDED "guidance-to=0.6", *since = GUIDED "guidance-from=0.6",
               *plain = GUIDED "guidance=1";
    REQUIRE(!same(model, GUIDED, model, until) && !same(model, GUIDED, model, since) &&
            !same(model, until, model, since));
    REQUIRE(!same(model, until, model, plain));
    REQUIRE(!same(model, GUIDED, model, GUIDED "rescale=0.7"));
    REQUIRE(!same(model, GUIDED, model, GUIDED "negative=wind"));
    REQUIRE(same(model, GUIDED "negative=wind guidance=1", model, plain)); // leads away from nothing
    ebb_model_close(&model);
}

TEST(labels_mix_by_their_shares)
{
    enum { COUNT = 4 * 16 * 32 };
    static float x[COUNT], y[COUNT];
    struct ebb_model *model = open_tiny("tiny-sfx");
    REQUIRE(!same(model, GUIDED "label=rain:0.7,wind:0.3", model, GUIDED "label=rain:7,wind:2"));
    REQUIRE(latents_of(model, GUIDED "label=rain:7,wind:0", x, COUNT) == COUNT); // the first alone
    REQUIRE(latents_of(model, GUIDED "label=rain", y, COUNT) == COUNT);
    for (size_t i = 0; i < COUNT; i++)
        REQUIRE_NEAR(x[i], y[i], 1e-4, "latent");
    ebb_model_close(&model);
}

static void require_refusal(struct ebb_model *model, const char *words, enum ebb_result code,
                            const char *named)
{
    struct ebb_error error;
    if (refusal(model, words, &error) != code || !strstr(error.message, named))
        TEST_FAIL("%s: %s: %s", words, ebb_result_name(error.code), error.message);
}

TEST(guidance_that_makes_no_sense_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    require_refusal(model, "label=kick guidance-from=0.5 guidance-to=0.4", EBB_INVALID, "0.5");
    require_refusal(model, "label=kick rescale=1.1", EBB_INVALID, "rescale");
    require_refusal(model, "label=kick rescale=nan", EBB_INVALID, "0 to 1");
    require_refusal(model, "label=kick negative=snow", EBB_NOT_FOUND, "snow");
    require_refusal(model, "label=rain:1,rain:1,rain:1,rain:1,rain:1,rain:1,rain:1,rain:1", EBB_INVALID,
                    "at most 7");
    require_refusal(model, "label=rain:0", EBB_INVALID, "shares");
    require_refusal(model, "label=rain:1,snow:1", EBB_NOT_FOUND, "snow");
    require_refusal(model, "label=rain:1,wind", EBB_INVALID, "has no share");
    require_refusal(model, "label=rain:-1,wind:2", EBB_INVALID, "-1");
    ebb_model_close(&model);
}

TEST(what_is_not_possible_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx"), *cleaner = open_tiny("tiny-denoise");
    float samples[8];
    struct ebb_error error;
    struct ebb_recipe *edit = ebb_recipe_create(EBB_VERB_EDIT);
    REQUIRE(ebb_generate(model, NULL, samples, 8, NULL, &error) == EBB_INVALID); // wrong length
    REQUIRE(ebb_generate(model, edit, samples, 8, NULL, &error) == EBB_WRONG_TYPE &&
            strstr(error.message, "edit"));
    REQUIRE(ebb_generate_length(model, edit, &error) == 0);
    require_refusal(model, "label=knack", EBB_NOT_FOUND, "kick");
    require_refusal(model, "sampler=no-such", EBB_NOT_FOUND, "no-such");
    require_refusal(model, "steps=1001", EBB_INVALID, "1 to 1000");
    require_refusal(model, "seconds=-1", EBB_INVALID, "0 to 86400");
    require_refusal(model, "seconds=nan", EBB_INVALID, "nan");
    require_refusal(cleaner, "", EBB_WRONG_TYPE, "tiny-denoise");
    ebb_recipe_destroy(&edit);
    ebb_model_close(&model);
    ebb_model_close(&cleaner);
}

TEST_MAIN
