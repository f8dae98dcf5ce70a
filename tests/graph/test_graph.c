// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fixture.h"

#include "graph/cost.h"

static struct pool pool;

// Whether the builder calls of `build` fail with a message that contains `words`.
static bool fails(void (*build)(struct ebb_graph *g), const char *words)
{
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_error error = {0};
    build(g);
    enum ebb_result result = ebb_graph_failed(g, &error);
    bool good = result == EBB_INVALID && strstr(error.message, words);
    if (!good)
        printf("# %d \"%s\", expected \"%s\"\n", (int)result, error.message, words);
    ebb_graph_destroy(&g);
    pool_clear(&pool);
    return good;
}

static void wrong_channels(struct ebb_graph *g)
{
    ebb_output(g, ebb_conv2d(g, ebb_input(g, 1, 4, 4, 3), weight(&pool, 8, 3, 5), NULL, 1, EBB_PAD_SAME));
}
static void wrong_bias(struct ebb_graph *g)
{
    ebb_conv2d(g, ebb_input(g, 1, 4, 4, 3), weight(&pool, 8, 3, 3), weight(&pool, 7, 1, 1), 1, EBB_PAD_SAME);
}
static void wrong_groups(struct ebb_graph *g)
{
    ebb_group_norm(g, ebb_input(g, 1, 4, 4, 10), 4, 1e-5f, NULL, NULL);
}
static void wrong_layer_norm(struct ebb_graph *g)
{
    ebb_layer_norm(g, ebb_input(g, 1, 4, 4, 10), 1e-5f, NULL, weight(&pool, 9, 1, 1));
}
static void wrong_sum(struct ebb_graph *g)
{
    ebb_add(g, ebb_input(g, 1, 4, 4, 3), ebb_input(g, 1, 4, 5, 3));
}
static void wrong_film(struct ebb_graph *g)
{
    ebb_film(g, ebb_input(g, 1, 4, 4, 3), ebb_step_input(g, 1, 5));
}
static void wrong_vector(struct ebb_graph *g)
{
    ebb_add_channels(g, ebb_input(g, 2, 4, 4, 3), ebb_step_input(g, 1, 3));
}
static void wrong_concat(struct ebb_graph *g)
{
    ebb_concat(g, ebb_input(g, 1, 4, 4, 3), ebb_input(g, 1, 2, 4, 3));
}
static void wrong_heads(struct ebb_graph *g)
{
    struct ebb_node *x = ebb_input(g, 1, 4, 4, 6);
    ebb_attention(g, x, x, x, 4);
}
static void wrong_bias_of_scores(struct ebb_graph *g)
{
    struct ebb_node *x = ebb_input(g, 2, 4, 4, 6);
    ebb_attention_with(g, x, x, x,
                       &(struct ebb_attention_terms){.heads = 2, .bias = ebb_input(g, 2, 1, 3, 16)});
}
static void one_bias_of_steps(struct ebb_graph *g)
{
    struct ebb_node *x = ebb_step_input(g, 2, 6);
    ebb_attention_with(g, x, x, x,
                       &(struct ebb_attention_terms){.heads = 2, .bias = ebb_step_input(g, 1, 1)});
}
static void more_queries_than_keys(struct ebb_graph *g)
{
    struct ebb_node *x = ebb_input(g, 1, 4, 4, 6), *keys = ebb_input(g, 1, 1, 15, 6);
    ebb_attention_with(g, x, keys, keys, &(struct ebb_attention_terms){.heads = 2, .causal = true});
}
static void wrong_scale(struct ebb_graph *g)
{
    struct ebb_node *x = ebb_input(g, 1, 4, 4, 6);
    ebb_attention_with(g, x, x, x, &(struct ebb_attention_terms){.heads = 2, .scale = -1});
}
static void odd_halves(struct ebb_graph *g)
{
    ebb_gate(g, ebb_input(g, 1, 4, 4, 5), NULL, EBB_ACT_GELU);
}
static void wrong_gate(struct ebb_graph *g)
{
    ebb_gate(g, ebb_input(g, 1, 4, 4, 6), ebb_input(g, 1, 4, 4, 12), EBB_ACT_GELU);
}
static void wrong_join(struct ebb_graph *g)
{
    ebb_join_tokens(g, ebb_input(g, 1, 4, 4, 6), ebb_input(g, 1, 4, 4, 5));
}
static void wrong_size(struct ebb_graph *g)
{
    ebb_upsample_to(g, ebb_input(g, 1, 4, 4, 6), 8, 6);
}
static void empty_input(struct ebb_graph *g)
{
    ebb_upsample(g, ebb_input(g, 1, 0, 4, 6));
}
static void huge_input(struct ebb_graph *g)
{
    ebb_input(g, 65536, 65536, 4, 6);
}
static void even_kernel(struct ebb_graph *g)
{
    ebb_conv2d(g, ebb_input(g, 1, 4, 4, 3), weight(&pool, 8, 2, 3), NULL, 1, EBB_PAD_SAME);
}
static void even_row_kernel(struct ebb_graph *g)
{
    ebb_conv_1d(g, ebb_input(g, 1, 1, 9, 3), weight_1d(&pool, 8, 4, 3), NULL, 1);
}
static void square_row_kernel(struct ebb_graph *g)
{
    ebb_conv_1d(g, ebb_input(g, 1, 9, 9, 3), weight(&pool, 8, 3, 3), NULL, 1);
}
static void no_dilation(struct ebb_graph *g)
{
    ebb_conv_1d(g, ebb_input(g, 1, 1, 9, 3), weight_1d(&pool, 8, 3, 3), NULL, 0);
}
static void nothing_left(struct ebb_graph *g)
{
    ebb_conv_1d_up(g, ebb_input(g, 1, 1, 1, 3), weight_1d(&pool, 8, 4, 3), NULL, 2, 2);
}
static void padding_beyond_the_kernel(struct ebb_graph *g)
{
    ebb_conv_1d_up(g, ebb_input(g, 1, 1, 9, 3), weight_1d(&pool, 8, 4, 3), NULL, 2, 4);
}
static void first_failure_stays(struct ebb_graph *g)
{
    struct ebb_node *x = ebb_input(g, 1, 4, 4, 10);
    ebb_output(g, ebb_add(g, ebb_group_norm(g, x, 3, 1e-5f, NULL, NULL), ebb_input(g, 1, 1, 1, 1)));
}

