// SPDX-License-Identifier: LGPL-2.1-or-later
// The Vulkan backend against ref. Without a usable device every test here is skipped; EBB_REQUIRE_VULKAN=1
// makes that a failure.
#include "backend/case.h"

#include "backend/backend.h"
#include "backend/vulkan/device.h"

static struct pool pool;

static struct ebb_device *vulkan(void)
{
    struct ebb_error error = {0};
    struct ebb_device *d = ebb_device_create("vulkan", 0, NULL, &error);
    if (!d && getenv("EBB_REQUIRE_VULKAN"))
        TEST_FAIL("a Vulkan device is required: %s", error.message);
    if (!d)
        SKIP("%s", error.message);
    return d;
}

// Relative rms that is rounding: of 32 bits through a few thousand sums, or of values stored in 16.
static double bound(void)
{
    struct ebb_device *d = vulkan();
    const struct ebb_vk *vk = d->state;
    bool half = vk->fp16, coop = vk->coop != 0;
    printf("# %s\n", ebb_device_description(d));
    ebb_device_destroy(&d);
    if (getenv("EBB_REQUIRE_COOP") && !coop)
        TEST_FAIL("cooperative matrices are required");
    return half ? 1e-3 : 2e-6;
}

// One convolution with everything around it that a case asks for.
struct conv_case {
    const char *name;
    int n, h, w, c0, c1, cout, kernel, stride;
    enum ebb_pad pad;
    int groups; // 0: no norm
    enum ebb_act act;
    bool upsample, vector, film, residual;
    float scale;
};

static const struct conv_case conv_cases[] = {
    {"3x3, odd channels", 1, 5, 7, 3, 0, 13, 3, 1, EBB_PAD_SAME, .scale = 1},
    {"1x1", 2, 4, 4, 8, 0, 20, 1, 1, EBB_PAD_SAME, .scale = 1},
    {"stride 2, odd size", 1, 9, 7, 12, 0, 16, 3, 2, EBB_PAD_SAME, .scale = 1},
    {"stride 2, right and bottom", 2, 8, 6, 12, 0, 16, 3, 2, EBB_PAD_RIGHT_BOTTOM, .scale = 1},
    {"norm and silu", 2, 6, 10, 24, 0, 24, 3, 1, EBB_PAD_SAME, 4, EBB_ACT_SILU, .scale = 1},
    {"concat, odd split", 1, 6, 10, 7, 5, 18, 3, 1, EBB_PAD_SAME, 3, EBB_ACT_GELU, .scale = 1},
    {"concat, by four", 1, 6, 10, 8, 4, 18, 3, 1, EBB_PAD_SAME, 3, EBB_ACT_MISH, .scale = 1},
    {"upsample", 1, 3, 5, 8, 0, 12, 3, 1, EBB_PAD_SAME, .upsample = true, .scale = 1},
    {"all of the epilogue", 2, 6, 6, 16, 0, 16, 3, 1, EBB_PAD_SAME, 4, EBB_ACT_SILU, .vector = true,
     .residual = true, .scale = 0.7f},
    {"film", 2, 5, 5, 16, 0, 12, 3, 1, EBB_PAD_SAME, 4, EBB_ACT_RELU, .film = true, .scale = 1},
    {"large tile", 1, 64, 40, 36, 0, 68, 3, 1, EBB_PAD_SAME, .scale = 1},
    {"K cut in parts", 3, 4, 8, 96, 32, 72, 3, 1, EBB_PAD_SAME, 8, EBB_ACT_SILU, .residual = true,
     .scale = 1},
    {"few output channels", 1, 12, 20, 32, 0, 1, 3, 1, EBB_PAD_SAME, 8, EBB_ACT_SILU, .scale = 1},
};

