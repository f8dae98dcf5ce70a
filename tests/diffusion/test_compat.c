// Against diffusers, step by step: schedulers.txt holds its state before every network call, the network's answer and the
// noise it drew; one step of ours from there may err by 2e-5 * max(1, max|x|).
#include "test.h"

#include <setjmp.h>
#include <stdarg.h>

#include "diffusion/compat.h"
#include "machine.h"

enum { MAX_KEYS = 12, WIDTH = 8, MAX_TABLE = 64 };

struct golden_key {
    char name[64], text[64];
    double table[MAX_TABLE];
    struct ebb_config_value value;
};

struct golden {
    char name[256], class_name[64];
    struct golden_key key[MAX_KEYS];
    int keys, steps;
    double eta;
};

static struct golden g;

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

static struct ebb_config_value golden_get(void *data, const char *key)
{
    struct golden *golden = data;
    for (int i = 0; i < golden->keys; i++)
        if (strcmp(golden->key[i].name, key) == 0)
            return golden->key[i].value;
    return (struct ebb_config_value){.kind = EBB_CONFIG_ABSENT};
}

static const char *golden_key(void *data, size_t index)
{
    struct golden *golden = data;
    return (int)index < golden->keys ? golden->key[index].name : NULL;
}

static void add_key(const char *name, char *text)
{
    REQUIRE(g.keys < MAX_KEYS);
    struct golden_key *k = &g.key[g.keys++];
    memset(k, 0, sizeof(*k));
    snprintf(k->name, sizeof(k->name), "%s", name);
    if (text[0] == '"') {
        snprintf(k->text, sizeof(k->text), "%.*s", (int)strlen(text) - 2, text + 1);
        k->value = (struct ebb_config_value){.kind = EBB_CONFIG_STRING, .string = k->text};
    } else if (text[0] == '[') {
        k->value = (struct ebb_config_value){.kind = EBB_CONFIG_ARRAY, .array = k->table};
        for (char *p = text + 1; *p && *p != ']'; p += *p == ',') {
            REQUIRE(k->value.count < MAX_TABLE);
            k->table[k->value.count++] = strtod(p, &p);
        }
    } else if (text[0] == 't' || text[0] == 'f') {
        k->value = (struct ebb_config_value){.kind = EBB_CONFIG_BOOL, .truth = text[0] == 't'};
    } else {
        k->value = (struct ebb_config_value){.kind = EBB_CONFIG_NUMBER, .number = strtod(text, NULL)};
    }
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
        worst = fmax(worst, fabs(a[i] - b[i] * factor));
        size = fmax(size, fabs(a[i]));
    }
    return isnan(worst) ? INFINITY : worst / size;
}

static struct machine m;

static void replay_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out, double *second, int count)
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
    r->worst = fmax(r->worst, error);
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
    g = (struct golden){.eta = EBB_ETA_OWN};
    snprintf(g.name, sizeof(g.name), "%s", text);
    text = expect("class");
    REQUIRE(text);
    snprintf(g.class_name, sizeof(g.class_name), "%s", text);
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
    struct ebb_config config = {g.class_name, &g, golden_get, golden_key, .positions = 4096};
    struct ebb_compat_result read;
    struct ebb_error error;
    if (ebb_compat_read(&config, &read, &error) != EBB_OK)
        differs("%s", error.message);
    if (read.unknown[0])
        differs("unknown: %s", read.unknown);
    struct ebb_schedule *schedule = ebb_schedule_create(&read.schedule, &error);
    if (!schedule)
        differs("%s", error.message);
    read.run.schedule = schedule;
    read.run.compat = &read.compat;
    read.run.steps = g.steps;
    read.run.eta = g.eta;
    struct ebb_run *run = ebb_run_create(&read.run, &error);
    if (!run)
        differs("%s", error.message);
    *worst = fmax(*worst, replay(run));
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

static enum ebb_result read_one(const char *class_name, const char *key, const char *text, struct ebb_compat_result *out, struct ebb_error *error)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", text);
    g = (struct golden){.keys = 0};
    add_key(key, copy);
    struct ebb_config config = {.class_name = class_name, .data = &g, .get = golden_get, .key = golden_key};
    return ebb_compat_read(&config, out, error);
}

static void refused(const char *class_name, const char *key, const char *text, enum ebb_result code, const char *word)
{
    struct ebb_compat_result out;
    struct ebb_error error = {0};
    REQUIRE(read_one(class_name, key, text, &out, &error) == code);
    if (!strstr(error.message, word))
        TEST_FAIL("\"%s\" does not say \"%s\"", error.message, word);
}

