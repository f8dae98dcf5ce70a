#include "diffusion/compat.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

// What a class is when its config says nothing.
struct class_row {
    const char *name, *sampler;
    enum ebb_compat_rules rules;
    const char *spacing;
    bool sd_betas;     // beta 0.00085 .. 0.012 instead of 0.0001 .. 0.02
    bool clips;
    int default_steps; // what a user who names no number gets
};

static const struct class_row classes[] = {
    {"DDPMScheduler", "ddpm", EBB_RULES_DDPM, "leading", false, true, 1000},
    {"DDIMScheduler", "ddim", EBB_RULES_DDIM, "leading", false, true, 50},
    {"DDIMInverseScheduler", "ddim", EBB_RULES_INVERSE, "leading", false, true, 50},
    {"DPMSolverMultistepScheduler", "dpmpp-2m", EBB_RULES_DPM, "linspace", false, false, 50},
    {"DPMSolverSinglestepScheduler", "dpmpp-2s", EBB_RULES_DPM, "linspace", false, false, 50},
    {"DPMSolverSDEScheduler", "dpmpp-sde", EBB_RULES_SIGMA, "linspace", true, false, 50},
    {"EulerDiscreteScheduler", "euler", EBB_RULES_SIGMA, "linspace", false, false, 50},
    {"EulerAncestralDiscreteScheduler", "euler-a", EBB_RULES_SIGMA, "linspace", false, false, 50},
    {"HeunDiscreteScheduler", "heun", EBB_RULES_SIGMA, "linspace", true, false, 50},
    {"KDPM2DiscreteScheduler", "dpm2", EBB_RULES_SIGMA, "linspace", true, false, 50},
    {"KDPM2AncestralDiscreteScheduler", "dpm2-a", EBB_RULES_SIGMA, "linspace", true, false, 50},
    {"LMSDiscreteScheduler", "lms", EBB_RULES_SIGMA, "linspace", false, false, 50},
    {"UniPCMultistepScheduler", "unipc", EBB_RULES_DPM, "linspace", false, false, 50},
    {"DEISMultistepScheduler", "deis", EBB_RULES_DPM, "linspace", false, false, 50},
    {"SASolverScheduler", "sa-solver", EBB_RULES_DPM, "linspace", false, false, 50},
    {"PNDMScheduler", "pndm", EBB_RULES_DDIM, "leading", false, false, 50},
    {"LCMScheduler", "lcm", EBB_RULES_ORIGIN, "leading", true, false, 4},
    {"TCDScheduler", "tcd", EBB_RULES_ORIGIN, "leading", true, false, 4},
    {"EDMEulerScheduler", "euler", EBB_RULES_EDM, "linspace", false, false, 50},
    {"EDMDPMSolverMultistepScheduler", "dpmpp-2m", EBB_RULES_EDM, "linspace", false, false, 50},
    {"FlowMatchEulerDiscreteScheduler", "euler", EBB_RULES_FLOW, "linspace", false, false, 50},
    {"FlowMatchHeunDiscreteScheduler", "heun", EBB_RULES_FLOW, "linspace", false, false, 50},
    {"ScoreSdeVeScheduler", "pc", EBB_RULES_VE, "linspace", false, false, 2000},
    {"CMStochasticIterativeScheduler", "cm", EBB_RULES_CM, "linspace", false, false, 1},
};

static const char *const known_keys[] = {
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "variance_type", "clip_sample",
    "prediction_type", "thresholding", "dynamic_thresholding_ratio", "clip_sample_range", "sample_max_value",
    "timestep_spacing", "steps_offset", "rescale_betas_zero_snr", "set_alpha_to_one", "interpolation_type",
    "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas", "flow_shift",
    "sigma_min", "sigma_max", "timestep_type", "final_sigmas_type", "solver_order", "algorithm_type", "solver_type",
    "lower_order_final", "euler_at_final", "lambda_min_clipped", "use_dynamic_shifting", "time_shift_type", "predict_x0",
    "disable_corrector", "solver_p", "skip_prk_steps", "original_inference_steps", "timestep_scaling", "sigma_data",
    "sigma_schedule", "rho", "shift", "base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "invert_sigmas",
    "shift_terminal", "stochastic_sampling", "snr", "sampling_eps", "correct_steps", "s_noise", "clip_denoised",
    "noise_sampler_seed", "predictor_order", "corrector_order", "tau_func", "use_discrete_sigmas",
};