static struct ebb_graph *conv_graph(const struct conv_case *k)
{
    struct ebb_graph *g = ebb_graph_create();
    pool.seed = 7;
    int all = k->c0 + k->c1;
    struct ebb_node *x = ebb_input(g, k->n, k->h, k->w, k->c0);
    if (k->c1)
        x = ebb_concat(g, x, ebb_input(g, k->n, k->h, k->w, k->c1));
    struct ebb_node *source = x;
    if (k->groups)
        x = ebb_group_norm(g, x, k->groups, 1e-5f, weight(&pool, all, 1, 1), weight(&pool, all, 1, 1));
    if (k->film)
        x = ebb_film(g, x, ebb_step_input(g, k->n, 2 * all));
    x = ebb_activate(g, x, k->act);
    if (k->upsample)
        x = ebb_upsample(g, x);
    x = ebb_conv2d(g, x, weight(&pool, k->cout, k->kernel, all), weight(&pool, k->cout, 1, 1), k->stride,
                   k->pad);
    if (k->vector)
        x = ebb_add_channels(g, x, ebb_step_input(g, k->n, k->cout));
    if (k->residual)
        x = ebb_add(g,
                    k->cout == all
                        ? source
                        : ebb_conv2d(g, source, weight(&pool, k->cout, 1, all), NULL, 1, EBB_PAD_SAME),
                    x);
    ebb_output(g, k->scale == 1 ? x : ebb_scale(g, x, k->scale));
    return g;
}

// Evaluates a graph with up to two inputs and one step input on `d`; the output's floats, malloc'd, and their
// number.
static float *evaluate(struct ebb_device *d, struct ebb_graph *g, const size_t in_count[2], size_t step_count,
                       size_t out_count)
{
    struct ebb_error error = {0};
    struct ebb_plan *plan = ebb_plan_create(d, g, &error);
    struct ebb_buffer *in[2] = {NULL, NULL}, *out = buffer(d, NULL, out_count);
    float *data[2] = {random_floats(in_count[0], 3), random_floats(in_count[1], 4)},
          *step = random_floats(step_count, 5);
    const float *steps[1] = {step};
    for (int i = 0; i < 2; i++)
        in[i] = in_count[i] ? buffer(d, data[i], in_count[i]) : NULL;
    float *result = malloc(out_count * sizeof(*result));
    bool good = plan && (!step_count || ebb_plan_steps(plan, 1, steps, &error) == EBB_OK);
    good = good && ebb_plan_run(plan, 0, in, &out, &error) == EBB_OK;
    good = good && ebb_buffer_read(out, 0, result, out_count, &error) == EBB_OK;
    if (!good) {
        printf("# %s: %s\n", ebb_device_kind(d), error.message);
        free(result);
        result = NULL;
    }
    for (int i = 0; i < 2; i++) {
        ebb_buffer_destroy(&in[i]);
        free(data[i]);
    }
    free(step);
    ebb_buffer_destroy(&out);
    ebb_plan_destroy(&plan);
    return result;
}

// Root mean square of the difference over that of the reference.
static double relative_rms(const float *got, const float *want, size_t count)
{
    double difference = 0, power = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        power += (double)want[i] * want[i];
    }
    return sqrt(difference / power);
}

static float *run_conv(const char *name, const struct conv_case *k, size_t *count)
{
    struct ebb_device *d = device(name, 1);
    struct ebb_graph *g = conv_graph(k);
    size_t pixels = (size_t)(k->n * k->h * k->w), in[2] = {pixels * (size_t)k->c0, pixels * (size_t)k->c1};
    size_t oh = (size_t)(k->upsample ? 2 * k->h : k->h), ow = (size_t)(k->upsample ? 2 * k->w : k->w);
    if (k->stride == 2) {
        oh = k->pad == EBB_PAD_SAME ? (oh + 1) / 2 : oh / 2;
        ow = k->pad == EBB_PAD_SAME ? (ow + 1) / 2 : ow / 2;
    }
    *count = (size_t)k->n * oh * ow * (size_t)k->cout;
    size_t step = k->film ? (size_t)(k->n * 2 * (k->c0 + k->c1)) : k->vector ? (size_t)(k->n * k->cout) : 0;
    float *result = evaluate(d, g, in, step, *count);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return result;
}

TEST(every_convolution_agrees_with_ref)
{
    double rounding = bound();
    for (size_t i = 0; i < sizeof(conv_cases) / sizeof(conv_cases[0]); i++) {
        const struct conv_case *k = &conv_cases[i];
        size_t count;
        float *got = run_conv("vulkan", k, &count), *want = run_conv("ref", k, &count);
        REQUIRE(got && want);
        REQUIRE_NEAR(relative_rms(got, want, count), 0, rounding, k->name);
        free(got);
        free(want);
    }
}

