// One sound: what it depends on, and that it is diffusers' loop.
#include "engine.h"

static struct ebb_generate_params defaults(void)
{
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.phase_iterations = 2;
    return p;
}

TEST(a_sound_follows_from_its_settings_alone)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params a = defaults(), b;
    a.label = 1;
    a.index = 3;
    b = a;
    REQUIRE(same(model, &a, model, &b));
    b.index = 4; // leaves other states in the buffers: the next a must not see them
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    b.seed = 1;
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    b.label = 2;
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    b.label = -1;
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    b.guidance = 1;
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    b.steps = 5;
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    REQUIRE(same(model, &a, model, &b));
    ebb_model_close(&model);
}

TEST(guidance_0_is_no_label_and_guidance_1_is_plain)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params a = defaults(), b = defaults();
    a.label = 1;
    a.guidance = 0;
    REQUIRE(same(model, &a, model, &b));
    ebb_model_close(&model);
}

TEST(lengths_are_what_was_asked_for)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const double seconds[] = {0, 1e-9, 0.5, 1.00001, 2.7, 4.2};
    const size_t want[] = {131072, 1, 24000, 48000, 129600, 201600};
    for (int i = 0; i < 6; i++) {
        struct ebb_generate_params p = defaults();
        p.steps = 1;
        p.seconds = seconds[i];
        size_t count;
        float *samples = make(model, &p, &count);
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

static double apart(struct ebb_model *model, const struct ebb_generate_params *a, const struct ebb_generate_params *b)
{
    static float x[4096], y[4096];
    int shape[4];
    REQUIRE_OK(ebb_generate_latents(model, a, NULL, 0, shape, e));
    size_t count = (size_t)shape[1] * shape[2] * shape[3];
    REQUIRE(count <= 4096);
    REQUIRE_OK(ebb_generate_latents(model, a, x, count, shape, e));
    REQUIRE_OK(ebb_generate_latents(model, b, y, count, shape, e));
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum / count);
}

// One window, more than one, torch's noise, and a sampler that draws at every step.
TEST(a_path_begins_and_ends_at_the_plain_seeds)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    for (int kind = 0; kind < 4; kind++) {
        struct ebb_generate_params a = defaults(), b, path;
        a.seed = 5;
        a.label = 2;
        a.seconds = kind == 1 ? 4 : 0;
        a.noise = kind == 2 ? EBB_NOISE_TORCH : EBB_NOISE_PHILOX;
        a.sampler = kind == 3 ? "euler-a" : NULL;
        b = path = a;
        b.seed = path.to_seed = 6;
        REQUIRE(same(model, &a, model, &path));
        path.share = 1;
        REQUIRE(same(model, &b, model, &path));
        path.share = 0.5;
        REQUIRE(!same(model, &a, model, &path) && !same(model, &b, model, &path));
    }
    ebb_model_close(&model);
}

TEST(along_a_path_one_end_goes_and_the_other_comes)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params a = defaults(), b, path;
    a.seed = 5;
    b = path = a;
    b.seed = path.to_seed = 6;
    double from = 0, to = INFINITY;
    for (int i = 1; i < 5; i++) {
        path.share = i / 5.0;
        double now_from = apart(model, &a, &path), now_to = apart(model, &b, &path);
        REQUIRE(now_from > from && now_to < to);
        from = now_from;
        to = now_to;
    }
    struct ebb_error error;
    path.share = NAN;
    REQUIRE(ebb_generate_latents(model, &path, NULL, 0, (int[4]){0}, &error) == EBB_INVALID);
    ebb_model_close(&model);
}

