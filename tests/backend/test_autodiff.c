// SPDX-License-Identifier: LGPL-2.1-or-later
// Gradients: `ref` against differences of its own values, `cpu` against `ref`.
#include "autodiff.h"

#include "graph/autodiff.h"

static double total(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

// sum(seed * value) at x + shift * direction.
static double value_at(const struct gradient_case *c, double shift)
{
    size_t count;
    float *y = gradient_value("ref", c, shift, &count), *seed = gradient_seed(count);
    REQUIRE(y);
    double sum = total(seed, y, count);
    free(y);
    free(seed);
    return sum;
}

TEST(the_reference_like_differences)
{
    for (int i = 0; i < gradient_case_count; i++) {
        const struct gradient_case *c = &gradient_cases[i];
        size_t count;
        float *gradient = gradient_run("ref", 1, c, 0, -1, &count), *direction = gradient_direction(count);
        REQUIRE(gradient && direction);
        double got = total(gradient, direction, count), size = sqrt(total(gradient, gradient, count));
        size *= sqrt(total(direction, direction, count) / (double)count);
        // Fourth order; values are floats, so that a smaller step would drown in their rounding.
        double h = c->kinked ? 1e-3 : 0.03;
        double want = (8 * (value_at(c, h) - value_at(c, -h)) - (value_at(c, 2 * h) - value_at(c, -2 * h))) /
                      (12 * h);
        REQUIRE(size > 1e-3);
        REQUIRE_NEAR(got / size, want / size, c->kinked ? 1e-2 : 2e-4, c->name);
        free(gradient);
        free(direction);
    }
}

static void compare(const char *device, const struct gradient_case *c, unsigned flags, const float *want,
                    size_t count, double bound)
{
    char what[96];
    size_t got_count;
    float *got = gradient_run(device, 2, c, flags, -1, &got_count);
    snprintf(what, sizeof(what), "%s on %s", c->name, device);
    REQUIRE(got && got_count == count);
    REQUIRE_NEAR(gradient_error(got, want, count), 0, bound, what);
    free(got);
}

TEST(every_gradient_like_the_reference)
{
    static const char *const devices[] = {"cpu:plain", "cpu:avx2", "cpu:avx512", "cpu:neon"};
    for (int i = 0; i < gradient_case_count; i++) {
        size_t count;
        float *want = gradient_run("ref", 1, &gradient_cases[i], EBB_PLAN_NO_FUSE, -1, &count);
        REQUIRE(want);
        compare("ref", &gradient_cases[i], 0, want, count, 2e-6);
        for (size_t d = 0; d < sizeof(devices) / sizeof(devices[0]); d++) {
            struct ebb_device *there = ebb_device_create(devices[d], 1, NULL, NULL);
            if (!there)
                continue; // another machine's instructions
            ebb_device_destroy(&there);
            compare(devices[d], &gradient_cases[i], 0, want, count, 1e-5);
        }
        free(want);
    }
}

TEST(threads_and_the_batch_do_not_change_a_bit)
{
    for (int i = 0; i < gradient_case_count; i++) {
        const struct gradient_case *c = &gradient_cases[i];
        size_t count, one;
        float *all = gradient_run("cpu", 1, c, 0, -1, &count),
              *more = gradient_run("cpu", 3, c, 0, -1, &count);
        REQUIRE(all && more && memcmp(all, more, count * sizeof(*all)) == 0);
        for (int item = 0; item < c->n && !c->vector; item++) {
            float *alone = gradient_run("cpu", 2, c, 0, item, &one);
            REQUIRE(alone && one * (size_t)c->n == count);
            if (memcmp(alone, all + (size_t)item * one, one * sizeof(*alone)) != 0)
                TEST_FAIL("%s: item %d differs", c->name, item);
            free(alone);
        }
        free(all);
        free(more);
    }
}

// ---- softmax, and the gradient of a log probability that is made of it ----

TEST(target_less_softmax_is_the_gradient_of_log_probability)
{
    enum { LABELS = 21, CHOSEN = 4 };
    const char *const names[] = {"ref", "cpu"};
    float x[LABELS], target[LABELS] = {[CHOSEN] = 1}, got[LABELS];
    double sum = 0;
    for (int i = 0; i < LABELS; i++)
        sum += exp(x[i] = (float)(3 * sin(i * i)));
    for (int k = 0; k < 2; k++) {
        struct ebb_error error = {0};
        struct ebb_device *d = device(names[k], 1);
        struct ebb_graph *g = ebb_graph_create();
        struct ebb_node *scores = ebb_input(g, 1, 1, 1, LABELS), *chosen = ebb_input(g, 1, 1, 1, LABELS);
        ebb_output(g, ebb_add(g, ebb_scale(g, ebb_softmax(g, scores), -1), chosen));
        struct ebb_plan *plan = ebb_plan_create(d, g, &error);
        struct ebb_buffer *in[2] = {buffer(d, x, LABELS), buffer(d, target, LABELS)},
                          *out = buffer(d, NULL, LABELS);
        REQUIRE(plan && ebb_plan_run(plan, 0, in, &out, &error) == EBB_OK);
        REQUIRE(ebb_buffer_read(out, 0, got, LABELS, &error) == EBB_OK);
        for (int i = 0; i < LABELS; i++)
            REQUIRE_NEAR(got[i], (i == CHOSEN) - exp(x[i]) / sum, 1e-6, names[k]);
        ebb_buffer_destroy(&in[0]);
        ebb_buffer_destroy(&in[1]);
        ebb_buffer_destroy(&out);
        ebb_plan_destroy(&plan);
        ebb_device_destroy(&d);
    }
}

// ---- what is refused ----

static void refuse(const char *words, struct ebb_graph *g)
{
    struct ebb_error error = {0};
    enum ebb_result result = ebb_graph_failed(g, &error);
    if (result != EBB_INVALID || !strstr(error.message, words))
        TEST_FAIL("%d \"%s\", expected \"%s\"", (int)result, error.message, words);
    ebb_graph_destroy(&g);
}

TEST(what_has_no_gradient_says_so)
{
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *x = ebb_input(g, 1, 2, 2, 4), *y = ebb_input(g, 1, 2, 2, 4);
    REQUIRE(!ebb_differentiate(g, ebb_scale(g, y, 2), y, x));
    refuse("does not depend", g);

    g = ebb_graph_create();
    x = ebb_input(g, 1, 2, 2, 4);
    REQUIRE(!ebb_differentiate(g, ebb_softmax(g, x), x, x));
    refuse("no gradient through", g);

    g = ebb_graph_create();
    x = ebb_input(g, 1, 2, 2, 4);
    REQUIRE(!ebb_differentiate(g, ebb_layer_norm(g, x, 1e-5f, NULL, NULL), x, x));
    refuse("no gradient through", g);

    g = ebb_graph_create();
    x = ebb_input(g, 1, 2, 2, 4);
    REQUIRE(!ebb_differentiate(g, ebb_mean(g, x), x, x));
    refuse("starts from (1, 2, 2, 4)", g);

    g = ebb_graph_create();
    x = ebb_input(g, 1, 2, 2, 4);
    struct ebb_node *keys = ebb_input(g, 1, 3, 1, 4), *seen = ebb_attention(g, x, keys, keys, 1);
    REQUIRE(!ebb_differentiate(g, seen, seen, x));
    refuse("2 x 2 places to 3 x 1", g);

    g = ebb_graph_create();
    x = ebb_input(g, 1, 2, 2, 4);
    seen = ebb_attention_with(g, x, x, x, &(struct ebb_attention_terms){.heads = 1, .causal = true});
    REQUIRE(!ebb_differentiate(g, seen, seen, x));
    refuse("no gradient of attention with a bias", g);

    g = ebb_graph_create();
    x = ebb_input(g, 1, 2, 2, 4);
    struct ebb_node *gate = ebb_gate(g, x, x, EBB_ACT_GELU);
    REQUIRE(!ebb_differentiate(g, gate, gate, x));
    refuse("no gradient through", g);
}

TEST_MAIN