// Along w alone; `up` > 0: transposed, with this stride.
struct row_case {
    const char *name;
    int n, w, c, cout, kernel, dilation, up, cut;
};

static const struct row_case row_cases[] = {
    {"1-D conv, odd channels", 2, 37, 7, 13, 3, .dilation = 1},
    {"1-D conv, dilated, large tile", 1, 2500, 36, 68, 7, .dilation = 5},
    {"1-D conv, K cut in parts", 2, 20, 64, 72, 11, .dilation = 3},
    {"1-D conv, few output channels", 1, 300, 32, 1, 7, .dilation = 1},
    {"transposed 1-D conv", 2, 19, 12, 9, 16, .up = 5, .cut = 5},
    {"transposed 1-D conv, gaps between its taps", 1, 19, 3, 9, 3, .up = 4},
};

static float *run_row(const char *name, const struct row_case *k, size_t *count)
{
    struct ebb_device *d = device(name, 1);
    struct ebb_graph *g = ebb_graph_create();
    int shape[4];
    pool.seed = 19;
    struct ebb_weight *w = weight_1d(&pool, k->cout, k->kernel, k->c), *bias = weight(&pool, k->cout, 1, 1);
    struct ebb_node *in = ebb_input(g, k->n, 1, k->w, k->c), *x = ebb_leaky_relu(g, in, 0.1f);
    x = k->up ? ebb_conv_1d_up(g, x, w, bias, k->up, k->cut) : ebb_conv_1d(g, x, w, bias, k->dilation);
    ebb_output(g, ebb_activate(g, x, EBB_ACT_TANH));
    node_shape(x, shape);
    *count = (size_t)(shape[0] * shape[2] * shape[3]);
    float *result = evaluate(d, g, (size_t[2]){(size_t)(k->n * k->w * k->c), 0}, 0, *count);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return result;
}

TEST(convolutions_along_a_row_agree_with_ref)
{
    double rounding = bound();
    for (size_t i = 0; i < sizeof(row_cases) / sizeof(row_cases[0]); i++) {
        size_t count;
        float *got = run_row("vulkan", &row_cases[i], &count), *want = run_row("ref", &row_cases[i], &count);
        REQUIRE(got && want);
        REQUIRE_NEAR(relative_rms(got, want, count), 0, rounding, row_cases[i].name);
        free(got);
        free(want);
    }
}

// Convolutions leave statistics for the norm behind them: tiles of every kind, their tails, and makers that
// leave none.
struct chain_case {
    const char *name;
    int n, h, w, c, cout0, cout1, groups; // cout1 0: no second source
};

static const struct chain_case chain_cases[] = {
    {"large tiles with tails", 1, 61, 43, 12, 68, 0, 4},
    {"small tiles", 2, 5, 7, 12, 24, 0, 3},
    {"K cut in parts", 3, 5, 8, 64, 72, 0, 8},
    {"a group across two sources", 2, 6, 9, 32, 20, 16, 4},
    {"one maker leaves none", 1, 10, 6, 16, 24, 6, 5},
    {"one pixel", 2, 1, 1, 16, 32, 0, 4},
};

static float *run_chain(const char *name, const struct chain_case *k, size_t *count)
{
    struct ebb_device *d = device(name, 1);
    struct ebb_graph *g = ebb_graph_create();
    pool.seed = 17;
    struct ebb_node *in = ebb_input(g, k->n, k->h, k->w, k->c);
    struct ebb_node *x = ebb_conv2d(g, in, weight(&pool, k->cout0, 3, k->c), weight(&pool, k->cout0, 1, 1), 1,
                                    EBB_PAD_SAME);
    if (k->cout1)
        x = ebb_concat(g, x, ebb_conv2d(g, in, weight(&pool, k->cout1, 3, k->c), NULL, 1, EBB_PAD_SAME));
    int all = k->cout0 + k->cout1;
    x = ebb_group_norm(g, x, k->groups, 1e-5f, weight(&pool, all, 1, 1), weight(&pool, all, 1, 1));
    x = ebb_activate(g, x, EBB_ACT_SILU);
    ebb_output(g, ebb_conv2d(g, x, weight(&pool, 12, 1, all), NULL, 1, EBB_PAD_SAME));
    size_t pixels = (size_t)(k->n * k->h * k->w), sizes[2] = {pixels * (size_t)k->c, 0};
    *count = pixels * 12;
    float *result = evaluate(d, g, sizes, 0, *count);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return result;
}