TEST(shapes_are_checked)
{
    REQUIRE(fails(wrong_channels, "5 input channels, its source has 3"));
    REQUIRE(fails(even_row_kernel, "kernel 4, dilation 1"));
    REQUIRE(fails(square_row_kernel, "kernel 3x3"));
    REQUIRE(fails(no_dilation, "kernel 3, dilation 0"));
    REQUIRE(fails(nothing_left, "0 places"));
    REQUIRE(fails(padding_beyond_the_kernel, "padding 4"));
    REQUIRE(fails(wrong_bias, "8 output channels, a bias of 7"));
    REQUIRE(fails(wrong_groups, "10 channels do not divide into 4"));
    REQUIRE(fails(wrong_layer_norm, "layer norm test: not 10 values"));
    REQUIRE(fails(wrong_sum, "sum of (1, 4, 4, 3) and (1, 4, 5, 3)"));
    REQUIRE(fails(wrong_film, "(1, 1, 1, 5)"));
    REQUIRE(fails(wrong_vector, "(1, 1, 1, 3)"));
    REQUIRE(fails(wrong_concat, "side by side"));
    REQUIRE(fails(wrong_heads, "4 heads"));
    REQUIRE(fails(wrong_bias_of_scores, "from 16 places to 16: a bias (2, 1, 3, 16)"));
    REQUIRE(fails(one_bias_of_steps, "one bias for 2 images"));
    REQUIRE(fails(more_queries_than_keys, "causal attention from 16 places to 15"));
    REQUIRE(fails(wrong_scale, "scores times -1"));
    REQUIRE(fails(odd_halves, "5 channels are not two halves"));
    REQUIRE(fails(wrong_gate, "a gate (1, 4, 4, 12) for (1, 4, 4, 6)"));
    REQUIRE(fails(wrong_join, "one after the other"));
    REQUIRE(fails(wrong_size, "to 8 x 6"));
    REQUIRE(fails(empty_input, "(1, 0, 4, 6)"));
    REQUIRE(fails(huge_input, "too large"));
    REQUIRE(fails(even_kernel, "2x2"));
    REQUIRE(fails(first_failure_stays, "3 groups"));
}

