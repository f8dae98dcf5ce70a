// SPDX-License-Identifier: LGPL-2.1-or-later
// Time of a step without the network: bench-loop [MODEL]. Carries out each sampler's instructions on the
// device, all but the evaluations: its arithmetic, the blends, the noise. Beside it the network's pass, with
// guidance, as the model recommends. The least of many rounds; one Markdown line per sampler.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <ebb/net.h>

#include "generate/window.h"

enum { STEPS = 5, ROUNDS = 60 }; // short runs: on a busy machine a long one never has the processor to itself

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3; // microseconds
}

// What else runs on the machine only makes it longer.
static double least(const double *x, int count)
{
    double best = x[0];
    for (int i = 1; i < count; i++)
        best = fmin(best, x[i]);
    return best;
}

struct loop_bench {
    struct ebb_model *model;
    struct ebb_device *device;
    struct ebb_settled settled;
    struct ebb_buffer *slot[EBB_RUN_SLOTS];
    size_t count;
    float *draw;
};

static void die(const struct ebb_error *error)
{
    fprintf(stderr, "bench-loop: %s\n", error->message);
    exit(1);
}

static void blend(struct loop_bench *b, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_blend blend = {.dst = b->slot[in->dst],
                              .terms = in->terms,
                              .clamp = (float)in->clamp,
                              .count = b->count};
    for (int i = 0; i < in->terms; i++) {
        blend.src[i] = b->slot[in->term[i].slot];
        blend.weight[i] = (float)in->term[i].weight;
    }
    if (ebb_blend(b->device, &blend, error) != EBB_OK)
        die(error);
}

// Microseconds per evaluation of one run without its evaluations.
static double beside(struct loop_bench *b, struct ebb_error *error)
{
    struct ebb_run_instruction in = {.kind = EBB_RUN_STEP};
    struct ebb_counts counts;
    double start = now();
    struct ebb_run *run = ebb_run_create(&b->settled.run, error);
    if (!run)
        die(error);
    while (in.kind != EBB_RUN_DONE) {
        if (ebb_run_next(run, &in, error) != EBB_OK)
            die(error);
        if (in.kind == EBB_RUN_BLEND && in.terms > 0)
            blend(b, &in, error);
        if (in.kind == EBB_RUN_NOISE) {
            ebb_noise_philox(1, 0, (uint32_t)in.draw, 0, b->count, b->draw);
            ebb_buffer_write(b->slot[in.dst], 0, b->draw, b->count, error);
        }
        if (in.kind == EBB_RUN_MEASURE) {
            double value;
            ebb_sum_squares(b->device, b->slot[in.src], 0, b->count, &value, error);
            ebb_run_measured(run, 1);
        }
    }
    ebb_buffer_read(b->slot[0], 0, b->draw, 1, error);
    ebb_run_counts(run, &counts.evals, &counts.rejected);
    ebb_run_destroy(&run);
    return (now() - start) / counts.evals;
}

// Microseconds of one pass with as many labels at once as guidance asks for.
static double network(struct loop_bench *b, const char *folder, struct ebb_error *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/unet", folder);
    struct ebb_net *net = ebb_net_open(path, b->device, error);
    int shape[4] = {b->settled.n, b->model->state[0], b->model->state[1], b->model->state[2]};
    size_t count = b->count * (size_t)shape[0];
    float *x = calloc(count, sizeof(float)), *y = calloc(2 * count, sizeof(float));
    double took[ROUNDS];
    struct ebb_net_inputs inputs = {.timestep = 500};
    for (int i = -3; net && i < ROUNDS; i++) {
        double start = now();
        if (ebb_net_run(net, EBB_NET_FORWARD, shape, x, &inputs, y, error) != EBB_OK)
            die(error);
        if (i >= 0)
            took[i] = now() - start;
    }
    if (!net)
        die(error);
    ebb_net_close(&net);
    free(x);
    free(y);
    return least(took, ROUNDS);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "models/sfx";
    struct ebb_error error = {0};
    struct loop_bench b = {.device = ebb_device_create("cpu", 0, NULL, &error)};
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    b.model = b.device ? ebb_model_open(folder, &error) : NULL;
    if (!b.model || ebb_model_load(b.model, b.device, &error) != EBB_OK)
        die(&error);
    ebb_recipe_set(recipe, "label", ebb_model_label(b.model, 0)->name, NULL);
    ebb_recipe_set_number(recipe, "steps", STEPS, NULL);
    b.count = ebb_window_count(b.model);
    b.draw = calloc(b.count, sizeof(float));
    for (int i = 0; i < EBB_RUN_SLOTS; i++)
        if (!(b.slot[i] = ebb_buffer_create(b.device, b.count, &error)))
            die(&error);

    printf("| sampler | beside the network, us per evaluation | of a pass |\n|---|---|---|\n");
    EBB_EACH_SAMPLER (info) {
        ebb_recipe_set(recipe, "sampler", info->name, NULL);
        if (info->evals == 0 || ebb_settle_held(b.model, recipe, &b.settled, &error) != EBB_OK)
            continue;
        struct ebb_run *can = ebb_run_create(&b.settled.run, &error); // not those for distilled models
        if (!can)
            continue;
        ebb_run_destroy(&can);
        double took[ROUNDS], pass = network(&b, folder, &error);
        for (int i = 0; i < ROUNDS; i++)
            took[i] = beside(&b, &error);
        double cost = least(took, ROUNDS);
        printf("| `%s` | %.1f | %.2f %% |\n", info->name, cost, 100 * cost / pass);
        fflush(stdout);
    }
    for (int i = 0; i < EBB_RUN_SLOTS; i++)
        ebb_buffer_destroy(&b.slot[i]);
    ebb_recipe_destroy(&recipe);
    free(b.draw);
    ebb_model_close(&b.model);
    ebb_device_destroy(&b.device);
    return 0;
}