TEST(statistics_left_by_convolutions_agree_with_ref)
{
    double rounding = bound();
    for (size_t i = 0; i < sizeof(chain_cases) / sizeof(chain_cases[0]); i++) {
        size_t count;
        float *got = run_chain("vulkan", &chain_cases[i], &count),
              *want = run_chain("ref", &chain_cases[i], &count);
        REQUIRE(got && want);
        REQUIRE_NEAR(relative_rms(got, want, count), 0, rounding, chain_cases[i].name);
        free(got);
        free(want);
    }
}

TEST(twice_the_same_bits_and_a_batch_is_its_images)
{
    struct ebb_device *d = vulkan();
    ebb_device_destroy(&d);
    // A cut K, and tiles that end in the middle of an image.
    static const struct chain_case batches[] = {{"", 4, 4, 8, 96, 72, 0, 8}, {"", 4, 9, 13, 24, 40, 12, 4}};
    for (int i = 0; i < 2; i++) {
        struct chain_case single = batches[i];
        single.n = 1;
        size_t all, one;
        float *first = run_chain("vulkan", &batches[i], &all),
              *again = run_chain("vulkan", &batches[i], &all);
        float *alone = run_chain("vulkan", &single, &one);
        REQUIRE(first && again && alone && all == 4 * one);
        REQUIRE(memcmp(first, again, all * sizeof(float)) == 0);
        REQUIRE(memcmp(first, alone, one * sizeof(float)) == 0); // the inputs begin with the same numbers
        free(first);
        free(again);
        free(alone);
    }
}

static float *run_attention(const char *name, int n, int h, int w, int c, int heads)
{
    struct ebb_device *d = device(name, 1);
    struct ebb_graph *g = ebb_graph_create();
    pool.seed = 11;
    struct ebb_node *x = ebb_input(g, n, h, w, c);
    struct ebb_node *part[3];
    for (int i = 0; i < 3; i++)
        part[i] = ebb_linear(g, x, weight(&pool, c, 1, c), weight(&pool, c, 1, 1));
    ebb_output(g, ebb_attention(g, part[0], part[1], part[2], heads));
    size_t count = (size_t)(n * h * w * c), in[2] = {count, 0};
    float *result = evaluate(d, g, in, 0, count);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return result;
}