TEST(shapes_follow)
{
    struct ebb_graph *g = ebb_graph_create();
    int s[4];
    struct ebb_node *x = ebb_input(g, 2, 5, 7, 3);
    node_shape(ebb_conv2d(g, x, weight(&pool, 8, 3, 3), NULL, 2, EBB_PAD_SAME), s);
    REQUIRE(s[0] == 2 && s[1] == 3 && s[2] == 4 && s[3] == 8);
    node_shape(ebb_conv2d(g, x, weight(&pool, 8, 3, 3), NULL, 2, EBB_PAD_RIGHT_BOTTOM), s);
    REQUIRE(s[0] == 2 && s[1] == 2 && s[2] == 3 && s[3] == 8);
    node_shape(ebb_upsample(g, ebb_avg_pool(g, x)), s);
    REQUIRE(s[1] == 4 && s[2] == 6 && s[3] == 3);
    node_shape(ebb_concat(g, x, x), s);
    REQUIRE(s[3] == 6);
    REQUIRE(ebb_graph_failed(g, NULL) == EBB_OK);
    ebb_graph_destroy(&g);
    pool_clear(&pool);
}

// ---- a small U-Net with everything in it ----

static struct ebb_node *norm(struct ebb_graph *g, struct ebb_node *x, int groups, enum ebb_act act)
{
    int s[4];
    node_shape(x, s);
    return ebb_activate(
        g, ebb_group_norm(g, x, groups, 1e-5f, weight(&pool, s[3], 1, 1), weight(&pool, s[3], 1, 1)), act);
}

static struct ebb_node *conv(struct ebb_graph *g, struct ebb_node *x, int channels, int k, int stride)
{
    int s[4];
    node_shape(x, s);
    return ebb_conv2d(g, x, weight(&pool, channels, k, s[3]), weight(&pool, channels, 1, 1), stride,
                      EBB_PAD_SAME);
}

static struct ebb_node *resnet(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *time, int channels,
                               bool film)
{
    int s[4];
    node_shape(x, s);
    struct ebb_node *t = conv(g, time, film ? 2 * channels : channels, 1, 1);
    struct ebb_node *h = conv(g, norm(g, x, 2, EBB_ACT_SILU), channels, 3, 1);
    if (film) {
        h = ebb_film(g, norm(g, h, 4, EBB_ACT_NONE), t);
        h = ebb_activate(g, h, EBB_ACT_MISH);
    } else {
        h = norm(g, ebb_add_channels(g, h, t), 4, EBB_ACT_SILU);
    }
    h = conv(g, h, channels, 3, 1);
    return ebb_scale(g, ebb_add(g, s[3] == channels ? x : conv(g, x, channels, 1, 1), h), 0.70710678f);
}

static struct ebb_node *attention(struct ebb_graph *g, struct ebb_node *x, int heads)
{
    int s[4];
    node_shape(x, s);
    struct ebb_node *h = norm(g, x, 2, EBB_ACT_NONE);
    struct ebb_node *a = ebb_attention(g, conv(g, h, s[3], 1, 1), conv(g, h, s[3], 1, 1),
                                       conv(g, h, s[3], 1, 1), heads);
    return ebb_add(g, conv(g, a, s[3], 1, 1), x);
}

static struct ebb_graph *small_unet(int n)
{
    struct ebb_graph *g = ebb_graph_create();
    pool.seed = 1;
    struct ebb_node *x = conv(g, ebb_input(g, n, 6, 10, 3), 12, 3, 1);
    struct ebb_node *time = ebb_activate(g, conv(g, ebb_step_input(g, n, 8), 16, 1, 1), EBB_ACT_SILU);
    time = ebb_activate(g, conv(g, ebb_add(g, time, ebb_step_input(g, n, 16)), 16, 1, 1), EBB_ACT_SILU);
    struct ebb_node *skip = x = resnet(g, x, time, 12, false);
    x = resnet(g, conv(g, x, 12, 3, 2), time, 20, true);
    x = attention(g, x, 2);
    x = conv(g, ebb_upsample(g, x), 20, 3, 1);
    x = resnet(g, ebb_concat(g, x, skip), time, 12, false);
    x = ebb_add(g, ebb_upsample(g, ebb_avg_pool(g, x)), x);
    ebb_output(g, conv(g, norm(g, x, 4, EBB_ACT_SILU), 3, 3, 1));
    ebb_output(g, skip);
    ebb_output(g, time);
    return g;
}