TEST(progress_rises_to_1_and_stops_the_call)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct count c = {0};
    struct ebb_generate_params p = defaults();
    p.seconds = 4; // three windows of the timeline
    p.progress = count_calls;
    p.user = &c;
    size_t count;
    float *samples = make(model, &p, &count);
    REQUIRE(!c.falls);
    REQUIRE(c.calls >= 3 * 4);
    REQUIRE_NEAR(c.last, 1, 1e-12, "the end");

    int all = c.calls;
    struct ebb_error error;
    for (int stop = 1; stop <= all; stop += 3) {
        c = (struct count){.stop_at = stop};
        REQUIRE(ebb_generate(model, &p, samples, count, &error) == EBB_CANCELLED);
        REQUIRE(c.calls == stop); // not one evaluation more
    }
    free(samples);
    ebb_model_close(&model);
}

static bool see(void *user, const struct ebb_generate_step *step)
{
    struct count *c = user;
    c->falls = c->falls || step->step != c->calls || step->abar < c->last || step->n_mels != 128 || step->frames != 256;
    c->last = step->abar;
    return ++c->calls != c->stop_at;
}

TEST(the_chain_can_be_watched)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct count c = {0};
    struct ebb_generate_params p = defaults();
    p.watch = see;
    p.user = &c;
    p.steps = 5;
    size_t count;
    float *samples = make(model, &p, &count);
    REQUIRE(c.calls == 6 && !c.falls);
    REQUIRE_NEAR(c.last, 1, 1e-9, "signal power of the result");
    c = (struct count){.stop_at = 2};
    REQUIRE(ebb_generate(model, &p, samples, count, NULL) == EBB_CANCELLED);
    free(samples);
    ebb_model_close(&model);
}

// Golden files: tests/golden/make_latents.py, the diffusers loop with torch.Generator().manual_seed(42).
static void compare_latents(const char *name, const char *golden, const struct ebb_generate_params *p)
{
    struct ebb_model *model = open_tiny(name);
    int shape[4];
    REQUIRE_OK(ebb_generate_latents(model, p, NULL, 0, shape, e));
    size_t count = (size_t)shape[0] * shape[1] * shape[2] * shape[3];
    float *got = calloc(count, sizeof(float)), *want = calloc(count, sizeof(float));
    char path[4096];
    snprintf(path, sizeof(path), "%s/golden/%s", getenv("EBB_TEST_DATA"), golden);
    FILE *file = fopen(path, "rb");
    REQUIRE(got && want && file);
    REQUIRE(fread(want, sizeof(float), count, file) == count && fgetc(file) == EOF);
    fclose(file);

    REQUIRE_OK(ebb_generate_latents(model, p, got, count, shape, e));
    double worst = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)got[i] - want[i]));
        size = fmax(size, fabs(want[i]));
    }
    REQUIRE_NEAR(worst / size, 0, 1e-4, golden);
    free(got);
    free(want);
    ebb_model_close(&model);
}

TEST(latents_are_those_of_diffusers)
{
    struct ebb_generate_params p = defaults();
    p.noise = EBB_NOISE_TORCH;
    p.seed = 42;
    p.steps = 10;
    p.guidance = 1;
    p.label = 2;
    compare_latents("tiny-sfx", "latents-sfx.f32", &p);
    p.label = -1;
    p.guidance = NAN;
    compare_latents("tiny-direct", "latents-direct.f32", &p); // DDPM: ten draws in a row
}

TEST(guided_latents_are_those_of_diffusers)
{
    struct ebb_generate_params p = defaults();
    p.noise = EBB_NOISE_TORCH;
    p.seed = 42;
    p.steps = 10;
    p.guidance = 3.5;
    p.label = 2;
    compare_latents("tiny-sfx", "latents-guided.f32", &p);
}

static struct ebb_generate_params guided(void)
{
    struct ebb_generate_params p = defaults();
    p.label = 1;
    p.guidance = 3;
    return p;
}

TEST(guidance_left_alone_is_the_plain_one)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params a = guided(), b = guided();
    b.label = -1;
    b.mix_count = 1;
    b.mix[0] = (struct ebb_mix){1, 5};
    REQUIRE(same(model, &a, model, &b)); // a mixture of one, to the bit
    b = a;
    b.guidance_from = 0;
    b.guidance_to = 0; // never
    a.guidance = 1;
    REQUIRE(same(model, &a, model, &b));
    ebb_model_close(&model);
}