TEST(what_is_not_supported_is_named)
{
    refused("VQDiffusionScheduler", "rho", "7", EBB_UNSUPPORTED, "DDPM, DDIM");
    refused("DDPMScheduler", "variance_type", "\"fixed_large_log\"", EBB_UNSUPPORTED, "variance_type \"fixed_large_log\"");
    refused("DDPMScheduler", "prediction_type", "\"flow_prediction\"", EBB_UNSUPPORTED, "epsilon, sample, v_prediction");
    refused("DDPMScheduler", "num_train_timesteps", "\"many\"", EBB_CORRUPT, "num_train_timesteps");
    refused("DDPMScheduler", "num_train_timesteps", "0", EBB_INVALID, "2..100000");
    refused("DDPMScheduler", "num_train_timesteps", "10.5", EBB_INVALID, "whole");
    refused("DDPMScheduler", "beta_start", "nan", EBB_INVALID, "beta_start");
    refused("UniPCMultistepScheduler", "predict_x0", "false", EBB_UNSUPPORTED, "final_sigmas_type");
    refused("DPMSolverMultistepScheduler", "prediction_type", "\"flow_prediction\"", EBB_UNSUPPORTED, "flow_prediction");
    refused("UniPCMultistepScheduler", "disable_corrector", "[1, -2]", EBB_UNSUPPORTED, "disable_corrector");
    refused("FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting", "true", EBB_UNSUPPORTED, "size of the state");
    refused("FlowMatchEulerDiscreteScheduler", "invert_sigmas", "true", EBB_UNSUPPORTED, "invert_sigmas");
    refused("FlowMatchEulerDiscreteScheduler", "time_shift_type", "\"square\"", EBB_UNSUPPORTED, "exponential, linear");
    refused("FlowMatchEulerDiscreteScheduler", "shift_terminal", "1", EBB_INVALID, "shift_terminal");
    refused("SASolverScheduler", "algorithm_type", "\"both\"", EBB_UNSUPPORTED, "data_prediction, noise_prediction");
}

TEST(two_sigma_grids_exclude_each_other)
{
    char yes[2][8] = {"true", "true"};
    g = (struct golden){.keys = 0};
    add_key("use_karras_sigmas", yes[0]);
    add_key("use_beta_sigmas", yes[1]);
    struct ebb_config config = {.class_name = "EulerDiscreteScheduler", .data = &g, .get = golden_get, .key = golden_key};
    struct ebb_compat_result out;
    struct ebb_error error;
    REQUIRE(ebb_compat_read(&config, &out, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "use_beta_sigmas"));
}

TEST(unknown_keys_are_told)
{
    struct ebb_compat_result out;
    REQUIRE(read_one("DDIMScheduler", "wobble", "3", &out, NULL) == EBB_OK);
    REQUIRE_STRING(out.unknown, "wobble");
    REQUIRE(read_one("DDIMScheduler", "_diffusers_version", "3", &out, NULL) == EBB_OK);
    REQUIRE_STRING(out.unknown, "");
}

// Another sampler than the config's, or another start, is done our way, for every class that is not its own kind of model.
TEST(every_config_runs_with_every_sampler)
{
    static const char *const names[] = {"DDPM", "DDIM", "PNDM", "EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ebb_compat_result out;
        struct ebb_error error;
        char class_name[64];
        snprintf(class_name, sizeof(class_name), "%sScheduler", names[i]);
        REQUIRE(read_one(class_name, "steps_offset", "0", &out, &error) == EBB_OK);
        struct ebb_schedule *schedule = ebb_schedule_create(&out.schedule, &error);
        REQUIRE(schedule);
        out.run.schedule = schedule;
        out.run.compat = &out.compat;
        out.run.steps = 8;
        EBB_EACH_SAMPLER(info) {
            bool distilled = strcmp(info->name, "lcm") == 0 || strcmp(info->name, "tcd") == 0 || strcmp(info->name, "cm") == 0;
            out.run.sampler = info->name;
            out.run.start = 0.5;
            struct ebb_run *run = ebb_run_create(&out.run, &error);
            REQUIRE(!run == distilled);
            ebb_run_destroy(&run);
        }
        ebb_schedule_destroy(&schedule);
    }
}

TEST_MAIN