enum { SIZE = 6 * 10 * 3, SKIP = 6 * 10 * 12, STEPS = 19 };

struct results {
    float out[2 * SIZE], skip[2 * SKIP], time[2 * 16];
};

// Runs step `step` of `steps`; `poison` fills the arena with NaN before.
static bool evaluate(const char *name, int n, unsigned flags, int step, bool poison, struct results *results)
{
    struct ebb_error error = {0};
    struct ebb_device *d = device(name, 2);
    struct ebb_plan *plan = ebb_plan_create_with(d, small_unet(n), flags, &error);
    size_t count = (size_t)n;
    float *input = random_floats(SIZE * 2, 5),
          *rows[2] = {random_floats(STEPS * 2 * 8, 6), random_floats(STEPS * 2 * 16, 7)};
    struct ebb_buffer *in = buffer(d, input, SIZE * count);
    struct ebb_buffer *out[3] = {buffer(d, NULL, SIZE * count), buffer(d, NULL, SKIP * count),
                                 buffer(d, NULL, 16 * count)};
    bool good = plan && ebb_plan_steps(plan, 3, (const float *const *)rows, &error) == EBB_OK;
    good = good && ebb_plan_steps(plan, STEPS, (const float *const *)rows, &error) == EBB_OK;
    if (good && poison) {
        size_t arena = ebb_buffer_count(plan->arena);
        float *nan = malloc(arena * sizeof(*nan));
        for (size_t i = 0; i < arena; i++)
            nan[i] = NAN;
        good = ebb_buffer_write(plan->arena, 0, nan, arena, &error) == EBB_OK;
        free(nan);
    }
    good = good && ebb_plan_run(plan, step, &in, out, &error) == EBB_OK;
    good = good && ebb_buffer_read(out[0], 0, results->out, SIZE * count, &error) == EBB_OK;
    good = good && ebb_buffer_read(out[1], 0, results->skip, SKIP * count, &error) == EBB_OK;
    good = good && ebb_buffer_read(out[2], 0, results->time, 16 * count, &error) == EBB_OK;
    if (!good)
        printf("# %s: %s\n", name, error.message);
    free(input);
    free(rows[0]);
    free(rows[1]);
    ebb_buffer_destroy(&in);
    for (int i = 0; i < 3; i++)
        ebb_buffer_destroy(&out[i]);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return good;
}

static double difference(const float *a, const float *b, size_t count)
{
    double largest = 0, scale = 1e-30;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - b[i]);
        largest = d > largest || d != d ? d : largest;
        scale = fabs(b[i]) > scale ? fabs(b[i]) : scale;
    }
    return largest / scale;
}

static double distance(const struct results *a, const struct results *b, size_t n)
{
    double d = difference(a->out, b->out, SIZE * n);
    d = larger(d, difference(a->skip, b->skip, SKIP * n));
    return fmax(d, difference(a->time, b->time, 16 * n));
}

static const char *const devices[] = {"ref", "cpu", NULL};

TEST(fusion_and_memory_reuse_change_nothing)
{
    static struct results plain, got;
    REQUIRE(evaluate("ref", 2, EBB_PLAN_NO_FUSE | EBB_PLAN_NO_REUSE, 4, false, &plain));
    REQUIRE(isfinite(plain.out[0]) && plain.out[0] != 0);
    for (int i = 0; devices[i]; i++)
        for (unsigned flags = 0; flags < 4; flags++)
            for (int poison = 0; poison < 2; poison++) {
                memset(&got, 0, sizeof(got));
                REQUIRE(evaluate(devices[i], 2, flags, 4, poison, &got));
                REQUIRE_NEAR(distance(&got, &plain, 2), 0, 1e-5, devices[i]);
            }
}

