// SPDX-License-Identifier: LGPL-2.1-or-later
// The classifier and its gradient against PyTorch's autograd (tests/golden/make_classifier.py) and against
// differences of its own scores.
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "backend/buffer.h"
#include "graph/plan.h"
#include "model/network.h"
#include "npy.h"
#include "test.h"

enum { MOST_LABELS = 8, MOST_ITEMS = 4 };

struct golden_classifier {
    struct ebb_device *device;
    struct ebb_network *network;
    struct ebb_plan *plan;
    struct ebb_buffer *input, *gradient, *scores;
    float *x, *want_gradient, *want_scores, *target, *time; // x, gradient: (n, c, h, w)
    int shape[4], labels;
    size_t count;
};

static void path_of(char path[700], const char *name, const char *file)
{
    snprintf(path, 700, "%s/golden/classifier/%s%s%s", getenv("EBB_TEST_DATA"), name, *file ? "/" : "", file);
}

static float *read_npy(const char *name, const char *file, int shape[4], size_t *count)
{
    char path[700];
    path_of(path, name, file);
    float *data = npy_read(path, shape, count);
    if (!data)
        TEST_FAIL("%s: not to be read", path);
    return data;
}

static void swap(const int s[4], const float *from, float *to, bool to_nhwc)
{
    size_t c = (size_t)s[1], pixels = (size_t)s[2] * (size_t)s[3];
    for (size_t n = 0; n < (size_t)s[0]; n++, from += c * pixels, to += c * pixels)
        for (size_t i = 0; i < c; i++)
            for (size_t p = 0; p < pixels; p++)
                to[to_nhwc ? p * c + i : i * pixels + p] = from[to_nhwc ? i * pixels + p : p * c + i];
}

static void read_steps(struct golden_classifier *g, const char *name)
{
    char path[700];
    path_of(path, name, "classifier.json");
    json_t *root = json_load_file(path, 0, NULL), *targets = json_object_get(root, "targets");
    REQUIRE(root && (int)json_array_size(targets) == g->shape[0]);
    int width = ebb_classifier_time_input(ebb_network_classifier(g->network));
    g->target = calloc((size_t)(g->shape[0] * g->labels), sizeof(float));
    g->time = calloc((size_t)(g->shape[0] * width), sizeof(float));
    for (int n = 0; n < g->shape[0]; n++) {
        ebb_classifier_embed(ebb_network_classifier(g->network),
                             json_number_value(json_object_get(root, "timestep")), g->time + n * width);
        for (int k = 0; k < g->labels; k++)
            g->target[n * g->labels + k] = (float)json_number_value(
                json_array_get(json_array_get(targets, (size_t)n), (size_t)k));
    }
    json_decref(root);
}

static struct golden_classifier open_golden(const char *name, const char *device)
{
    struct golden_classifier g = {0};
    struct ebb_error error = {0};
    char path[700];
    size_t count;
    int s[4];
    path_of(path, name, "");
    g.device = ebb_device_create(device, 2, NULL, &error);
    if (!g.device)
        TEST_FAIL("%s", error.message);
    g.network = ebb_network_open(path, EBB_ROLE_CLASSIFIER, &error);
    if (!g.network || ebb_network_load(&g.network, g.device, &error))
        TEST_FAIL("%s", error.message);
    g.labels = ebb_classifier_labels(ebb_network_classifier(g.network));
    g.x = read_npy(name, "in.npy", g.shape, &g.count);
    g.want_gradient = read_npy(name, "gradient.npy", s, &count);
    REQUIRE(memcmp(s, g.shape, sizeof(s)) == 0);
    g.want_scores = read_npy(name, "scores.npy", s, &count);
    REQUIRE(s[0] == g.shape[0] && s[1] == g.labels && count <= MOST_ITEMS * MOST_LABELS);
    read_steps(&g, name);

    struct ebb_graph *graph = ebb_graph_create();
    REQUIRE(ebb_classifier_build(ebb_network_classifier(g.network), graph, g.shape[0], g.shape[2], g.shape[3],
                                 &error) == EBB_OK);
    g.plan = ebb_plan_create(g.device, graph, &error);
    if (!g.plan)
        TEST_FAIL("%s", error.message);
    g.input = ebb_buffer_create(g.device, g.count, &error);
    g.gradient = ebb_buffer_create(g.device, g.count, &error);
    g.scores = ebb_buffer_create(g.device, count, &error);
    REQUIRE(g.input && g.gradient && g.scores);
    REQUIRE(ebb_plan_steps(g.plan, 1, (const float *const[]){g.time, g.target}, &error) == EBB_OK);
    return g;
}

static void close_golden(struct golden_classifier *g)
{
    ebb_buffer_destroy(&g->input);
    ebb_buffer_destroy(&g->gradient);
    ebb_buffer_destroy(&g->scores);
    ebb_plan_destroy(&g->plan);
    ebb_network_close(&g->network);
    ebb_device_destroy(&g->device);
    free(g->x);
    free(g->want_gradient);
    free(g->want_scores);
    free(g->target);
    free(g->time);
}