TEST(guidance_has_a_time_a_base_and_a_measure)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params a = guided(), b = a, c = a;
    b.guidance_to = 0.6;
    c.guidance_from = 0.6;
    REQUIRE(!same(model, &a, model, &b) && !same(model, &a, model, &c) && !same(model, &b, model, &c));
    c = a;
    c.guidance = 1;
    REQUIRE(!same(model, &b, model, &c));
    b = a;
    b.guidance_rescale = 0.7;
    REQUIRE(!same(model, &a, model, &b));
    b = a;
    b.negative = 2;
    REQUIRE(!same(model, &a, model, &b));
    b.guidance = 1; // leads away from nothing
    REQUIRE(same(model, &b, model, &c));
    ebb_model_close(&model);
}

TEST(labels_mix_by_their_shares)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params a = guided(), b = a, c;
    a.mix_count = b.mix_count = 2;
    a.mix[0] = (struct ebb_mix){0, 0.7};
    a.mix[1] = (struct ebb_mix){2, 0.3};
    b.mix[0] = (struct ebb_mix){0, 7};
    b.mix[1] = (struct ebb_mix){2, 2};
    REQUIRE(!same(model, &a, model, &b));
    b.mix[1].share = 0; // the first alone
    c = guided();
    c.label = 0;
    int shape[4];
    size_t count = 4 * 16 * 32;
    float *x = calloc(count, sizeof(float)), *y = calloc(count, sizeof(float));
    REQUIRE(x && y);
    REQUIRE_OK(ebb_generate_latents(model, &b, x, count, shape, e));
    REQUIRE_OK(ebb_generate_latents(model, &c, y, count, shape, e));
    for (size_t i = 0; i < count; i++)
        REQUIRE_NEAR(x[i], y[i], 1e-4, "latent");
    free(x);
    free(y);
    ebb_model_close(&model);
}

TEST(guidance_that_makes_no_sense_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params p[7];
    for (int i = 0; i < 7; i++)
        p[i] = guided();
    p[0].guidance_from = 0.5;
    p[0].guidance_to = 0.4;
    p[1].guidance_rescale = 1.1;
    p[2].guidance_rescale = NAN;
    p[3].negative = 4;
    p[4].mix_count = 8;
    p[5].mix_count = 1; // of share 0
    p[6].mix_count = 1;
    p[6].mix[0] = (struct ebb_mix){4, 1};
    for (int i = 0; i < 7; i++)
        REQUIRE(ebb_generate_length(model, &p[i]) == 0);
    ebb_model_close(&model);
}

TEST(what_is_not_possible_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx"), *cleaner = open_tiny("tiny-denoise");
    float samples[8];
    struct ebb_error error;
    struct ebb_generate_params p = defaults();
    REQUIRE(ebb_generate(model, &p, samples, 8, &error) == EBB_INVALID); // wrong length
    p.label = 4;
    REQUIRE(ebb_generate_length(model, &p) == 0);
    REQUIRE(ebb_generate(model, &p, samples, 8, &error) == EBB_INVALID);
    p = defaults();
    p.sampler = "no-such";
    REQUIRE(ebb_generate(model, &p, samples, 8, &error) == EBB_NOT_FOUND);
    p = defaults();
    p.steps = 1001;
    REQUIRE(ebb_generate(model, &p, samples, 8, &error) == EBB_INVALID);
    p = defaults();
    p.seconds = -1;
    REQUIRE(ebb_generate_length(model, &p) == 0);
    p.seconds = NAN;
    REQUIRE(ebb_generate_length(model, &p) == 0);
    p = defaults();
    REQUIRE(ebb_generate(cleaner, &p, samples, 8, &error) == EBB_WRONG_TYPE);
    REQUIRE(strstr(error.message, "tiny-denoise"));
    ebb_model_close(&model);
    ebb_model_close(&cleaner);
}

TEST_MAIN