TEST(every_step_has_its_own_values)
{
    static struct results plain, got;
    for (int step = 0; step < STEPS; step += 6) {
        REQUIRE(evaluate("ref", 2, EBB_PLAN_NO_FUSE, step, false, &plain));
        REQUIRE(evaluate("cpu", 2, 0, step, true, &got));
        REQUIRE_NEAR(distance(&got, &plain, 2), 0, 1e-5, "a step");
    }
    REQUIRE(evaluate("ref", 2, EBB_PLAN_NO_FUSE, 0, false, &got));
    REQUIRE(distance(&got, &plain, 2) > 1e-3);
}

TEST(fused_programs_are_short)
{
    struct ebb_device *d = device("ref", 1);
    struct ebb_plan *plan = ebb_plan_create(d, small_unet(1), NULL);
    struct ebb_plan *plain = ebb_plan_create_with(d, small_unet(1), EBB_PLAN_NO_FUSE | EBB_PLAN_NO_REUSE,
                                                  NULL);
    REQUIRE(plan && plain);
    // Convolutions: in, 2 + 3 + 3 of resnets, 4 of attention, down, up, out; norms: 2 + 2 + 2 + 1 + 1;
    // attention; pool; the sum that upsamples; the copy of `time`, an output that the prologue made.
    REQUIRE(plan->lowered[EBB_EVALUATION].op_count == 16 + 8 + 1 + 1 + 1 + 1);
    REQUIRE(plan->lowered[EBB_PROLOGUE].op_count == 2 + 2 + 3);
    REQUIRE(plain->lowered[EBB_EVALUATION].op_count > plan->lowered[EBB_EVALUATION].op_count + 10);
    REQUIRE(ebb_buffer_count(plan->arena) < ebb_buffer_count(plain->arena) / 3);
    ebb_plan_destroy(&plan);
    ebb_plan_destroy(&plain);
    ebb_device_destroy(&d);
    pool_clear(&pool);
}

// A 1x1 convolution of two sources, which are large: they are loaded a band at a time. `op`: its number.
static struct ebb_plan *shortcut_plan(struct ebb_device *d, unsigned flags, int *op)
{
    enum { SIDE = 96, CHANNELS = 48 };
    struct pool weights = {.seed = 7};
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *in = ebb_input(g, 2, SIDE, SIDE, 3);
    struct ebb_node *x = ebb_conv2d(g, in, weight(&weights, CHANNELS, 3, 3), NULL, 1, EBB_PAD_SAME);
    struct ebb_node *skip = ebb_conv2d(g, in, weight(&weights, CHANNELS, 1, 3), NULL, 1, EBB_PAD_SAME);
    x = ebb_conv2d(g, ebb_activate(g, ebb_concat(g, x, skip), EBB_ACT_SILU),
                   weight(&weights, CHANNELS, 1, 2 * CHANNELS), NULL, 1, EBB_PAD_SAME);
    ebb_output(g, ebb_conv2d(g, x, weight(&weights, 5, 3, CHANNELS), NULL, 1, EBB_PAD_SAME));
    struct ebb_plan *plan = ebb_plan_create_with(d, g, flags, NULL);
    for (int i = 0; plan && i < plan->lowered[EBB_EVALUATION].op_count; i++)
        if (plan->lowered[EBB_EVALUATION].ops[i].src[1] >= 0)
            *op = i;
    for (int i = 0; i < weights.count; i++)
        pool.weights[pool.count++] = weights.weights[i];
    return plan;
}

static float *run_shortcut(const char *name, int threads, unsigned flags, bool *in_place)
{
    enum { IN = 2 * 96 * 96 * 3, OUT = 2 * 96 * 96 * 5 };
    int op = -1;
    struct ebb_device *d = device(name, threads);
    struct ebb_plan *plan = shortcut_plan(d, flags, &op);
    float *x = random_floats(IN, 5), *y = calloc(OUT, sizeof(*y));
    struct ebb_buffer *in = buffer(d, x, IN), *out = buffer(d, NULL, OUT);
    REQUIRE(plan && op >= 0 && ebb_plan_run(plan, 0, &in, &out, NULL) == EBB_OK);
    REQUIRE(ebb_buffer_read(out, 0, y, OUT, NULL) == EBB_OK);
    const struct ebb_lowered *l = &plan->lowered[EBB_EVALUATION];
    *in_place = l->operands[l->ops[op].dst].offset == l->operands[l->ops[op].src[0]].offset;
    free(x);
    ebb_buffer_destroy(&in);
    ebb_buffer_destroy(&out);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return y;
}