// Scores and gradient (n, c, h, w) at x + shift * direction.
static void evaluate(struct golden_classifier *g, double shift, const float *direction, float *scores,
                     float *gradient)
{
    struct ebb_error error = {0};
    float *moved = malloc(g->count * sizeof(float)), *turned = malloc(g->count * sizeof(float));
    for (size_t i = 0; i < g->count; i++)
        moved[i] = g->x[i] + (direction ? (float)(shift * direction[i]) : 0);
    swap(g->shape, moved, turned, true);
    REQUIRE(ebb_buffer_write(g->input, 0, turned, g->count, &error) == EBB_OK);
    struct ebb_buffer *outputs[] = {g->gradient, g->scores};
    if (ebb_plan_run(g->plan, 0, &g->input, outputs, &error))
        TEST_FAIL("%s", error.message);
    REQUIRE(ebb_buffer_read(g->scores, 0, scores, (size_t)(g->shape[0] * g->labels), &error) == EBB_OK);
    REQUIRE(ebb_buffer_read(g->gradient, 0, turned, g->count, &error) == EBB_OK);
    swap(g->shape, turned, gradient, false);
    free(moved);
    free(turned);
}

static double error_of(const float *a, const float *b, size_t count)
{
    double wrong = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        wrong += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return isfinite(wrong) ? sqrt(wrong / size) : INFINITY;
}

static const char *const names[] = {"plain", "attention", "film", "corner"};
enum { NAMES = 4 };

static void check_all(const char *device, double bound)
{
    for (int i = 0; i < NAMES; i++) {
        struct golden_classifier g = open_golden(names[i], device);
        float scores[MOST_ITEMS * MOST_LABELS], *gradient = malloc(g.count * sizeof(float));
        for (int again = 0; again < 2; again++)
            evaluate(&g, 0, NULL, scores, gradient);
        double of_scores = error_of(scores, g.want_scores, (size_t)(g.shape[0] * g.labels));
        double of_gradient = error_of(gradient, g.want_gradient, g.count);
        printf("# %-6s %-10s scores %.1e, gradient %.1e\n", device, names[i], of_scores, of_gradient);
        REQUIRE(of_scores <= bound);
        REQUIRE(of_gradient <= bound);
        free(gradient);
        close_golden(&g);
    }
}

TEST(ref_equals_autograd)
{
    check_all("ref", 2e-6);
}

TEST(cpu_equals_autograd)
{
    check_all("cpu", 1e-5);
}

TEST(vulkan_equals_autograd)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("vulkan", 0, NULL, &error);
    if (!device && !getenv("EBB_REQUIRE_VULKAN"))
        SKIP("%s", error.message);
    bool half = device && strstr(ebb_device_description(device), "16-bit");
    ebb_device_destroy(&device);
    check_all("vulkan", half ? 1e-2 : 1e-5);
}

static double log_probability(const struct golden_classifier *g, const float *scores)
{
    double sum = 0;
    for (int n = 0; n < g->shape[0]; n++) {
        double total = 0;
        for (int k = 0; k < g->labels; k++)
            total += exp(scores[n * g->labels + k]);
        for (int k = 0; k < g->labels; k++)
            sum += g->target[n * g->labels + k] * (scores[n * g->labels + k] - log(total));
    }
    return sum;
}

TEST(the_gradient_is_that_of_differences)
{
    for (int i = 0; i < NAMES; i++) {
        struct golden_classifier g = open_golden(names[i], "ref");
        float scores[MOST_ITEMS * MOST_LABELS];
        float *gradient = malloc(g.count * sizeof(float)), *ignored = malloc(g.count * sizeof(float)),
              *direction = malloc(g.count * sizeof(float));
        evaluate(&g, 0, NULL, scores, gradient);
        // Along the gradient itself, where the slope is its length.
        double length = 0, value[4];
        for (size_t k = 0; k < g.count; k++)
            length += (double)gradient[k] * gradient[k];
        length = sqrt(length);
        for (size_t k = 0; k < g.count; k++)
            direction[k] = (float)(gradient[k] / length);
        const double h = 0.02, at[4] = {-2 * h, -h, h, 2 * h};
        for (int k = 0; k < 4; k++) {
            evaluate(&g, at[k], direction, scores, ignored);
            value[k] = log_probability(&g, scores);
        }
        double slope = (8 * (value[2] - value[1]) - (value[3] - value[0])) / (12 * h);
        REQUIRE_NEAR(slope / length, 1, 2e-4, names[i]);
        free(gradient);
        free(ignored);
        free(direction);
        close_golden(&g);
    }
}

TEST(sizes_are_checked)
{
    struct golden_classifier g = open_golden("plain", "ref");
    struct ebb_error error = {0};
    struct ebb_graph *graph = ebb_graph_create();
    REQUIRE(ebb_classifier_build(ebb_network_classifier(g.network), graph, 1, 8, 7, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "multiples of 2"));
    ebb_graph_destroy(&graph);
    close_golden(&g);
}

TEST_MAIN