// A reader that stops at the first thing that is wrong.
struct reader {
    const struct ebb_config *config;
    struct ebb_error *error;
    enum ebb_result result;
};

static struct ebb_config_value get(struct reader *r, const char *key, enum ebb_config_kind kind, const char *what)
{
    struct ebb_config_value v = r->config->get(r->config->data, key);
    if (v.kind != kind && v.kind != EBB_CONFIG_ABSENT && v.kind != EBB_CONFIG_NULL) {
        if (r->result == EBB_OK)
            r->result = ebb_fail(r->error, EBB_CORRUPT, "%s: \"%s\" is %s, expected a %s", r->config->class_name, key,
                                 v.found ? v.found : "something else", what);
        v.kind = EBB_CONFIG_ABSENT;
    }
    return v;
}

static bool truth(struct reader *r, const char *key, bool fallback)
{
    struct ebb_config_value v = get(r, key, EBB_CONFIG_BOOL, "truth value");
    return v.kind == EBB_CONFIG_BOOL ? v.truth : fallback;
}

static double number(struct reader *r, const char *key, double fallback, double low, double high)
{
    struct ebb_config_value v = get(r, key, EBB_CONFIG_NUMBER, "number");
    if (v.kind != EBB_CONFIG_NUMBER)
        return fallback;
    if (v.number >= low && v.number <= high)
        return v.number;
    if (r->result == EBB_OK)
        r->result = ebb_fail(r->error, EBB_INVALID, "%s: %s is %g, expected %g..%g", r->config->class_name, key, v.number, low, high);
    return fallback;
}

static int whole(struct reader *r, const char *key, int fallback, int low, int high)
{
    double n = number(r, key, fallback, low, high);
    if (n != floor(n) && r->result == EBB_OK)
        r->result = ebb_fail(r->error, EBB_INVALID, "%s: %s is %g, expected a whole number", r->config->class_name, key, n);
    return (int)n;
}

// The index of the string in `allowed` ("a, b, c"); `fallback` where it is missing.
static int choice(struct reader *r, const char *key, int fallback, const char *const *allowed)
{
    struct ebb_config_value v = get(r, key, EBB_CONFIG_STRING, "string");
    if (v.kind != EBB_CONFIG_STRING)
        return fallback;
    char names[256] = "";
    for (int i = 0; allowed[i]; i++) {
        if (strcmp(v.string, allowed[i]) == 0)
            return i;
        strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
        strncat(names, allowed[i], sizeof(names) - strlen(names) - 1);
    }
    if (r->result == EBB_OK)
        r->result = ebb_fail(r->error, EBB_UNSUPPORTED, "%s: %s \"%s\" is not supported, only %s are", r->config->class_name, key, v.string, names);
    return fallback;
}

static void refuse(struct reader *r, const char *key, const char *why)
{
    if (r->result == EBB_OK)
        r->result = ebb_fail(r->error, EBB_UNSUPPORTED, "%s: %s is not supported: %s", r->config->class_name, key, why);
}

static void refuse_true(struct reader *r, const char *key)
{
    if (truth(r, key, false))
        refuse(r, key, "it must be false");
}

#define CHOICE(r, key, fallback, ...) choice(r, key, fallback, (const char *const[]){__VA_ARGS__, NULL})

static bool is(const struct reader *r, const char *name)
{
    return strcmp(r->config->class_name, name) == 0;
}

static double between(struct reader *r, const char *low_key, double low, const char *high_key, double high, double part)
{
    low = number(r, low_key, low, -100, 1e9);
    return low + part * (number(r, high_key, high, -100, 1e9) - low);
}

// Flow matching's shift, from the size of the state where it is dynamic: diffusers' pipelines draw a straight line for mu.
static double read_shift(struct reader *r, const char *key)
{
    double shift = number(r, key, 1, 1e-6, 1e6);
    int linear = CHOICE(r, "time_shift_type", 0, "exponential", "linear");
    if (!truth(r, "use_dynamic_shifting", false))
        return shift;
    if (r->config->positions <= 0)
        refuse(r, "use_dynamic_shifting", "the size of the state is not known");
    double from = number(r, "base_image_seq_len", 256, 1, 1e9), to = number(r, "max_image_seq_len", 4096, 1, 1e9);
    if (from == to)
        refuse(r, "max_image_seq_len", "it must differ from base_image_seq_len");
    double mu = between(r, "base_shift", 0.5, "max_shift", 1.15, (r->config->positions - from) / (to - from));
    if (linear && !(mu > 0))
        refuse(r, "time_shift_type", "a linear shift must be above 0 for this size of the state");
    return linear ? mu : exp(mu);
}

