// SPDX-License-Identifier: LGPL-2.1-or-later
// Against diffusers, step by step: schedulers.txt holds its state before every network call, the network's
// answer and the noise it drew; one step of ours from there may err by 2e-5 * max(1, max|x|).
#include "test.h"

#include <setjmp.h>
#include <stdarg.h>

#include "diffusers/scheduler.h"
#include "diffusion/machine.h"

enum { WIDTH = 8 };

struct golden_run {
    char name[256];
    char config[4096]; // JSON, open at the end
    int steps;
    double eta;
};

static struct golden_run g;

// A case that fails is told and left; the others still run.
static jmp_buf next_case;

static void differs(const char *format, ...)
{
    va_list args;
    printf("# %s: ", g.name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    longjmp(next_case, 1);
}

static void begin_config(const char *class_name)
{
    snprintf(g.config, sizeof(g.config), "{\"_class_name\": \"%s\"", class_name);
}

static void add_key(const char *name, const char *json)
{
    const char *const parts[] = {", \"", name, "\": ", json};
    REQUIRE(strlen(g.config) + strlen(name) + strlen(json) + 8 < sizeof(g.config));
    for (int i = 0; i < 4; i++)
        strcat(g.config, parts[i]);
}

static enum ebb_result read_config(int positions, struct ebb_scheduler *out, struct ebb_error *error)
{
    struct ebb_json_file file;
    strcat(g.config, "}");
    if (ebb_json_parse(&file, "scheduler_config.json", g.config, strlen(g.config), EBB_JSON_PYTHON, error) !=
        EBB_OK)
        return EBB_CORRUPT;
    enum ebb_result result = ebb_scheduler_read(&file, positions, out);
    ebb_json_close(&file);
    return result;
}

static void read_vector(const char *hex, double *out, int count)
{
    for (int i = 0; i < count; i++) {
        char word[9] = "";
        memcpy(word, hex + 8 * i, 8);
        uint32_t bits = (uint32_t)strtoul(word, NULL, 16);
        float value;
        memcpy(&value, &bits, sizeof(value));
        out[i] = value;
    }
}

static double read_double(const char *hex)
{
    char word[17] = "";
    memcpy(word, hex, 16);
    uint64_t bits = strtoull(word, NULL, 16);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

// A state, of float32 or float64. Returns what follows it.
static const char *read_state(const char *hex, double *out)
{
    size_t length = strcspn(hex, " ");
    if (length == 8 * WIDTH)
        read_vector(hex, out, WIDTH);
    for (int i = 0; i < WIDTH && length == 16 * WIDTH; i++)
        out[i] = read_double(hex + 16 * i);
    return hex + length;
}

static FILE *file;
static char line[4096];

// The next line if it begins with `word`; what follows the word.
static char *expect(const char *word)
{
    static bool again;
    if (!again && !fgets(line, sizeof(line), file))
        return NULL;
    line[strcspn(line, "\n")] = 0;
    size_t length = strlen(word);
    again = strncmp(line, word, length) != 0 || line[length] != ' ';
    return again ? NULL : line + length + 1;
}

// Takes the line that was expected to be another one.
static bool skip_line(void)
{
    size_t length = strcspn(line, " ");
    char word[16];
    snprintf(word, sizeof(word), "%.*s", (int)length, line);
    return expect(word) != NULL;
}

struct replay {
    double worst, output[2 * WIDTH];
    int calls;
};

static double difference(const double *a, const double *b, double factor)
{
    double worst = 0, size = 1;
    for (int i = 0; i < WIDTH; i++) {
        worst = larger(worst, fabs(a[i] - b[i] * factor));
        size = larger(size, fabs(a[i]));
    }
    return isnan(worst) ? INFINITY : worst / size;
}

static struct machine m;

static void replay_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out,
                       double *second, int count)
{
    struct replay *r = data;
    memcpy(out, r->output, WIDTH * sizeof(double));
    if (second)
        memcpy(second, r->output + WIDTH, WIDTH * sizeof(double));
}

static void replay_noise(void *data, uint64_t draw, double *out, int count)
{
    char *text = expect("noise");
    if (!text)
        differs("draw %d, where diffusers has \"%.20s\"", (int)draw, line);
    read_vector(text, out, WIDTH);
}

// Before the call: our input against theirs, then theirs for ours.
static void before_call(struct replay *r, const struct ebb_run_instruction *in)
{
    char *text = expect("call");
    if (!text)
        differs("call %d, where diffusers has \"%.20s\"", r->calls, line);
    double want[WIDTH], told = read_double(text);
    const char *answer = read_state(text + 17, want) + 1;
    read_vector(answer, r->output, strlen(answer) > 8 * WIDTH ? 2 * WIDTH : WIDTH);
    if (!(fabs(in->timestep - told) <= 2e-3 + 1e-4 * fabs(told)))
        differs("call %d is at %.9g, diffusers' at %.9g", r->calls, in->timestep, told);
    double error = difference(want, m.slot[in->src], in->scale);
    r->worst = larger(r->worst, error);
    if (!(error <= 2e-5))
        differs("the state of call %d errs by %.3g", r->calls, error);
    for (int i = 0; i < WIDTH; i++)
        m.slot[in->src][i] = want[i] / in->scale;
    r->calls++;
}

static double replay(struct ebb_run *run)
{
    struct replay r = {0};
    m = (struct machine){.net = replay_net, .data = &r, .noise = replay_noise, .count = WIDTH};
    double alpha, sigma, want[WIDTH];
    ebb_run_start(run, &alpha, &sigma);
    char *text = expect("start");
    REQUIRE(text);
    read_vector(text, m.slot[0], WIDTH);
    for (int i = 0; i < WIDTH; i++) // an inverse run starts at a sound: the numbers themselves
        m.slot[0][i] *= alpha > 0 && sigma < 0.5 ? 1 : sigma;

    struct ebb_run_instruction in;
    struct ebb_error error;
    while (ebb_run_next(run, &in, &error) == EBB_OK && in.kind != EBB_RUN_DONE) {
        if (in.kind == EBB_RUN_EVAL)
            before_call(&r, &in);
        machine_do(&m, run, &in);
    }
    while (expect("noise")) // drawn, but never used
        ;
    text = expect("final");
    if (!text)
        differs("the end, where diffusers has \"%.20s\"", line);
    read_state(text, want);
    double last = difference(want, m.slot[0], 1);
    if (!(last <= 2e-5))
        differs("the result errs by %.3g", last);
    return fmax(r.worst, last);
}

static bool read_case(void)
{
    char *text, name[64];
    while (!(text = expect("case"))) // what a failed case left
        if (feof(file) || !skip_line())
            return false;
    g = (struct golden_run){.eta = NAN};
    snprintf(g.name, sizeof(g.name), "%s", text);
    text = expect("class");
    REQUIRE(text);
    begin_config(text);
    while ((text = expect("key"))) {
        size_t length = strcspn(text, " ");
        REQUIRE(length < sizeof(name));
        snprintf(name, sizeof(name), "%.*s", (int)length, text);
        add_key(name, text + length + 1);
    }
    if ((text = expect("eta")))
        g.eta = strtod(text, NULL);
    text = expect("steps");
    REQUIRE(text);
    g.steps = atoi(text);
    return true;
}

static void one_case(double *worst)
{
    struct ebb_scheduler read;
    struct ebb_error error;
    if (read_config(4096, &read, &error) != EBB_OK)
        differs("%s", error.message);
    if (read.unknown[0])
        differs("unknown: %s", read.unknown);
    struct ebb_schedule *schedule = read.schedule;
    read.run.quirks = &read.quirks;
    read.run.steps = g.steps;
    read.run.eta = g.eta;
    struct ebb_run *run = ebb_run_create(&read.run, &error);
    if (!run)
        differs("%s", error.message);
    *worst = larger(*worst, replay(run));
    ebb_run_destroy(&run);
    ebb_schedule_destroy(&schedule);
}

TEST(every_step_is_diffusers)
{
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/golden/schedulers.txt", data ? data : "tests");
    file = fopen(path, "r");
    if (!file)
        TEST_FAIL("%s: cannot be read", path);
    volatile int count = 0, wrong = 0;
    static double worst;
    for (; read_case(); count++) {
        if (setjmp(next_case))
            wrong++;
        else
            one_case(&worst);
    }
    fclose(file);
    printf("# %d cases, %d wrong, largest error of the others %.3g\n", count, wrong, worst);
    REQUIRE(wrong == 0);
    REQUIRE(count >= 900);
}

static enum ebb_result read_one(const char *class_name, const char *key, const char *json,
                                struct ebb_scheduler *out, struct ebb_error *error)
{
    begin_config(class_name);
    add_key(key, json);
    return read_config(0, out, error);
}

static void refused(const char *class_name, const char *key, const char *text, enum ebb_result code,
                    const char *word)
{
    struct ebb_scheduler out;
    struct ebb_error error = {0};
    REQUIRE(read_one(class_name, key, text, &out, &error) == code);
    if (!strstr(error.message, word))
        TEST_FAIL("\"%s\" does not say \"%s\"", error.message, word);
}

TEST(what_is_not_supported_is_named)
{
    refused("VQDiffusionScheduler", "rho", "7", EBB_UNSUPPORTED, "DDPM, DDIM");
    refused("DDPMScheduler", "variance_type", "\"fixed_large_log\"", EBB_UNSUPPORTED,
            "\"variance_type\" is \"fixed_large_log\"");
    refused("DDPMScheduler", "prediction_type", "\"flow_prediction\"", EBB_UNSUPPORTED,
            "epsilon, sample, v_prediction");
    refused("DDPMScheduler", "num_train_timesteps", "\"many\"", EBB_CORRUPT, "num_train_timesteps");
    refused("DDPMScheduler", "num_train_timesteps", "0", EBB_CORRUPT, "2 to 100000");
    refused("DDPMScheduler", "num_train_timesteps", "10.5", EBB_CORRUPT, "integer");
    refused("DDPMScheduler", "beta_start", "NaN", EBB_CORRUPT, "beta_start");
    refused("DDPMScheduler", "trained_betas", "[0.1, Infinity]", EBB_CORRUPT,
            "\"trained_betas[1]\" is Infinity");
    refused("DDPMScheduler", "trained_betas", "[]", EBB_INVALID,
            "scheduler_config.json: a schedule of 0 steps");
    refused("UniPCMultistepScheduler", "predict_x0", "false", EBB_UNSUPPORTED, "final_sigmas_type");
    refused("UniPCMultistepScheduler", "solver_p", "{}", EBB_UNSUPPORTED, "solver_p");
    refused("DPMSolverMultistepScheduler", "prediction_type", "\"flow_prediction\"", EBB_UNSUPPORTED,
            "flow_prediction");
    refused("DPMSolverMultistepScheduler", "lambda_min_clipped", "Infinity", EBB_CORRUPT,
            "lambda_min_clipped");
    refused("UniPCMultistepScheduler", "disable_corrector", "[1, -2]", EBB_CORRUPT, "disable_corrector");
    refused("FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting", "true", EBB_UNSUPPORTED,
            "size of the state");
    refused("FlowMatchEulerDiscreteScheduler", "invert_sigmas", "true", EBB_UNSUPPORTED, "invert_sigmas");
    refused("FlowMatchEulerDiscreteScheduler", "time_shift_type", "\"square\"", EBB_UNSUPPORTED,
            "exponential, linear");
    refused("FlowMatchEulerDiscreteScheduler", "shift_terminal", "1", EBB_CORRUPT, "shift_terminal");
    refused("SASolverScheduler", "algorithm_type", "\"both\"", EBB_UNSUPPORTED,
            "data_prediction, noise_prediction");
}

TEST(two_sigma_grids_exclude_each_other)
{
    struct ebb_scheduler out;
    struct ebb_error error;
    begin_config("EulerDiscreteScheduler");
    add_key("use_karras_sigmas", "true");
    add_key("use_beta_sigmas", "true");
    REQUIRE(read_config(0, &out, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "use_beta_sigmas"));
}

// diffusers writes -Infinity where no limit is meant.
TEST(no_limit_is_minus_infinity)
{
    struct ebb_scheduler out;
    REQUIRE(read_one("DPMSolverMultistepScheduler", "lambda_min_clipped", "-Infinity", &out, NULL) == EBB_OK);
    REQUIRE(!out.quirks.clips_lambda);
    ebb_schedule_destroy(&out.schedule);
    REQUIRE(read_one("DPMSolverMultistepScheduler", "lambda_min_clipped", "-5.1", &out, NULL) == EBB_OK);
    REQUIRE(out.quirks.clips_lambda && out.quirks.lambda_min == -5.1);
    ebb_schedule_destroy(&out.schedule);
}

TEST(unknown_keys_are_told)
{
    struct ebb_scheduler out;
    REQUIRE(read_one("DDIMScheduler", "wobble", "3", &out, NULL) == EBB_OK);
    REQUIRE_STRING(out.unknown, "wobble");
    ebb_schedule_destroy(&out.schedule);
    REQUIRE(read_one("DDIMScheduler", "_diffusers_version", "3", &out, NULL) == EBB_OK);
    REQUIRE_STRING(out.unknown, "");
    ebb_schedule_destroy(&out.schedule);
}

// Another sampler than the config's, or another start, is done our way, for every class that is not its own
// kind of model.
TEST(every_config_runs_with_every_sampler)
{
    static const char *const names[] = {
        "DDPM", "DDIM", "PNDM", "EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ebb_scheduler out;
        struct ebb_error error;
        char class_name[64];
        snprintf(class_name, sizeof(class_name), "%sScheduler", names[i]);
        REQUIRE(read_one(class_name, "steps_offset", "0", &out, &error) == EBB_OK);
        out.run.quirks = &out.quirks;
        out.run.steps = 8;
        EBB_EACH_SAMPLER (info) {
            bool distilled = strcmp(info->name, "lcm") == 0 || strcmp(info->name, "tcd") == 0 ||
                             strcmp(info->name, "cm") == 0;
            out.run.sampler = info->name;
            out.run.start = 0.5;
            struct ebb_run *run = ebb_run_create(&out.run, &error);
            REQUIRE(!run == distilled);
            ebb_run_destroy(&run);
        }
        ebb_schedule_destroy(&out.schedule);
    }
}

TEST_MAIN
