// SPDX-License-Identifier: LGPL-2.1-or-later
// How near each sampler comes to 200 steps of DDPM, by network evaluations: a Markdown table on standard
// output.
//
//     build/tests/bench/bench-quality [MODEL] [CLIPS] [SAMPLER...]
//
// MODEL: models/sfx; CLIPS of each of six labels: 4; SAMPLER: those alone, default all.
//
// Guidance is what the model recommends, spacing its own. A clip's mel is described by 3 numbers per band:
// mean, deviation, and mean change from frame to frame, each over the deviation that it has among all
// reference clips. Two sets are compared label by label by their energy distance (Szekely 2013), 2 E|a - b| -
// E|a - a'| - E|b - b'| without the pairs of a clip with itself, and the labels averaged. The reference is
// twice CLIPS of ddpm in 200 steps; the last row, CLIPS more of the same with other noise, is what can be
// told apart at all. All samplers start from the same noise. The device is one thread of the CPU.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/ebb.h>
#include <ebb/lab.h>

enum { LABELS = 6, MOST = 64, REFERENCE_STEPS = 200, BUDGETS = 4 };
static const int budgets[BUDGETS] = {5, 10, 20, 40}; // network evaluations

struct quality_bench {
    struct ebb_model *model;
    const struct ebb_model_info *info;
    int label[LABELS], clips, features;
    size_t state, mel;
    float *latents, *picture;
    double *reference, *other; // (LABELS, clips of the set, features)
    double *scale;             // (features,)
};

static void die(const char *what, const struct ebb_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->message);
    exit(1);
}

// ---- clips -> features ----

static void describe(const struct quality_bench *b, double *out)
{
    int bands = b->info->n_mels, frames = b->info->window_frames;
    for (int band = 0; band < bands; band++) {
        const float *row = b->picture + (size_t)band * frames;
        double mean = 0, squares = 0, change = 0;
        for (int i = 0; i < frames; i++) {
            mean += row[i];
            squares += (double)row[i] * row[i];
            change += i ? fabs((double)row[i] - row[i - 1]) : 0;
        }
        mean /= frames;
        out[3 * band] = mean;
        out[3 * band + 1] = sqrt(fmax(0, squares / frames - mean * mean));
        out[3 * band + 2] = change / (frames - 1);
    }
}

// A recipe with a sampler and its steps; the caller destroys it.
static struct ebb_recipe *recipe_with(const char *sampler, int steps)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    ebb_recipe_set(recipe, "sampler", sampler, NULL);
    ebb_recipe_set_number(recipe, "steps", steps, NULL);
    return recipe;
}

// `count` clips of every label. Returns the evaluations a clip took, or -1 with the error filled.
static int make(struct quality_bench *b, const char *sampler, int steps, double tolerance, uint64_t seed,
                int count, double *out, struct ebb_error *error)
{
    struct ebb_counts counts = {0};
    struct ebb_hooks hooks = {sizeof(hooks), .counts = &counts};
    struct ebb_recipe *recipe = recipe_with(sampler, steps);
    enum ebb_result result = ebb_recipe_set_seed(recipe, "seed", seed, error);
    int shape[4], evals = 0;
    if (tolerance > 0)
        ebb_recipe_set_number(recipe, "tolerance", tolerance, NULL);
    for (int k = 0; k < LABELS * count && result == EBB_OK; k++) {
        int label = k / count, i = k % count;
        ebb_recipe_set(recipe, "label", ebb_model_label(b->model, b->label[label])->name, NULL);
        ebb_recipe_set_seed(recipe, "index", (uint64_t)(label * MOST + i), NULL);
        result = ebb_generate_latents(b->model, recipe, b->latents, b->state, shape, &hooks, error);
        if (result == EBB_OK)
            result = ebb_generate_mel(b->model, b->latents, b->state, b->picture, b->mel, error);
        if (result == EBB_OK)
            describe(b, out + (size_t)k * b->features);
        evals += counts.evals;
    }
    ebb_recipe_destroy(&recipe);
    return result == EBB_OK ? (int)lround((double)evals / (LABELS * count)) : -1;
}

// ---- distance ----

static double mean_distance(const struct quality_bench *b, const double *x, int xs, const double *y, int ys)
{
    double sum = 0;
    for (int i = 0; i < xs; i++)
        for (int j = 0; j < ys; j++) {
            double squares = 0;
            for (int f = 0; f < b->features; f++) {
                double d = (x[(size_t)i * b->features + f] - y[(size_t)j * b->features + f]) / b->scale[f];
                squares += d * d;
            }
            sum += sqrt(squares / b->features);
        }
    return sum / (x == y ? (double)xs * (xs - 1) : (double)xs * ys);
}

static double energy(const struct quality_bench *b, const double *set)
{
    double sum = 0;
    for (int k = 0; k < LABELS; k++) {
        const double *x = set + (size_t)k * b->clips * b->features;
        const double *r = b->reference + (size_t)k * 2 * b->clips * b->features;
        sum += 2 * mean_distance(b, x, b->clips, r, 2 * b->clips) -
               mean_distance(b, x, b->clips, x, b->clips) -
               mean_distance(b, r, 2 * b->clips, r, 2 * b->clips);
    }
    return sum / LABELS;
}

static void find_scale(struct quality_bench *b)
{
    int count = LABELS * 2 * b->clips;
    for (int f = 0; f < b->features; f++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < count; i++) {
            double v = b->reference[(size_t)i * b->features + f];
            sum += v;
            squares += v * v;
        }
        b->scale[f] = sqrt(fmax(1e-12, squares / count - sum / count * (sum / count)));
    }
}

// ---- the table ----