static bool on_flow(struct reader *r, const struct class_row *row)
{
    return row->rules == EBB_RULES_DPM && truth(r, "use_flow_sigmas", false);
}

// sigma / alpha at the first of the betas.
static double end_of(struct reader *r, const struct ebb_schedule_params *betas)
{
    struct ebb_schedule *s = r->result == EBB_OK ? ebb_schedule_create(betas, r->error) : NULL;
    if (!s) {
        r->result = r->result == EBB_OK ? EBB_INVALID : r->result;
        return 0;
    }
    double end = ebb_schedule_ratio_min(s);
    ebb_schedule_destroy(&s);
    return end;
}

static void read_schedule(struct reader *r, const struct class_row *row, struct ebb_schedule_params *s, struct ebb_compat *c)
{
    static const char *const ours[] = {"linear", "scaled-linear", "cosine", "sigmoid", "exp", "laplace"};
    ebb_schedule_params_default(s);
    s->single_precision = true;
    int usual = row->rules == EBB_RULES_ORIGIN;
    s->name = ours[CHOICE(r, "beta_schedule", usual, "linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "exp", "laplace")];
    s->train_steps = whole(r, "num_train_timesteps", row->rules == EBB_RULES_VE ? 2000 : row->rules == EBB_RULES_CM ? 40 : 1000, 2, 100000);
    s->beta_start = number(r, "beta_start", row->sd_betas ? 0.00085 : 0.0001, 0, 1);
    s->beta_end = number(r, "beta_end", row->sd_betas ? 0.012 : 0.02, 0, 1);
    s->zero_terminal_snr = truth(r, "rescale_betas_zero_snr", false);
    if (row->rules == EBB_RULES_SIGMA || row->rules == EBB_RULES_DPM)
        s->terminal_abar = 0x1p-24;
    struct ebb_config_value betas = get(r, "trained_betas", EBB_CONFIG_ARRAY, "list of numbers");
    if (betas.kind == EBB_CONFIG_ARRAY) {
        s->name = "table";
        s->table = betas.array;
        s->table_count = betas.count;
        s->train_steps = (int)betas.count;
    }

    if (row->rules == EBB_RULES_EDM || row->rules == EBB_RULES_CM || row->rules == EBB_RULES_VE) {
        bool ve = row->rules == EBB_RULES_VE;
        s->name = ve ? "ve" : "edm";
        s->sigma_min = number(r, "sigma_min", ve ? 0.01 : 0.002, 1e-9, 1e9);
        s->sigma_max = number(r, "sigma_max", ve ? 1348 : 80, 1e-9, 1e9);
        s->sigma_data = number(r, "sigma_data", 0.5, 1e-9, 1e9);
    } else if (row->rules == EBB_RULES_FLOW) {
        s->name = "flow";
        s->shift = read_shift(r, "shift");
    } else if (on_flow(r, row)) {
        c->betas_end = end_of(r, s);
        s->name = "flow";
        s->shift = read_shift(r, "flow_shift");
        s->zero_terminal_snr = false; // of the betas, which are not used
    }
}

static enum ebb_prediction read_prediction(struct reader *r, const struct class_row *row)
{
    static const enum ebb_prediction plain[] = {EBB_PREDICT_EPS, EBB_PREDICT_X0, EBB_PREDICT_V}, edm[] = {EBB_PREDICT_EDM, EBB_PREDICT_EDM_V};
    switch (row->rules) {
    case EBB_RULES_EDM: return edm[CHOICE(r, "prediction_type", 0, "epsilon", "v_prediction")];
    case EBB_RULES_FLOW: return EBB_PREDICT_FLOW;
    case EBB_RULES_VE: return EBB_PREDICT_SCORE;
    case EBB_RULES_CM: return EBB_PREDICT_EDM;
    default:
        if (on_flow(r, row)) { // v there is not of unit variance, and means nothing
            static const enum ebb_prediction flow[] = {EBB_PREDICT_EPS, EBB_PREDICT_X0, EBB_PREDICT_FLOW};
            return flow[CHOICE(r, "prediction_type", 0, "epsilon", "sample", "flow_prediction")];
        }
        if (is(r, "PNDMScheduler"))
            return plain[2 * CHOICE(r, "prediction_type", 0, "epsilon", "v_prediction")];
        return plain[CHOICE(r, "prediction_type", 0, "epsilon", "sample", "v_prediction")];
    }
}

static void read_limits(struct reader *r, const struct class_row *row, struct ebb_run_params *p)
{
    if (truth(r, row->rules == EBB_RULES_CM ? "clip_denoised" : "clip_sample", row->clips || row->rules == EBB_RULES_CM))
        p->clip = row->rules == EBB_RULES_CM ? 1 : number(r, "clip_sample_range", 1, 1e-6, 1e6);
    if (truth(r, "thresholding", false)) {
        p->clip = 0;
        p->threshold_ratio = number(r, "dynamic_thresholding_ratio", 0.995, 0, 1);
        p->threshold_max = number(r, "sample_max_value", 1, 1, 1e6);
    }
    p->s_noise = row->rules == EBB_RULES_CM ? number(r, "s_noise", 1, 0, 10) : 1;
    if (row->rules != EBB_RULES_DDPM && !is(r, "DPMSolverMultistepScheduler") && !is(r, "DPMSolverSinglestepScheduler"))
        return;
    static const char *const ours[] = {"fixed-small", "fixed-small", "fixed-large", "learned", "learned-range"};
    p->variance = ours[CHOICE(r, "variance_type", 0, "fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range")];
}

static void read_flow(struct reader *r, const struct class_row *row, struct ebb_compat *c)
{
    refuse_true(r, "invert_sigmas");
    c->stochastic = truth(r, "stochastic_sampling", false);
    c->dynamic = truth(r, "use_dynamic_shifting", false);
    c->shift_terminal = number(r, "shift_terminal", 0, 0, 0.999);
    c->flow_sigmas = on_flow(r, row);
    if (!c->flow_sigmas || !c->grid)
        return;
    bool unipc = is(r, "UniPCMultistepScheduler");
    if (!unipc || strcmp(c->grid, "karras") != 0)
        refuse(r, "use_flow_sigmas", unipc ? "of the sigma grids only use_karras_sigmas goes with it" : "no sigma grid goes with it");
    else if (!(c->sigma_min > 0 && c->sigma_max > c->sigma_min))
        refuse(r, "use_karras_sigmas", "with use_flow_sigmas it needs a sigma_min and a larger sigma_max");
}

static void read_grid(struct reader *r, const struct class_row *row, struct ebb_compat *c)
{
    static const char *const spacings[] = {"leading", "linspace", "trailing"};
    int usual = strcmp(row->spacing, "leading") == 0 ? 0 : 1;
    c->spacing = spacings[CHOICE(r, "timestep_spacing", usual, "leading", "linspace", "trailing")];
    c->steps_offset = whole(r, "steps_offset", 0, 0, 100000);
    c->rho = number(r, "rho", 7, 1e-3, 1e3);
    if (truth(r, "use_karras_sigmas", false))
        c->grid = "karras";
    else if (truth(r, "use_exponential_sigmas", false))
        c->grid = "exponential";
    else if (truth(r, "use_beta_sigmas", false))
        c->grid = "beta";
    else if (truth(r, "use_lu_lambdas", false))
        c->grid = "lu";
    static const char *const grids[] = {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"};
    for (int i = 0, asked = 0; i < 4; i++)
        if (truth(r, grids[i], false) && asked++ > 0)
            refuse(r, grids[i], "another sigma grid is asked for already");
    if (row->rules == EBB_RULES_EDM)
        c->grid = CHOICE(r, "sigma_schedule", 0, "karras", "exponential") ? "exponential" : "karras";
    c->sigma_min = number(r, "sigma_min", 0, 0, 1e9);
    c->sigma_max = number(r, "sigma_max", 0, 0, 1e9);
    c->final_zero = CHOICE(r, "final_sigmas_type", 0, "zero", "sigma_min") == 0;
    c->log_linear = CHOICE(r, "interpolation_type", 0, "linear", "log_linear") == 1;

    struct ebb_config_value beta = get(r, "beta_schedule", EBB_CONFIG_STRING, "string");
    bool cosine = beta.kind == EBB_CONFIG_STRING && strcmp(beta.string, "squaredcos_cap_v2") == 0;
    bool named = c->grid && (strcmp(c->grid, "karras") == 0 || strcmp(c->grid, "lu") == 0), kdpm2 = strncmp(c->class_name, "KDPM2", 5) == 0;
    if (row->rules == EBB_RULES_DPM)
        c->round_labels = named && !(cosine && is(r, "DPMSolverMultistepScheduler"));
    else
        c->round_labels = named && kdpm2;
    c->cut_labels = row->rules == EBB_RULES_DPM;

    read_flow(r, row, c);
}

static void read_uncorrected(struct reader *r, struct ebb_compat *c)
{
    struct ebb_config_value list = get(r, "disable_corrector", EBB_CONFIG_ARRAY, "list of numbers");
    for (size_t i = 0; list.kind == EBB_CONFIG_ARRAY && i < list.count; i++) {
        double step = list.array[i];
        if (step >= 0 && step < 64 && step == floor(step))
            c->uncorrected |= (uint64_t)1 << (int)step;
        else
            refuse(r, "disable_corrector", "its steps must be whole numbers from 0 to 63");
    }
}

// dpmpp, unipc, deis: how the solver is set.
static void read_solver(struct reader *r, struct ebb_compat *c)
{
    bool single = is(r, "DPMSolverSinglestepScheduler"), unipc = is(r, "UniPCMultistepScheduler"), deis = is(r, "DEISMultistepScheduler");
    c->order = whole(r, "solver_order", 2, 1, 3);
    c->lower_order_final = truth(r, "lower_order_final", !single);
    c->euler_at_final = truth(r, "euler_at_final", false);
    int type = CHOICE(r, "solver_type", unipc ? 2 : 0, "midpoint", "heun", "bh2", "bh1", "logrho");
    c->heun = type == 1 && !unipc;
    c->bh1 = type == 3 && unipc;
    if (is(r, "SASolverScheduler")) {
        c->final_zero = false;
        c->order = whole(r, "predictor_order", 2, 1, 4);
        c->corrector_order = whole(r, "corrector_order", 2, 1, 4);
        c->noise_prediction = CHOICE(r, "algorithm_type", 0, "data_prediction", "noise_prediction");
    } else if (unipc) {
        c->noise_prediction = !truth(r, "predict_x0", true);
        if (get(r, "solver_p", EBB_CONFIG_OTHER, "scheduler").kind == EBB_CONFIG_OTHER)
            refuse(r, "solver_p", "it must be null");
        read_uncorrected(r, c);
    } else if (deis) {
        c->final_zero = false;
        (void)CHOICE(r, "algorithm_type", 0, "deis", "dpmsolver", "dpmsolver++");
    } else {
        int algorithm = CHOICE(r, "algorithm_type", 0, "dpmsolver++", "deis", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver");
        c->sde = algorithm == 2 || algorithm == 4;
        c->noise_prediction = algorithm >= 3;
        if (c->sde && c->order == 3 && (c->noise_prediction || c->rules == EBB_RULES_EDM))
            refuse(r, "solver_order", "diffusers has no third order for this algorithm_type");
        if (single && algorithm == 4)
            refuse(r, "algorithm_type", "sde-dpmsolver has no single steps");
        c->sampler = single ? (c->order == 3 ? "dpmpp-3s" : "dpmpp-2s") : c->order == 3 ? (c->sde ? "dpmpp-3m-sde" : "dpmpp-3m") : c->sde ? "dpmpp-2m-sde" : "dpmpp-2m";
    }
    if (c->noise_prediction && c->final_zero)
        refuse(r, "final_sigmas_type", "a solver on eps divides by zero at \"zero\", it must be \"sigma_min\"");
    double lambda = number(r, "lambda_min_clipped", -INFINITY, -INFINITY, 1e3);
    c->clips_lambda = isfinite(lambda);
    c->lambda_min = lambda;
}

static void read_own(struct reader *r, struct ebb_compat_result *out)
{
    struct ebb_compat *c = &out->compat;
    bool ddim = c->rules == EBB_RULES_DDIM || c->rules == EBB_RULES_INVERSE;
    if (c->rules == EBB_RULES_DPM || is(r, "EDMDPMSolverMultistepScheduler"))
        read_solver(r, c);
    if (c->noise_prediction && out->run.prediction == EBB_PREDICT_FLOW)
        refuse(r, "prediction_type", "a solver on eps has no \"flow_prediction\"");
    if (ddim || c->rules == EBB_RULES_ORIGIN)
        c->alpha_to_one = truth(r, "set_alpha_to_one", !is(r, "PNDMScheduler"));
    if (is(r, "PNDMScheduler") && truth(r, "skip_prk_steps", false))
        c->sampler = "plms";
    if (c->rules == EBB_RULES_ORIGIN) {
        c->original_steps = whole(r, "original_inference_steps", 50, 1, out->schedule.train_steps);
        c->timestep_scaling = number(r, "timestep_scaling", 10, 0, 1e6);
    }
    if (c->rules == EBB_RULES_VE) {
        out->run.snr = number(r, "snr", 0.15, 0, 10);
        if (whole(r, "correct_steps", 1, 0, 100) != 1)
            refuse(r, "correct_steps", "it must be 1");
    }
    c->brownian = is(r, "DPMSolverSDEScheduler");
    out->run.consistency = c->rules == EBB_RULES_ORIGIN || c->rules == EBB_RULES_CM;
    c->continuous_labels = c->rules == EBB_RULES_SIGMA && CHOICE(r, "timestep_type", 0, "discrete", "continuous") && out->run.prediction == EBB_PREDICT_V;
    if (c->rules == EBB_RULES_INVERSE && out->run.prediction == EBB_PREDICT_X0 && c->alpha_to_one)
        refuse(r, "prediction_type", "inversion divides by zero for \"sample\" unless set_alpha_to_one is false");
}

static void list_unknown(const struct ebb_config *config, char *unknown, size_t size)
{
    const char *key;
    for (size_t i = 0; config->key && (key = config->key(config->data, i)); i++) {
        bool known = key[0] == '_';
        for (size_t k = 0; k < sizeof(known_keys) / sizeof(known_keys[0]); k++)
            known |= strcmp(key, known_keys[k]) == 0;
        size_t used = strlen(unknown);
        if (!known && used + 3 < size)
            snprintf(unknown + used, size - used, "%s%s", used ? ", " : "", key);
    }
}

static const struct class_row *class_of(const char *name, struct ebb_error *error)
{
    const size_t count = sizeof(classes) / sizeof(classes[0]);
    for (size_t i = 0; i < count; i++)
        if (name && strcmp(classes[i].name, name) == 0)
            return &classes[i];

    char names[440] = "";
    for (size_t i = 0; i < count; i++) { // the common part of the names is left out
        size_t used = strlen(names), length = strlen(classes[i].name) - strlen("Scheduler");
        snprintf(names + used, sizeof(names) - used, "%s%.*s", i ? ", " : "", (int)length, classes[i].name);
    }
    ebb_fail(error, EBB_UNSUPPORTED, "%s is not supported; there are %s", name ? name : "a scheduler without a class", names);
    return NULL;
}

enum ebb_result ebb_compat_read(const struct ebb_config *config, struct ebb_compat_result *out, struct ebb_error *error)
{
    memset(out, 0, sizeof(*out));
    const struct class_row *row = class_of(config->class_name, error);
    if (!row)
        return EBB_UNSUPPORTED;

    struct reader r = {.config = config, .error = error};
    out->compat = (struct ebb_compat){.class_name = row->name, .sampler = row->sampler, .rules = row->rules,
                                      .default_steps = row->default_steps, .order = 1};
    ebb_run_params_default(&out->run);
    read_schedule(&r, row, &out->schedule, &out->compat);
    out->run.prediction = read_prediction(&r, row);
    read_limits(&r, row, &out->run);
    read_grid(&r, row, &out->compat);
    read_own(&r, out);
    out->run.sampler = out->compat.sampler;
    out->run.steps = row->default_steps;
    out->run.spacing = out->compat.grid ? out->compat.grid : out->compat.spacing;
    out->run.steps_offset = out->compat.steps_offset;
    list_unknown(config, out->unknown, sizeof(out->unknown));
    return r.result;
}