TEST(a_convolution_over_its_first_source_gives_the_same_bits)
{
    enum { OUT = 2 * 96 * 96 * 5 };
    bool in_place;
    float *want = run_shortcut("ref", 1, 0, &in_place);
    REQUIRE(!in_place); // the definition reads a pixel while it writes it
    float *apart = run_shortcut("cpu", 2, EBB_PLAN_NO_REUSE, &in_place);
    REQUIRE(!in_place && difference(apart, want, OUT) < 1e-5);
    for (int threads = 1; threads < 4; threads++) {
        float *over = run_shortcut("cpu", threads, 0, &in_place);
        REQUIRE(in_place && memcmp(over, apart, OUT * sizeof(*over)) == 0);
        free(over);
    }
    free(want);
    free(apart);
}

TEST(a_plan_refuses_what_does_not_fit)
{
    struct ebb_error error = {0};
    struct ebb_device *d = device("ref", 1);
    struct ebb_plan *plan = ebb_plan_create(d, small_unet(1), &error);
    struct ebb_buffer *in = buffer(d, NULL, SIZE), *small = buffer(d, NULL, SIZE - 1),
                      *skip = buffer(d, NULL, SKIP);
    struct ebb_buffer *out = buffer(d, NULL, SIZE), *time = buffer(d, NULL, 16);
    struct ebb_buffer *outputs[3] = {out, skip, time};
    const float *rows[2] = {(const float[8]){0}, (const float[16]){0}};
    REQUIRE(plan);
    REQUIRE(ebb_plan_run(plan, 0, &in, outputs, &error) == EBB_INVALID);
    REQUIRE_STRING(error.message, "step 0 of a plan of 0");
    REQUIRE(ebb_plan_steps(plan, 0, rows, &error) == EBB_INVALID);
    REQUIRE(ebb_plan_steps(plan, 1, rows, &error) == EBB_OK);
    REQUIRE(ebb_plan_run(plan, 1, &in, outputs, &error) == EBB_INVALID);
    REQUIRE(ebb_plan_run(plan, 0, &small, outputs, &error) == EBB_INVALID);
    REQUIRE_STRING(error.message, "input 0 needs 180 floats, the buffer has 179");
    outputs[0] = in;
    REQUIRE(ebb_plan_run(plan, 0, &in, outputs, &error) == EBB_INVALID);
    outputs[0] = out;
    REQUIRE(ebb_plan_run(plan, 0, &in, outputs, &error) == EBB_OK);
    ebb_plan_destroy(&plan);

    struct ebb_graph *empty = ebb_graph_create();
    REQUIRE(!ebb_plan_create(d, empty, &error) && error.code == EBB_INVALID);
    struct ebb_graph *failed = ebb_graph_create();
    wrong_groups(failed);
    REQUIRE(!ebb_plan_create(d, failed, &error) && strstr(error.message, "4 groups"));
    ebb_buffer_destroy(&in);
    ebb_buffer_destroy(&small);
    ebb_buffer_destroy(&skip);
    ebb_buffer_destroy(&out);
    ebb_buffer_destroy(&time);
    ebb_device_destroy(&d);
    pool_clear(&pool);
}

// Each op's definition, counted by hand.
TEST(a_graph_tells_its_cost)
{
    struct ebb_error error = {0};
    struct ebb_graph_cost cost;
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *x = ebb_conv2d(g, ebb_input(g, 2, 8, 6, 3), weight(&pool, 4, 3, 3), NULL, 2,
                                    EBB_PAD_SAME);
    struct ebb_node *text = ebb_input(g, 2, 1, 7, 4);
    ebb_output(g, ebb_attention_with(g, x, text, text, &(struct ebb_attention_terms){.heads = 2}));
    struct ebb_node *early = ebb_linear(g, ebb_step_input(g, 2, 5), weight(&pool, 4, 1, 5), NULL);
    ebb_output(g, ebb_add_channels(g, x, early)); // `early` is computed once for all steps
    REQUIRE(ebb_graph_cost(g, &cost, &error) == EBB_OK);
    const double places = 2 * 4 * 3, conv = places * 4 * 9 * 3, attention = 2 * places * 7 * 4;
    REQUIRE_NEAR(cost.multiply_adds, conv + attention, 0, "multiply-adds");
    REQUIRE(cost.bytes >= places * 4 * sizeof(float));
    ebb_graph_destroy(&g);
    pool_clear(&pool);
}

