// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb bench: where the time goes, as far as the public calls tell stages apart.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <ebb/lab.h>
#include <jansson.h>

#include "profile.h"
#include "report.h"
#include "tool.h"

enum { MAX_RUNS = 1000 };

struct bench {
    const char *device, *sampler, *trace;
    int threads, steps, repeat;
    double seconds;
    bool json, profile;
    struct tool_model m;
    struct ebb_recipe *recipe; // what is measured
    double open_ms, load_ms;
    json_t *all;
};

// The steps of one call, from its progress calls.
struct clock {
    double last, least, sum;
    int steps;
};

static bool on_step(void *user, double fraction)
{
    struct clock *c = user;
    double now = tool_now(), ms = 1e3 * (now - c->last);
    (void)fraction;
    if (c->last > 0) {
        c->least = c->steps++ ? fmin(c->least, ms) : ms;
        c->sum += ms;
    }
    c->last = now;
    return !tool_interrupted();
}

static double peak_megabytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static int read_options(const struct tool_command *command, struct bench *b, int argc, char **argv,
                        int *first)
{
    const struct tool_option options[] = {
        {"device", 'd', "NAME", TOOL_NAME, &b->device, 0, 0, TOOL_DEVICES},
        {"threads", 't', "N", TOOL_INT, &b->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"sampler", 0, "NAME", TOOL_TEXT, &b->sampler, 0, 0, "default: what the model recommends"},
        {"steps", 0, "N", TOOL_INT, &b->steps, 1, 1000, "sampler steps (default: recommended)"},
        {"seconds", 0, "S", TOOL_REAL, &b->seconds, 0.1, 3600,
         "of sound (default: one window; cleaning: 10)"},
        {"repeat", 'r', "N", TOOL_INT, &b->repeat, 1, MAX_RUNS, "runs; the least is reported (default 5)"},
        {"profile", 0, NULL, TOOL_FLAG, &b->profile, 0, 0,
         "one more run, timed operation by operation, as a table"},
        {"trace", 0, "X.json", TOOL_NAME, &b->trace, 0, 0,
         "the same as a Chrome trace (chrome://tracing, ui.perfetto.dev)"},
        {"json", 0, NULL, TOOL_FLAG, &b->json, 0, 0, "as JSON"},
        {0},
    };
    int code = tool_options(command, options, argc, argv, first);
    if (code < 0 && b->sampler && !(b->sampler = tool_sampler_name(b->sampler)))
        return TOOL_NOT_FOUND;
    if (code < 0 && b->trace && tool_is_stdout(b->trace))
        return tool_fail(TOOL_USAGE, "--trace %s: expected a file's name; the rest goes to standard output",
                         b->trace);
    return code;
}

static void put(struct bench *b, const char *key, const char *words, const char *unit, double value)
{
    int digits = !*unit ? 0 : fabs(value) < 10 ? 3 : fabs(value) < 100 ? 2 : 1;
    json_object_set_new(b->all, key, json_real(value));
    if (!b->json)
        printf("  %-34s %10.*f %s\n", words, digits, value, unit);
}

// ---- making ----

struct stages { // ms, least of all runs
    double loop, decode;
    double inverse, sound; // mel to sound without and with phase iterations
    double whole;          // a sound of several windows, in one call
};

static struct ebb_hooks hooks_of(struct clock *c)
{
    struct ebb_hooks hooks = EBB_HOOKS;
    hooks.progress = on_step;
    hooks.user = c;
    return hooks;
}

static double timed_generate(struct bench *b, float *samples, size_t count, struct ebb_error *error,
                             struct clock *c)
{
    struct ebb_hooks hooks = hooks_of(c);
    *c = (struct clock){0};
    double start = tool_now();
    if (ebb_generate(b->m.model, b->recipe, samples, count, &hooks, error) != EBB_OK)
        return -1;
    return 1e3 * (tool_now() - start);
}

struct bench_room {
    float *samples, *latents, *mel, *sound; // `sound` is one window
    size_t count, latent_count, cells, sound_count;
    struct ebb_mel *inverse;
};