static double measure(struct quality_bench *b, const char *sampler, int steps, double tolerance, int *evals)
{
    struct ebb_error error = {0};
    *evals = make(b, sampler, steps, tolerance, 1, b->clips, b->other, &error);
    if (*evals < 0)
        die(sampler, &error);
    fprintf(stderr, "%-16s %4d steps %4d evaluations %8.3f\n", sampler, steps, *evals, energy(b, b->other));
    return energy(b, b->other);
}

static void cell(double distance, int evals, int budget)
{
    if (evals == budget)
        printf(" %.2f |", distance);
    else
        printf(" %.2f (%d) |", distance, evals);
}

static bool can(struct quality_bench *b, const char *sampler)
{
    struct ebb_recipe *recipe = recipe_with(sampler, 1);
    int shape[4];
    bool distilled = strcmp(sampler, "lcm") == 0 || strcmp(sampler, "tcd") == 0 || strcmp(sampler, "cm") == 0;
    bool fits = ebb_generate_latents(b->model, recipe, NULL, 0, shape, NULL, NULL) == EBB_OK;
    ebb_recipe_destroy(&recipe);
    return fits && !distilled;
}

// A tolerance that means something already takes more evaluations than the others are given.
static void adaptive_row(struct quality_bench *b, const char *sampler)
{
    int evals;
    double distance = measure(b, sampler, 1, 0.1, &evals);
    printf(" | | |");
    cell(distance, evals, 0);
}

static void row(struct quality_bench *b, const struct ebb_sampler_info *s)
{
    printf("| `%s` | %s |", s->name, s->stochastic ? "SDE" : "ODE");
    for (int i = 0; i < BUDGETS && s->evals; i++) {
        // plms and pndm only start with more evaluations per step
        int extra = strcmp(s->name, "plms") == 0   ? 1
                    : strcmp(s->name, "pndm") == 0 ? 9
                                                   : 0,
            per = extra ? 1 : s->evals;
        int steps = (budgets[i] - extra + per / 2) / per, evals;
        if (steps < (extra > 1 ? 4 : 1)) {
            printf(" |");
            continue;
        }
        double distance = measure(b, s->name, steps, 0, &evals);
        cell(distance, evals, budgets[i]);
    }
    if (!s->evals)
        adaptive_row(b, s->name);
    printf("\n");
    fflush(stdout);
}

// The labels the model does best, so that what is compared is sound.
static void choose_labels(struct quality_bench *b)
{
    bool taken[1024] = {false};
    for (int k = 0; k < LABELS; k++) {
        int best = -1;
        for (int i = 0; i < b->info->label_count && i < 1024; i++)
            if (!taken[i] &&
                (best < 0 || ebb_model_label(b->model, i)->score > ebb_model_label(b->model, best)->score))
                best = i;
        b->label[k] = best;
        if (best >= 0)
            taken[best] = true;
    }
}

static void open_model(struct quality_bench *b, const char *path)
{
    struct ebb_error error = {0};
    int shape[4];
    struct ebb_device *device = ebb_device_create("cpu", 1, NULL, &error);
    b->model = device ? ebb_model_open(path, &error) : NULL;
    if (!b->model || ebb_model_load(b->model, device, &error) != EBB_OK ||
        ebb_generate_latents(b->model, NULL, NULL, 0, shape, NULL, &error) != EBB_OK)
        die(path, &error);
    ebb_device_destroy(&device);
    b->info = ebb_model_info(b->model);
    b->state = (size_t)shape[1] * shape[2] * shape[3];
    b->mel = (size_t)b->info->n_mels * b->info->window_frames;
    b->features = 3 * b->info->n_mels;
    choose_labels(b);
}

static bool asked(int argc, char **argv, const char *name)
{
    bool found = argc <= 3;
    for (int i = 3; i < argc; i++)
        found |= strcmp(argv[i], name) == 0;
    return found;
}

int main(int argc, char **argv)
{
    struct quality_bench b = {.clips = argc > 2 ? atoi(argv[2]) : 4};
    struct ebb_error error = {0};
    if (b.clips < 2 || b.clips > MOST / 2) {
        fprintf(stderr, "%d clips, expected 2 to %d\n", b.clips, MOST / 2);
        return 2;
    }
    open_model(&b, argc > 1 ? argv[1] : "models/sfx");
    b.latents = calloc(b.state, sizeof(float));
    b.picture = calloc(b.mel, sizeof(float));
    b.reference = calloc((size_t)LABELS * 2 * b.clips * b.features, sizeof(double));
    b.other = calloc((size_t)LABELS * b.clips * b.features, sizeof(double));
    b.scale = calloc((size_t)b.features, sizeof(double));
    if (!b.latents || !b.picture || !b.reference || !b.other || !b.scale)
        return fprintf(stderr, "out of memory\n"), 1;
    if (make(&b, "ddpm", REFERENCE_STEPS, 0, 2, 2 * b.clips, b.reference, &error) < 0)
        die("ddpm", &error);
    find_scale(&b);

    printf("%d clips each of", b.clips);
    for (int k = 0; k < LABELS; k++)
        printf("%s %s", k ? "," : "", ebb_model_label(b.model, b.label[k])->name);
    printf(":\n\n| sampler | kind | 5 | 10 | 20 | 40 |\n|---|---|---|---|---|---|\n");
    for (const struct ebb_sampler_info *s = ebb_sampler_next(NULL); s; s = ebb_sampler_next(s))
        if (can(&b, s->name) && asked(argc, argv, s->name))
            row(&b, s);
    int evals;
    double floor = measure(&b, "ddpm", REFERENCE_STEPS, 0, &evals);
    printf("| `ddpm`, 200 steps, other noise | SDE | %.2f | | | |\n", floor);
    ebb_model_close(&b.model);
    free(b.latents);
    free(b.picture);
    free(b.reference);
    free(b.other);
    free(b.scale);
    return 0;
}