TEST(attention_agrees_with_ref)
{
    double rounding = bound();
    static const int cases[][5] = {{1, 2, 3, 8, 2},  {2, 8, 9, 24, 3},  {1, 16, 16, 80, 1},
                                   {1, 1, 1, 16, 4}, {2, 9, 9, 320, 2}, {1, 5, 14, 300, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int *k = cases[i];
        float *got = run_attention("vulkan", k[0], k[1], k[2], k[3], k[4]);
        float *want = run_attention("ref", k[0], k[1], k[2], k[3], k[4]);
        REQUIRE(got && want);
        REQUIRE_NEAR(relative_rms(got, want, (size_t)(k[0] * k[1] * k[2] * k[3])), 0, rounding, "attention");
        free(got);
        free(want);
    }
}

static float *run_pool(const char *name)
{
    struct ebb_device *d = device(name, 1);
    struct ebb_graph *g = ebb_graph_create();
    ebb_output(g, ebb_avg_pool(g, ebb_input(g, 2, 5, 7, 3)));
    size_t in[2] = {2 * 5 * 7 * 3, 0};
    float *result = evaluate(d, g, in, 0, 2 * 2 * 3 * 3);
    ebb_device_destroy(&d);
    return result;
}

TEST(pooling_agrees_with_ref)
{
    double rounding = bound();
    float *got = run_pool("vulkan"), *want = run_pool("ref");
    REQUIRE(got && want);
    REQUIRE_NEAR(relative_rms(got, want, 2 * 2 * 3 * 3), 0, rounding, "pool");
    free(got);
    free(want);
}

// Between two linear layers, so that it reads and writes what the device stores.
static float *run_layer_norm(const char *name, int n, int h, int w, int c, bool plain)
{
    struct ebb_device *d = device(name, 1);
    struct ebb_graph *g = ebb_graph_create();
    pool.seed = 13;
    struct ebb_node *x = ebb_input(g, n, h, w, c);
    x = ebb_linear(g, x, weight(&pool, c, 1, c), weight(&pool, c, 1, 1));
    struct ebb_weight *gamma = weight(&pool, c, 1, 1), *beta = weight(&pool, c, 1, 1);
    x = ebb_layer_norm(g, x, 1e-5f, plain ? NULL : gamma, plain ? NULL : beta);
    ebb_output(g, ebb_linear(g, x, weight(&pool, c, 1, c), weight(&pool, c, 1, 1)));
    size_t count = (size_t)(n * h * w * c), in[2] = {count, 0};
    float *result = evaluate(d, g, in, 0, count);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return result;
}

TEST(layer_norm_agrees_with_ref)
{
    double rounding = bound();
    static const int cases[][5] = {{2, 3, 5, 8, 0}, {1, 4, 4, 200, 0}, {1, 1, 1, 17, 0}, {1, 2, 2, 3, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int *k = cases[i];
        float *got = run_layer_norm("vulkan", k[0], k[1], k[2], k[3], k[4]);
        float *want = run_layer_norm("ref", k[0], k[1], k[2], k[3], k[4]);
        REQUIRE(got && want);
        REQUIRE_NEAR(relative_rms(got, want, (size_t)(k[0] * k[1] * k[2] * k[3])), 0, rounding, "layer norm");
        free(got);
        free(want);
    }
}

TEST(the_ops_of_transformers_agree_with_ref)
{
    double rounding = bound();
    for (int i = 0; i < transformer_case_count; i++) {
        const struct op_case *c = &transformer_cases[i];
        size_t count, got_count;
        float *want = run_case("ref", 1, c, 0, -1, &count),
              *got = run_case("vulkan", 0, c, 0, -1, &got_count);
        REQUIRE(want && got && count == got_count);
        REQUIRE_NEAR(relative_rms(got, want, count), 0, rounding, c->name);
        free(got);
        free(want);
    }
}

enum { BLEND_COUNT = 1000, BLEND_FIRST = 3 };

static void run_blend(struct ebb_device *d, int terms, bool noise_scale, float *out)
{
    struct ebb_buffer *buffers[10];
    for (int i = 0; i < 10; i++) {
        float *data = random_floats(BLEND_COUNT + 2 * BLEND_FIRST, 20 + (uint64_t)i);
        buffers[i] = buffer(d, data, BLEND_COUNT + 2 * BLEND_FIRST);
        free(data);
    }
    struct ebb_blend blend = {.dst = buffers[0],
                              .terms = terms,
                              .clamp = 0.9f,
                              .divide = 1.5f,
                              .count = BLEND_COUNT,
                              .dst_offset = BLEND_FIRST,
                              .noise_scale = noise_scale ? buffers[9] : NULL,
                              .noise_scale_offset = noise_scale ? 5 : 0};
    for (int i = 0; i < terms; i++) {
        blend.src[i] = buffers[i == terms / 2 ? 0 : i + 1]; // dst is among the terms, not first
        blend.src_offset[i] = BLEND_FIRST;
        blend.weight[i] = 0.3f + 0.1f * (float)i;
    }
    ebb_blend(d, &blend, NULL);
    ebb_buffer_read(buffers[0], 0, out, BLEND_COUNT + 2 * BLEND_FIRST, NULL);
    for (int i = 0; i < 10; i++)
        ebb_buffer_destroy(&buffers[i]);
}

TEST(blends_agree_with_ref)
{
    struct ebb_device *d = vulkan(), *ref = device("ref", 1);
    static float got[BLEND_COUNT + 2 * BLEND_FIRST], want[BLEND_COUNT + 2 * BLEND_FIRST];
    for (int terms = 1; terms <= 8; terms++)
        for (int scaled = 0; scaled < 2; scaled++) {
            run_blend(d, terms, scaled, got);
            run_blend(ref, terms, scaled, want);
            for (int i = 0; i < BLEND_COUNT + 2 * BLEND_FIRST; i++)
                REQUIRE_NEAR(got[i], want[i], 5e-7, "blend");
        }
    ebb_device_destroy(&d);
    ebb_device_destroy(&ref);
}

static void run_threshold(struct ebb_device *d, const float *data, size_t count, float ratio, float most,
                          float *out)
{
    struct ebb_buffer *b = buffer(d, data, count);
    struct ebb_threshold t = {.x = b, .offset = 2, .count = count - 3, .ratio = ratio, .most = most};
    REQUIRE(ebb_threshold(d, &t, NULL) == EBB_OK && ebb_buffer_read(b, 0, out, count, NULL) == EBB_OK);
    ebb_buffer_destroy(&b);
}

TEST(thresholds_agree_with_ref)
{
    struct ebb_device *d = vulkan(), *ref = device("ref", 1);
    enum { MOST = 5000 };
    static float data[MOST], got[MOST], want[MOST];
    static const size_t counts[] = {4, 5, 131, MOST};
    static const float ratios[] = {0.001f, 0.5f, 0.95f, 0.995f, 1};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
        for (size_t r = 0; r < sizeof(ratios) / sizeof(ratios[0]); r++)
            for (int even = 0; even < 2; even++) { // many numbers twice, or all different
                uint64_t seed = 3;
                for (size_t i = 0; i < counts[c]; i++)
                    data[i] = even ? roundf(8 * random_float(&seed)) : 8 * random_float(&seed);
                run_threshold(d, data, counts[c], ratios[r], 6, got);
                run_threshold(ref, data, counts[c], ratios[r], 6, want);
                for (size_t i = 0; i < counts[c]; i++)
                    REQUIRE_NEAR(got[i], want[i], 3e-7 * fmax(1, fabs(want[i])), "threshold");
            }
    ebb_device_destroy(&d);
    ebb_device_destroy(&ref);
}

TEST(sums_of_squares_agree_with_ref)
{
    struct ebb_device *d = vulkan(), *ref = device("ref", 1);
    enum { COUNT = 100003 };
    float *data = random_floats(COUNT, 9);
    struct ebb_buffer *a = buffer(d, data, COUNT), *b = buffer(ref, data, COUNT);
    double got = -1, want = -2;
    REQUIRE(ebb_sum_squares(d, a, 3, COUNT - 7, &got, NULL) == EBB_OK);
    REQUIRE(ebb_sum_squares(ref, b, 3, COUNT - 7, &want, NULL) == EBB_OK);
    REQUIRE_NEAR(got, want, 1e-6 * (1 + fabs(want)), "sum of squares");
    ebb_buffer_destroy(&a);
    ebb_buffer_destroy(&b);
    free(data);
    ebb_device_destroy(&d);
    ebb_device_destroy(&ref);
}

static struct ebb_profile_entry entries[64];

TEST(a_profile_names_and_times_every_op)
{
    struct ebb_device *d = vulkan();
    ebb_device_profile(d, true);
    size_t count;
    float *result = run_conv("vulkan", &conv_cases[4], &count); // another opening of the same device: not
                                                                // profiled
    REQUIRE(result && ebb_device_profile_read(d, entries, 64) == 0);
    free(result);

    struct ebb_graph *g = conv_graph(&conv_cases[4]);
    struct ebb_plan *plan = ebb_plan_create(d, g, NULL);
    struct ebb_buffer *in = buffer(d, NULL, 2 * 6 * 10 * 24), *out = buffer(d, NULL, 2 * 6 * 10 * 24);
    REQUIRE(plan && ebb_plan_run(plan, 0, &in, &out, NULL) == EBB_OK);
    size_t found = ebb_device_profile_read(d, entries, 64);
    REQUIRE(found >= 2 && ebb_device_profile_read(d, NULL, 0) == 0);
    REQUIRE_STRING(entries[0].op, "norm 24, 6 x 10, batch 2");
    for (size_t i = 0; i < found; i++)
        REQUIRE(entries[i].op[0] && entries[i].seconds >= 0 && entries[i].start >= entries[0].start);
    ebb_buffer_destroy(&in);
    ebb_buffer_destroy(&out);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
    pool_clear(&pool);
}

// ---- what goes wrong ----

TEST(a_device_that_is_not_there_is_named)
{
    struct ebb_device *d = vulkan();
    ebb_device_destroy(&d);
    struct ebb_error error = {0};
    REQUIRE(!ebb_device_create("vulkan:99", 0, NULL, &error));
    REQUIRE(error.code == EBB_NO_DEVICE && strstr(error.message, "vulkan:99") &&
            strstr(error.message, "0: "));
    REQUIRE(!ebb_device_create("vulkan:", 0, NULL, &error) && error.code == EBB_NO_DEVICE);
}

TEST(auto_takes_no_software_and_says_so)
{
    struct ebb_device *d = vulkan();
    const struct ebb_vk *vk = d->state;
    bool software = vk->physical->software;
    ebb_device_destroy(&d);
    if (!software)
        SKIP("this machine has a GPU");
    d = ebb_device_create("auto", 1, NULL, NULL);
    REQUIRE(d && strcmp(ebb_device_kind(d), "cpu") == 0);
    // Where the system has no device file of a GPU, the drivers are not even asked.
    REQUIRE(ebb_device_fallback(d));
    REQUIRE(strstr(ebb_device_fallback(d), "software") || strstr(ebb_device_fallback(d), "no GPU"));
    ebb_device_destroy(&d);
}

// Functions of the device's table, replaced by ones that fail at the n-th call.
static int calls_left;
static VkResult failure;
static PFN_vkAllocateMemory real_allocate;
static PFN_vkQueueSubmit real_submit;

static VKAPI_ATTR VkResult VKAPI_CALL failing_allocate(VkDevice device_, const VkMemoryAllocateInfo *info,
                                                       const VkAllocationCallbacks *callbacks,
                                                       VkDeviceMemory *memory)
{
    return calls_left-- == 0 ? failure : real_allocate(device_, info, callbacks, memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL failing_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *infos,
                                                     VkFence fence)
{
    return calls_left-- == 0 ? failure : real_submit(queue, count, infos, fence);
}

// Makes the n-th allocation or submit of a whole run fail: true if it did, and the run said so with `code`.
static bool fails_at(int n, bool submit, VkResult how, enum ebb_result code)
{
    struct ebb_error error = {0};
    struct ebb_device *d = device("vulkan", 1);
    struct ebb_vk *vk = d->state;
    real_allocate = vk->vk.AllocateMemory;
    real_submit = vk->vk.QueueSubmit;
    if (submit)
        vk->vk.QueueSubmit = failing_submit;
    else
        vk->vk.AllocateMemory = failing_allocate;
    calls_left = n;
    failure = how;

    const struct conv_case *k = &conv_cases[4];
    struct ebb_graph *g = conv_graph(k);
    size_t count = (size_t)(k->n * k->h * k->w * k->c0);
    float *data = random_floats(count, 1);
    struct ebb_plan *plan = ebb_plan_create(d, g, &error);
    struct ebb_buffer *in = plan ? ebb_buffer_create(d, count, &error) : NULL;
    struct ebb_buffer *out = in ? ebb_buffer_create(d, count, &error) : NULL;
    bool good = out && ebb_buffer_write(in, 0, data, count, &error) == EBB_OK &&
                ebb_plan_run(plan, 0, &in, &out, &error) == EBB_OK &&
                ebb_buffer_read(out, 0, data, count, &error) == EBB_OK;
    bool reached = calls_left < 0;
    vk->vk.QueueSubmit = real_submit;
    vk->vk.AllocateMemory = real_allocate;
    ebb_buffer_destroy(&in);
    ebb_buffer_destroy(&out);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    free(data);
    if (reached && (good || error.code != code || !strstr(error.message, "while")))
        TEST_FAIL("call %d: %s, code %d, \"%s\"", n, good ? "went well" : "failed", (int)error.code,
                  error.message);
    return reached;
}

TEST(every_failing_call_is_an_error_and_the_next_open_works)
{
    struct ebb_device *d = vulkan();
    ebb_device_destroy(&d);
    int submits = 0, allocations = 0;
    while (fails_at(submits, true, VK_ERROR_DEVICE_LOST, EBB_DEVICE_FAILED))
        submits++;
    while (fails_at(allocations, false, VK_ERROR_OUT_OF_DEVICE_MEMORY, EBB_OUT_OF_MEMORY))
        allocations++;
    REQUIRE(submits >= 1 && allocations >= 1);
    size_t count;
    float *result = run_conv("vulkan", &conv_cases[0], &count);
    REQUIRE(result);
    free(result);
}

TEST(a_device_with_the_smallest_limits_is_refused_by_name)
{
    struct ebb_device *d = vulkan();
    struct ebb_vk_physical *physical = (struct ebb_vk_physical *)((struct ebb_vk *)d->state)->physical;
    ebb_device_destroy(&d);
    struct ebb_vk_physical kept = *physical;
    struct ebb_error error = {0};
    physical->limits.maxPerStageDescriptorStorageBuffers = 4;
    ebb_vk_check_limits(physical);
    d = ebb_device_create("vulkan:0", 0, NULL, &error);
    bool refused = !d && error.code == EBB_NO_DEVICE && strstr(error.message, "storage buffers");
    ebb_device_destroy(&d);
    *physical = kept;

    physical->limits.maxStorageBufferRange = 1 << 16;
    d = ebb_device_create("vulkan:0", 0, NULL, &error);
    struct ebb_buffer *b = d ? ebb_buffer_create(d, 1 << 20, &error) : NULL;
    bool named = d && !b && error.code == EBB_OUT_OF_MEMORY && strstr(error.message, "MiB");
    ebb_buffer_destroy(&b);
    ebb_device_destroy(&d);
    *physical = kept;
    REQUIRE(refused);
    REQUIRE(named);
}

// What Vulkan 1.2 guarantees at least, and no 16-bit storage; only the storage buffers are those that every
// driver has.
TEST(a_device_with_few_means_is_served)
{
    struct ebb_device *d = vulkan();
    struct ebb_vk_physical *physical = (struct ebb_vk_physical *)((struct ebb_vk *)d->state)->physical;
    ebb_device_destroy(&d);
    struct ebb_vk_physical kept = *physical;
    physical->fp16 = false;
    physical->coop = 0;
    physical->limits.maxComputeWorkGroupInvocations = 128;
    physical->limits.maxComputeSharedMemorySize = 16384;
    physical->limits.maxPushConstantsSize = 128;
    physical->limits.maxPerStageDescriptorStorageBuffers = 9;
    for (int i = 0; i < 3; i++)
        physical->limits.maxComputeWorkGroupCount[i] = 65535;
    ebb_vk_check_limits(physical);
    size_t count;
    float *got = physical->lacks[0] ? NULL : run_conv("vulkan:0", &conv_cases[8], &count);
    float *want = run_conv("ref", &conv_cases[8], &count);

    physical->limits.maxComputeWorkGroupCount[0] = 1;
    struct ebb_error error = {0};
    d = ebb_device_create("vulkan:0", 0, NULL, &error);
    struct ebb_graph *g = conv_graph(&conv_cases[10]);
    struct ebb_plan *plan = d ? ebb_plan_create(d, g, &error) : NULL;
    bool refused = d && !plan && error.code == EBB_UNSUPPORTED && strstr(error.message, "workgroups");
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    *physical = kept;
    REQUIRE(got && want && refused);
    REQUIRE_NEAR(relative_rms(got, want, count), 0, 2e-6, "few means");
    free(got);
    free(want);
}

TEST(the_validation_layer_had_nothing_to_say)
{
    struct ebb_device *d = vulkan();
    bool validating = ((struct ebb_vk *)d->state)->instance->validating;
    ebb_device_destroy(&d);
    char first[400];
    int count = ebb_vk_validation_messages(first, sizeof(first));
    if (!validating)
        SKIP("the layer is off, or not installed");
    if (count)
        TEST_FAIL("%d messages, the first: %s", count, first);
}

TEST_MAIN