// The least of `least` and what has passed since `start`; `start` becomes now.
static void note_least(double *least, double *start)
{
    double now = tool_now();
    *least = fmin(*least, 1e3 * (now - *start));
    *start = now;
}

// Each stage by a call of its own, so that they add up.
static bool time_stages(struct bench *b, const struct bench_room *r, struct stages *s,
                        struct ebb_error *error)
{
    enum { PHASE_ITERATIONS = 16 }; // the initial value of the setting
    struct clock c = {0};
    struct ebb_hooks hooks = hooks_of(&c);
    size_t frames = (size_t)b->m.info->window_frames;
    const struct ebb_mel_phases start_alone = {.grain = true},
                                whole = {.iterations = PHASE_ITERATIONS, .grain = true};
    int shape[4];
    double start = tool_now();
    enum ebb_result result = ebb_generate_latents(b->m.model, b->recipe, r->latents, r->latent_count, shape,
                                                  &hooks, error);
    note_least(&s->loop, &start);
    if (result == EBB_OK)
        result = ebb_generate_mel(b->m.model, r->latents, r->latent_count, r->mel, r->cells, error);
    note_least(&s->decode, &start);
    if (result == EBB_OK)
        result = ebb_mel_to_sound(r->inverse, r->mel, frames, &start_alone, r->sound, r->sound_count, error);
    note_least(&s->inverse, &start);
    if (result == EBB_OK)
        result = ebb_mel_to_sound(r->inverse, r->mel, frames, &whole, r->sound, r->sound_count, error);
    note_least(&s->sound, &start);
    return result == EBB_OK;
}

static bool time_whole(struct bench *b, const struct bench_room *r, struct stages *s, struct ebb_error *error)
{
    struct clock c;
    double ms = b->seconds > 0 ? timed_generate(b, r->samples, r->count, error, &c) : 0;
    s->whole = fmin(s->whole, ms);
    return ms >= 0;
}