// No score is ever stored: attention of many places takes what its operands take.
TEST(attention_keeps_no_scores)
{
    enum { PLACES = 4096, CHANNELS = 320, TEXT = 77, OPERANDS = 4 };
    static const int tokens[] = {PLACES, TEXT};
    for (int i = 0; i < 2; i++) {
        struct ebb_error error = {0};
        struct ebb_graph_cost cost;
        struct ebb_graph *g = ebb_graph_create();
        struct ebb_weight *one = weight(&pool, CHANNELS, 1, CHANNELS);
        struct ebb_node *x = ebb_input(g, 1, 1, PLACES, CHANNELS),
                        *y = ebb_input(g, 1, 1, tokens[i], CHANNELS);
        struct ebb_node *q = ebb_linear(g, x, one, NULL), *k = ebb_linear(g, y, one, NULL),
                        *v = ebb_linear(g, y, one, NULL);
        ebb_output(g, ebb_linear(g, ebb_attention(g, q, k, v, 8), one, NULL));
        REQUIRE(ebb_graph_cost(g, &cost, &error) == EBB_OK);
        printf("# %d x %d: %.1f MB\n", PLACES, tokens[i], 1e-6 * cost.bytes);
        REQUIRE(cost.bytes <= (double)OPERANDS * PLACES * CHANNELS * sizeof(float));
        ebb_graph_destroy(&g);
        pool_clear(&pool);
    }
}

static void build_without_numbers(struct ebb_graph *g, struct ebb_weight *bare)
{
    ebb_output(g, ebb_conv2d(g, ebb_input(g, 1, 4, 4, 3), bare, NULL, 1, EBB_PAD_SAME));
}

// A network that is not loaded has a cost, and no plan.
TEST(weights_may_lack_their_numbers_until_there_is_a_plan)
{
    struct ebb_error error = {0};
    struct ebb_graph_cost cost;
    struct ebb_weight bare = {.name = "bare", .cout = 4, .kh = 3, .kw = 3, .cin = 3};
    struct ebb_device *device = ebb_device_create("ref", 1, NULL, &error);
    struct ebb_graph *g = ebb_graph_create();
    REQUIRE(device != NULL);
    build_without_numbers(g, &bare);
    REQUIRE(ebb_graph_cost(g, &cost, &error) == EBB_OK && cost.multiply_adds == 16 * 4 * 27);
    ebb_graph_destroy(&g);
    g = ebb_graph_create();
    build_without_numbers(g, &bare);
    REQUIRE(ebb_plan_create(device, g, &error) == NULL && error.code == EBB_INVALID);
    REQUIRE(strstr(error.message, "bare") != NULL);
    ebb_device_destroy(&device);
}

TEST(inputs_can_be_outputs)
{
    struct ebb_device *d = device("ref", 1);
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *x = ebb_input(g, 1, 1, 1, 3), *twice = ebb_add(g, x, x);
    ebb_output(g, x);
    ebb_output(g, twice);
    ebb_output(g, twice);
    struct ebb_plan *plan = ebb_plan_create(d, g, NULL);
    struct ebb_buffer *in = buffer(d, (const float[3]){1, 2, 3}, 3);
    struct ebb_buffer *out[3] = {buffer(d, NULL, 3), buffer(d, NULL, 3), buffer(d, NULL, 3)};
    REQUIRE(plan && ebb_plan_run(plan, 0, &in, out, NULL) == EBB_OK);
    for (int i = 0; i < 3; i++) {
        float got[3];
        ebb_buffer_read(out[i], 0, got, 3, NULL);
        REQUIRE(got[2] == (i ? 6 : 3));
        ebb_buffer_destroy(&out[i]);
    }
    ebb_buffer_destroy(&in);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
}

TEST_MAIN