static bool make_room(struct bench *b, struct bench_room *r, struct ebb_error *error)
{
    int shape[4];
    if (ebb_generate_latents(b->m.model, b->recipe, NULL, 0, shape, NULL, error) != EBB_OK)
        return false;
    r->count = ebb_generate_length(b->m.model, b->recipe, error);
    r->latent_count = (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    r->cells = (size_t)b->m.info->n_mels * (size_t)b->m.info->window_frames;
    struct ebb_mel_params params;
    ebb_model_mel(b->m.model, &params);
    if (!(r->inverse = ebb_mel_create(&params, error)))
        return false;
    r->sound_count = (size_t)b->m.info->window_samples;
    r->sound = calloc(r->sound_count + 1, sizeof(float));
    r->samples = calloc(r->count + 1, sizeof(float));
    r->latents = calloc(r->latent_count + 1, sizeof(float));
    r->mel = calloc(r->cells + 1, sizeof(float));
    error->code = EBB_OUT_OF_MEMORY;
    return r->samples && r->latents && r->mel && r->sound;
}

static int run_stages(struct bench *b, struct stages *s, double *first_ms)
{
    struct ebb_error error = {0};
    struct bench_room r = {0};
    struct clock c = {0};
    bool ok = make_room(b, &r, &error);
    if (ok) {
        *first_ms = timed_generate(b, r.samples, r.count, &error, &c);
        ok = *first_ms >= 0;
    }
    for (int i = 0; i < b->repeat && ok; i++)
        ok = time_stages(b, &r, s, &error) && time_whole(b, &r, s, &error);
    if (ok && (b->profile || b->trace)) {
        ebb_device_profile(b->m.device, true);
        ok = timed_generate(b, r.samples, r.count, &error, &c) >= 0;
    }
    free(r.samples);
    free(r.latents);
    free(r.mel);
    free(r.sound);
    ebb_mel_destroy(&r.inverse);
    return ok ? TOOL_OK : tool_error(&error);
}

static int bench_generate(struct bench *b)
{
    struct stages s = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    double first_ms = 0;
    int code = run_stages(b, &s, &first_ms);
    if (code)
        return code;
    double seconds = (double)ebb_generate_length(b->m.model, b->recipe, NULL) / b->m.info->sample_rate;
    put(b, "first_sound_ms", "first sound, from nothing", "ms", b->open_ms + b->load_ms + first_ms);
    double inverse = fmin(s.inverse, s.sound), all = s.loop + s.decode + s.sound;
    put(b, "step_ms", "one step (guidance included)", "ms",
        s.loop / (b->steps ? b->steps : b->m.info->steps));
    put(b, "loop_ms", "all steps", "ms", s.loop);
    put(b, "decode_ms", "latents to mel", "ms", s.decode);
    put(b, "inverse_ms", "mel to magnitudes and first phases", "ms", inverse);
    put(b, "phase_ms", "phase iterations", "ms", s.sound - inverse);
    put(b, "total_ms", "all of these stages, a window", "ms", all);
    if (b->seconds > 0)
        put(b, "whole_ms", "a sound of these seconds", "ms", s.whole);
    put(b, "seconds", "sound made", "s", seconds);
    put(b, "real_time_factor", "real-time factor", "(below 1: faster than it plays)",
        1e-3 * (b->seconds > 0 ? s.whole : all) / seconds);
    return TOOL_OK;
}

// ---- cleaning ----

// One pass over a made-up recording; returns the milliseconds, < 0: failed.
static double clean_once(struct bench *b, int rate, const float *input, size_t frames, float *output,
                         struct clock *c, struct ebb_denoise **denoiser, struct ebb_error *error)
{
    struct ebb_hooks hooks = hooks_of(c);
    *denoiser = ebb_denoise_create(b->m.model, b->recipe, rate, 1, &hooks, error);
    double start = tool_now();
    bool ok = *denoiser;
    for (size_t at = 0; ok && at < frames; at += 4096) {
        ok = ebb_denoise_write(*denoiser, input + at, frames - at < 4096 ? frames - at : 4096, error) ==
             EBB_OK;
        while (ok && ebb_denoise_read(*denoiser, output, NULL, 4096) > 0)
            ;
    }
    ok = ok && ebb_denoise_finish(*denoiser, error) == EBB_OK;
    return ok ? 1e3 * (tool_now() - start) : -1;
}

static int bench_denoise(struct bench *b)
{
    struct ebb_error error = {0};
    int rate = b->m.info->sample_rate, code = TOOL_OK;
    double seconds = b->seconds > 0 ? b->seconds : 10, least = INFINITY, first = 0, step = INFINITY;
    size_t frames = (size_t)(seconds * rate);
    float *input = calloc(frames + 1, sizeof(float)), output[4096];
    if (!input)
        return tool_fail(TOOL_FAILED, "no memory");
    uint32_t state = 1; // noise is as hard to clean as anything
    for (size_t i = 0; i < frames; i++)
        input[i] = 0.1F * (float)(int32_t)(state = state * 1664525u + 1013904223u) / 0x1p31F;
    uint64_t windows = 0;
    int runs = b->repeat + (b->profile || b->trace);
    for (int i = 0; i <= runs && !code; i++) {
        struct clock c = {0};
        if (i > b->repeat)
            ebb_device_profile(b->m.device, true);
        struct ebb_denoise *denoiser = NULL;
        double ms = clean_once(b, rate, input, frames, output, &c, &denoiser, &error);
        if (ms < 0)
            code = tool_error(&error);
        else
            windows = ebb_denoise_windows(denoiser);
        ebb_denoise_destroy(&denoiser);
        if (i == 0)
            first = ms; // plans on the way
        else if (i <= b->repeat)
            least = fmin(least, ms);
        // A device that is handed whole runs tells of progress in pieces of its own.
        if (i > 0 && i <= b->repeat && c.steps && strcmp(ebb_device_kind(b->m.device), "vulkan") != 0)
            step = fmin(step, c.least);
    }
    free(input);
    if (code)
        return code;
    put(b, "first_pass_ms", "first pass, from nothing", "ms", b->open_ms + b->load_ms + first);
    if (isfinite(step))
        put(b, "step_ms", "one network evaluation", "ms", step);
    put(b, "windows", "windows", "", (double)windows);
    put(b, "total_ms", "all", "ms", least);
    put(b, "seconds", "sound cleaned", "s", seconds);
    put(b, "real_time_factor", "real-time factor", "(below 1: faster than it plays)", 1e-3 * least / seconds);
    return TOOL_OK;
}

// ---- both ----

static int open_model(struct bench *b, const char *name)
{
    struct ebb_error error = {0};
    double start = tool_now();
    b->m = (struct tool_model){.model = ebb_model_open(name, &error)};
    if (!b->m.model)
        return tool_error(&error);
    b->m.info = ebb_model_info(b->m.model);
    b->open_ms = 1e3 * (tool_now() - start);
    start = tool_now();
    int code = tool_model_load(&b->m, b->device, b->threads, b->json);
    b->load_ms = 1e3 * (tool_now() - start);
    return code;
}

// What the options say, of the kind of model this is; the rest as it recommends.
static int make_recipe(struct bench *b)
{
    struct ebb_error error = {0};
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an open model has it
    bool generates = b->m.info->kind == EBB_MODEL_GENERATE;
    const struct ebb_label *label = ebb_model_label(b->m.model, b->m.info->default_label);
    b->recipe = ebb_recipe_create(generates ? EBB_VERB_GENERATE : EBB_VERB_DENOISE);
    enum ebb_result result = b->recipe ? EBB_OK : (error.code = EBB_OUT_OF_MEMORY);
    if (result == EBB_OK && generates && label)
        result = ebb_recipe_set(b->recipe, "label", label->name, &error);
    if (result == EBB_OK && generates && b->seconds > 0)
        result = ebb_recipe_set_number(b->recipe, "seconds", b->seconds, &error);
    if (result == EBB_OK && b->sampler)
        result = ebb_recipe_set(b->recipe, "sampler", b->sampler, &error);
    if (result == EBB_OK && b->steps)
        result = ebb_recipe_set_number(b->recipe, "steps", b->steps, &error);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}

static int bench_model(struct bench *b, const char *name)
{
    int code = open_model(b, name);
    if (!code)
        code = make_recipe(b);
    if (!code) {
        const char *device = ebb_device_description(b->m.device);
        b->all = json_pack("{s:s, s:s, s:s, s:i}", "model", b->m.info->name, "device", device, "sampler",
                           b->sampler ? b->sampler : b->m.info->sampler, "steps",
                           b->steps ? b->steps : b->m.info->steps);
        if (!b->json)
            tool_print("%s on %s: %s, %d steps", b->m.info->name, device,
                       b->sampler ? b->sampler : b->m.info->sampler, b->steps ? b->steps : b->m.info->steps);
        put(b, "open_ms", "open the folder", "ms", b->open_ms);
        put(b, "load_ms", "read and plan the weights", "ms", b->load_ms);
        code = b->m.info->kind == EBB_MODEL_GENERATE ? bench_generate(b) : bench_denoise(b);
        put(b, "peak_memory_mb", "most memory the process had", "MiB", peak_megabytes());
        if (!code && (b->profile || b->trace))
            code = profile_report(b->m.device, b->json ? b->all : NULL, b->trace);
        if (!code && b->json)
            report_print(json_incref(b->all));
        json_decref(b->all);
        b->all = NULL;
    }
    if (code && b->json)
        report_print(report_failure("model", name));
    ebb_recipe_destroy(&b->recipe);
    tool_model_close(&b->m);
    return code;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct bench b = {.repeat = 5};
    int first, code = read_options(command, &b, argc, argv, &first);
    if (code >= 0)
        return code;
    tool_catch_interrupts();
    code = first == argc ? bench_model(&b, "sfx") : TOOL_OK;
    if (!code && first == argc)
        code = bench_model(&b, "denoise");
    for (; first < argc && !code; first++)
        code = bench_model(&b, argv[first]);
    return code;
}

const struct tool_command tool_bench = {
    .name = "bench",
    .summary = "measure a model: per step and stage, real-time factor, memory",
    .usage = "[MODEL...] [OPTION...]",
    .details = "Without a model: the shipped ones. Times are the least of --repeat runs.",
    .examples = "  ebb bench\n"
                "  ebb bench sfx --device cpu --threads 2 --json\n"
                "  ebb bench denoise --seconds 60\n"
                "  ebb bench sfx --device vulkan --profile --trace steps.json\n",
    .run = run,
};
