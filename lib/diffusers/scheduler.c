// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/scheduler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diffusion/noise_level.h"

// What a class is when its config says nothing.
struct class_row {
    const char *name, *sampler;
    enum ebb_quirk_layout layout;
    const char *spacing;
    bool sd_betas; // beta 0.00085 .. 0.012 instead of 0.0001 .. 0.02
    bool clips;
    int default_steps; // what a user who names no number gets
    int train_steps;
};

static const struct class_row classes[] = {
    {"DDPMScheduler", "ddpm", EBB_LAYOUT_STEPS, "leading", false, true, 1000, 1000},
    {"DDIMScheduler", "ddim", EBB_LAYOUT_STRIDES, "leading", false, true, 50, 1000},
    {"DDPMParallelScheduler", "ddpm", EBB_LAYOUT_STEPS, "leading", false, true, 1000, 1000},
    {"DDIMParallelScheduler", "ddim", EBB_LAYOUT_STRIDES, "leading", false, true, 50, 1000},
    {"DDIMInverseScheduler", "ddim", EBB_LAYOUT_INVERSE, "leading", false, true, 50, 1000},
    {"DPMSolverMultistepScheduler", "dpmpp-2m", EBB_LAYOUT_SOLVER, "linspace", false, false, 50, 1000},
    {"DPMSolverSinglestepScheduler", "dpmpp-2s", EBB_LAYOUT_SOLVER, "linspace", false, false, 50, 1000},
    {"DPMSolverSDEScheduler", "dpmpp-sde", EBB_LAYOUT_SIGMAS, "linspace", true, false, 50, 1000},
    {"EulerDiscreteScheduler", "euler", EBB_LAYOUT_SIGMAS, "linspace", false, false, 50, 1000},
    {"EulerAncestralDiscreteScheduler", "euler-a", EBB_LAYOUT_SIGMAS, "linspace", false, false, 50, 1000},
    {"HeunDiscreteScheduler", "heun", EBB_LAYOUT_SIGMAS, "linspace", true, false, 50, 1000},
    {"KDPM2DiscreteScheduler", "dpm2", EBB_LAYOUT_SIGMAS, "linspace", true, false, 50, 1000},
    {"KDPM2AncestralDiscreteScheduler", "dpm2-a", EBB_LAYOUT_SIGMAS, "linspace", true, false, 50, 1000},
    {"LMSDiscreteScheduler", "lms", EBB_LAYOUT_SIGMAS, "linspace", false, false, 50, 1000},
    {"UniPCMultistepScheduler", "unipc", EBB_LAYOUT_SOLVER, "linspace", false, false, 50, 1000},
    {"DEISMultistepScheduler", "deis", EBB_LAYOUT_SOLVER, "linspace", false, false, 50, 1000},
    {"SASolverScheduler", "sa-solver", EBB_LAYOUT_SOLVER, "linspace", false, false, 50, 1000},
    {"PNDMScheduler", "pndm", EBB_LAYOUT_STRIDES, "leading", false, false, 50, 1000},
    {"LCMScheduler", "lcm", EBB_LAYOUT_ORIGINAL, "leading", true, false, 4, 1000},
    {"TCDScheduler", "tcd", EBB_LAYOUT_ORIGINAL, "leading", true, false, 4, 1000},
    {"EDMEulerScheduler", "euler", EBB_LAYOUT_EDM, "linspace", false, false, 50, 1000},
    {"EDMDPMSolverMultistepScheduler", "dpmpp-2m", EBB_LAYOUT_EDM, "linspace", false, false, 50, 1000},
    {"FlowMatchEulerDiscreteScheduler", "euler", EBB_LAYOUT_FLOW, "linspace", false, false, 50, 1000},
    {"FlowMatchHeunDiscreteScheduler", "heun", EBB_LAYOUT_FLOW, "linspace", false, false, 50, 1000},
    {"ScoreSdeVeScheduler", "pc", EBB_LAYOUT_VE, "linspace", false, false, 2000, 2000},
    {"CMStochasticIterativeScheduler", "cm", EBB_LAYOUT_CONSISTENCY, "linspace", false, true, 1, 40},
};

// clang-format off
static const char *const known_keys[] = {
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "variance_type",
    "clip_sample", "prediction_type", "thresholding", "dynamic_thresholding_ratio", "clip_sample_range",
    "sample_max_value", "timestep_spacing", "steps_offset", "rescale_betas_zero_snr", "set_alpha_to_one",
    "interpolation_type", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
    "use_lu_lambdas", "use_flow_sigmas", "flow_shift", "sigma_min", "sigma_max", "timestep_type",
    "final_sigmas_type", "solver_order", "algorithm_type", "solver_type", "lower_order_final",
    "euler_at_final", "lambda_min_clipped", "use_dynamic_shifting", "time_shift_type", "predict_x0",
    "disable_corrector", "solver_p", "skip_prk_steps", "original_inference_steps", "timestep_scaling",
    "sigma_data", "sigma_schedule", "rho", "shift", "base_shift", "max_shift", "base_image_seq_len",
    "max_image_seq_len", "invert_sigmas", "shift_terminal", "stochastic_sampling", "snr", "sampling_eps",
    "correct_steps", "s_noise", "clip_denoised", "noise_sampler_seed", "predictor_order",
    "corrector_order", "tau_func", "use_discrete_sigmas",
};
// clang-format on

struct scheduler_reader {
    const struct ebb_json *j;
    const struct class_row *row;
    int positions; // h * w of the state; 0: not known
    double *betas; // of "trained_betas"
    int beta_count;
};

static void refuse(const struct scheduler_reader *r, const char *key, const char *expected)
{
    ebb_json_refuse(r->j, key, EBB_UNSUPPORTED, "%s", expected);
}

#define CHOICE(r, key, fallback, ...)                                                                        \
    ebb_json_choice((r)->j, key, fallback, (const char *const[]){__VA_ARGS__, NULL})

static bool is(const struct scheduler_reader *r, const char *name)
{
    return strcmp(r->row->name, name) == 0;
}

static bool is_dpm_solver(const struct scheduler_reader *r)
{
    return is(r, "DPMSolverMultistepScheduler") || is(r, "DPMSolverSinglestepScheduler");
}

static double between(const struct scheduler_reader *r, const char *low_key, double low, const char *high_key,
                      double high, double part)
{
    low = ebb_json_number(r->j, low_key, low, -100, 1e9);
    return low + part * (ebb_json_number(r->j, high_key, high, -100, 1e9) - low);
}

// Flow matching's shift, from the size of the state where it is dynamic: diffusers' pipelines draw a straight
// line for mu.
static double read_shift(const struct scheduler_reader *r, const char *key)
{
    double shift = ebb_json_number(r->j, key, 1, 1e-6, 1e6);
    int linear = CHOICE(r, "time_shift_type", 0, "exponential", "linear");
    if (!ebb_json_bool(r->j, "use_dynamic_shifting", false))
        return shift;
    if (r->positions <= 0)
        refuse(r, "use_dynamic_shifting", "false: the size of the state is not known");
    double from = ebb_json_number(r->j, "base_image_seq_len", 256, 1, 1e9);
    double to = ebb_json_number(r->j, "max_image_seq_len", 4096, 1, 1e9);
    if (from == to)
        refuse(r, "max_image_seq_len", "another number than base_image_seq_len");
    double mu = between(r, "base_shift", 0.5, "max_shift", 1.15, (r->positions - from) / (to - from));
    if (linear && !(mu > 0))
        refuse(r, "time_shift_type", "exponential: for this size of the state a linear shift is not above 0");
    return linear ? mu : exp(mu);
}

static bool on_flow(const struct scheduler_reader *r)
{
    return r->row->layout == EBB_LAYOUT_SOLVER && ebb_json_bool(r->j, "use_flow_sigmas", false);
}

static struct ebb_schedule *make_schedule(const struct scheduler_reader *r,
                                          const struct ebb_schedule_params *params)
{
    struct ebb_json_file *file = r->j->file;
    if (file->result != EBB_OK)
        return NULL;
    struct ebb_error *error = EBB_ERROR(file->error);
    struct ebb_schedule *schedule = ebb_schedule_create(params, error);
    if (schedule)
        return schedule;
    ebb_explain(error, "%s", file->path);
    file->result = error->code;
    return NULL;
}

// sigma / alpha at the first of the betas.
static double end_of(const struct scheduler_reader *r, const struct ebb_schedule_params *betas)
{
    struct ebb_schedule *schedule = make_schedule(r, betas);
    double end = schedule ? ebb_schedule_ratio_min(schedule) : 0;
    ebb_schedule_destroy(&schedule);
    return end;
}

// "trained_betas" in place of a formula; the numbers are r->betas, filled beforehand.
static void take_betas(const struct scheduler_reader *r, struct ebb_schedule_params *s)
{
    if (!ebb_json_has(r->j, "trained_betas"))
        return;
    s->name = "table";
    s->table = r->betas;
    s->table_count = (size_t)r->beta_count;
    s->train_steps = r->beta_count;
}

static void read_schedule(const struct scheduler_reader *r, struct ebb_schedule_params *s,
                          struct ebb_quirks *q)
{
    static const char *const ours[] = {"linear", "scaled-linear", "cosine", "sigmoid", "exp", "laplace"};
    ebb_schedule_params_default(s);
    s->single_precision = true;
    int usual = r->row->layout == EBB_LAYOUT_ORIGINAL;
    s->name = ours[CHOICE(r, "beta_schedule", usual, "linear", "scaled_linear", "squaredcos_cap_v2",
                          "sigmoid", "exp", "laplace")];
    s->train_steps = ebb_json_int(r->j, "num_train_timesteps", r->row->train_steps, 2, 100000);
    s->beta_start = ebb_json_number(r->j, "beta_start", r->row->sd_betas ? 0.00085 : 0.0001, 0, 1);
    s->beta_end = ebb_json_number(r->j, "beta_end", r->row->sd_betas ? 0.012 : 0.02, 0, 1);
    s->zero_terminal_snr = ebb_json_bool(r->j, "rescale_betas_zero_snr", false);
    if (r->row->layout == EBB_LAYOUT_SIGMAS || r->row->layout == EBB_LAYOUT_SOLVER)
        s->terminal_abar = 0x1p-24;
    take_betas(r, s);

    enum ebb_quirk_layout layout = r->row->layout;
    if (layout == EBB_LAYOUT_EDM || layout == EBB_LAYOUT_CONSISTENCY || layout == EBB_LAYOUT_VE) {
        bool ve = layout == EBB_LAYOUT_VE;
        s->name = ve ? "ve" : "edm";
        s->sigma_min = ebb_json_number(r->j, "sigma_min", ve ? 0.01 : 0.002, 1e-9, 1e9);
        s->sigma_max = ebb_json_number(r->j, "sigma_max", ve ? 1348 : 80, 1e-9, 1e9);
        s->sigma_data = ebb_json_number(r->j, "sigma_data", 0.5, 1e-9, 1e9);
    } else if (layout == EBB_LAYOUT_FLOW) {
        s->name = "flow";
        s->shift = read_shift(r, "shift");
    } else if (on_flow(r)) {
        q->betas_end = end_of(r, s);
        s->name = "flow";
        s->shift = read_shift(r, "flow_shift");
        s->zero_terminal_snr = false; // of the betas, which are not used
    }
}

static enum ebb_prediction read_prediction(const struct scheduler_reader *r)
{
    static const enum ebb_prediction plain[] = {EBB_PREDICT_EPS, EBB_PREDICT_X0, EBB_PREDICT_V},
                                     edm[] = {EBB_PREDICT_EDM, EBB_PREDICT_EDM_V};
    switch (r->row->layout) {
    case EBB_LAYOUT_EDM: return edm[CHOICE(r, "prediction_type", 0, "epsilon", "v_prediction")];
    case EBB_LAYOUT_FLOW: return EBB_PREDICT_FLOW;
    case EBB_LAYOUT_VE: return EBB_PREDICT_SCORE;
    case EBB_LAYOUT_CONSISTENCY: return EBB_PREDICT_EDM;
    default:
        if (on_flow(r)) { // v there is not of unit variance, and means nothing
            static const enum ebb_prediction flow[] = {EBB_PREDICT_EPS, EBB_PREDICT_X0, EBB_PREDICT_FLOW};
            return flow[CHOICE(r, "prediction_type", 0, "epsilon", "sample", "flow_prediction")];
        }
        if (is(r, "PNDMScheduler"))
            return plain[2 * CHOICE(r, "prediction_type", 0, "epsilon", "v_prediction")];
        return plain[CHOICE(r, "prediction_type", 0, "epsilon", "sample", "v_prediction")];
    }
}

static void read_limits(const struct scheduler_reader *r, struct ebb_run_params *p)
{
    bool consistency = r->row->layout == EBB_LAYOUT_CONSISTENCY;
    if (ebb_json_bool(r->j, consistency ? "clip_denoised" : "clip_sample", r->row->clips))
        p->clip = consistency ? 1 : ebb_json_number(r->j, "clip_sample_range", 1, 1e-6, 1e6);
    if (ebb_json_bool(r->j, "thresholding", false)) {
        p->clip = 0;
        p->threshold_ratio = ebb_json_number(r->j, "dynamic_thresholding_ratio", 0.995, 0, 1);
        p->threshold_max = ebb_json_number(r->j, "sample_max_value", 1, 1, 1e6);
    }
    p->s_noise = consistency ? ebb_json_number(r->j, "s_noise", 1, 0, 10) : 1;
    if (r->row->layout != EBB_LAYOUT_STEPS && !is_dpm_solver(r))
        return;
    static const char *const ours[] = {"fixed-small", "fixed-small", "fixed-large", "learned",
                                       "learned-range"};
    p->variance = ours[CHOICE(r, "variance_type", 0, "fixed_small", "fixed_small_log", "fixed_large",
                              "learned", "learned_range")];
}

static void read_flow(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    if (ebb_json_bool(r->j, "invert_sigmas", false))
        refuse(r, "invert_sigmas", "false");
    q->stochastic = ebb_json_bool(r->j, "stochastic_sampling", false);
    q->dynamic = ebb_json_bool(r->j, "use_dynamic_shifting", false);
    q->shift_terminal = ebb_json_number(r->j, "shift_terminal", 0, 0, 0.999);
    q->flow_sigmas = on_flow(r);
    q->ends_at_betas = is_dpm_solver(r);
    if (!q->flow_sigmas || !q->grid)
        return;
    bool unipc = is(r, "UniPCMultistepScheduler");
    if (!unipc || strcmp(q->grid, "karras") != 0)
        refuse(r, "use_flow_sigmas",
               unipc ? "false: of the sigma grids only use_karras_sigmas goes with it"
                     : "false: no sigma grid goes with it");
    else if (!(q->sigma_min > 0 && q->sigma_max > q->sigma_min))
        refuse(r, "use_karras_sigmas",
               "false: with use_flow_sigmas it needs a sigma_min and a larger sigma_max");
}

// The sigma grid that the config asks for, one at most; NULL: none.
static const char *read_sigma_grid(const struct scheduler_reader *r)
{
    static const struct {
        const char *key, *grid;
    } grids[] = {
        {"use_karras_sigmas", "karras"},
        {"use_exponential_sigmas", "exponential"},
        {"use_beta_sigmas", "beta"},
        {"use_lu_lambdas", "lu"},
    };
    const char *grid = NULL;
    for (size_t i = 0; i < sizeof(grids) / sizeof(grids[0]); i++) {
        if (!ebb_json_bool(r->j, grids[i].key, false))
            continue;
        if (grid)
            refuse(r, grids[i].key, "false: the config has another sigma grid already");
        grid = grid ? grid : grids[i].grid;
    }
    if (r->row->layout == EBB_LAYOUT_EDM)
        grid = CHOICE(r, "sigma_schedule", 0, "karras", "exponential") ? "exponential" : "karras";
    return grid;
}

// How fractional times become what the network is told.
static void read_labels(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    bool cosine = strcmp(ebb_json_string(r->j, "beta_schedule", ""), "squaredcos_cap_v2") == 0;
    bool found = q->grid && (strcmp(q->grid, "karras") == 0 || strcmp(q->grid, "lu") == 0); // found again
                                                                                            // from the sigma
    if (r->row->layout == EBB_LAYOUT_SOLVER)
        q->round_labels = found && !(cosine && is(r, "DPMSolverMultistepScheduler"));
    else
        q->round_labels = found &&
                          (is(r, "KDPM2DiscreteScheduler") || is(r, "KDPM2AncestralDiscreteScheduler"));
    q->cut_labels = r->row->layout == EBB_LAYOUT_SOLVER;
}

static void read_grid(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    static const char *const spacings[] = {"leading", "linspace", "trailing"};
    int usual = strcmp(r->row->spacing, "leading") == 0 ? 0 : 1;
    q->spacing = spacings[CHOICE(r, "timestep_spacing", usual, "leading", "linspace", "trailing")];
    q->steps_offset = ebb_json_int(r->j, "steps_offset", 0, 0, 100000);
    q->rho = ebb_json_number(r->j, "rho", 7, 1e-3, 1e3);
    q->grid = read_sigma_grid(r);
    q->sigma_min = ebb_json_number(r->j, "sigma_min", 0, 0, 1e9);
    q->sigma_max = ebb_json_number(r->j, "sigma_max", 0, 0, 1e9);
    q->final_zero = CHOICE(r, "final_sigmas_type", 0, "zero", "sigma_min") == 0;
    q->log_linear = CHOICE(r, "interpolation_type", 0, "linear", "log_linear") == 1;
    read_labels(r, q);
    read_flow(r, q);
}

static void read_uncorrected(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    int steps[64];
    int count = ebb_json_ints(r->j, "disable_corrector", steps, 64, 0, 63);
    for (int i = 0; i < count; i++)
        q->uncorrected |= (uint64_t)1 << steps[i];
}

static void read_sa_solver(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    q->final_zero = false;
    q->order = ebb_json_int(r->j, "predictor_order", 2, 1, 4);
    q->corrector_order = ebb_json_int(r->j, "corrector_order", 2, 1, 4);
    q->noise_prediction = CHOICE(r, "algorithm_type", 0, "data_prediction", "noise_prediction");
}

static void read_unipc(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    q->noise_prediction = !ebb_json_bool(r->j, "predict_x0", true);
    if (ebb_json_has(r->j, "solver_p"))
        refuse(r, "solver_p", "null");
    read_uncorrected(r, q);
}

static void read_dpm_solver(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    static const char *const several[2][2] = {{"dpmpp-2m", "dpmpp-2m-sde"},
                                              {"dpmpp-3m", "dpmpp-3m-sde"}}; // [order 3][sde]
    int algorithm = CHOICE(r, "algorithm_type", 0, "dpmsolver++", "deis", "sde-dpmsolver++", "dpmsolver",
                           "sde-dpmsolver");
    bool single = is(r, "DPMSolverSinglestepScheduler"), third = q->order == 3;
    q->sde = algorithm == 2 || algorithm == 4;
    q->noise_prediction = algorithm >= 3;
    if (q->sde && third && (q->noise_prediction || q->layout == EBB_LAYOUT_EDM))
        refuse(r, "solver_order", "1 or 2: diffusers has no third order for this algorithm_type");
    if (single && algorithm == 4)
        refuse(r, "algorithm_type", "another: sde-dpmsolver has no single steps");
    q->sampler = !single ? several[third][q->sde] : third ? "dpmpp-3s" : "dpmpp-2s";
}

// How a solver is set.
static void read_solver(const struct scheduler_reader *r, struct ebb_quirks *q)
{
    bool unipc = is(r, "UniPCMultistepScheduler");
    q->order = ebb_json_int(r->j, "solver_order", 2, 1, 3);
    q->lower_order_final = ebb_json_bool(r->j, "lower_order_final", !is(r, "DPMSolverSinglestepScheduler"));
    q->euler_at_final = ebb_json_bool(r->j, "euler_at_final", false);
    int type = CHOICE(r, "solver_type", unipc ? 2 : 0, "midpoint", "heun", "bh2", "bh1", "logrho");
    q->heun = type == 1 && !unipc;
    q->bh1 = type == 3 && unipc;
    if (is(r, "SASolverScheduler")) {
        read_sa_solver(r, q);
    } else if (unipc) {
        read_unipc(r, q);
    } else if (is(r, "DEISMultistepScheduler")) {
        q->final_zero = false;
        (void)CHOICE(r, "algorithm_type", 0, "deis", "dpmsolver", "dpmsolver++");
    } else {
        read_dpm_solver(r, q);
    }
    if (q->noise_prediction && q->final_zero)
        refuse(r, "final_sigmas_type", "\"sigma_min\": a solver on eps divides by zero at \"zero\"");
    q->lambda_min = ebb_json_number(r->j, "lambda_min_clipped", -INFINITY, -INFINITY, 1e3);
    q->clips_lambda = isfinite(q->lambda_min);
}

static void read_own(const struct scheduler_reader *r, struct ebb_scheduler *out, int train_steps)
{
    struct ebb_quirks *q = &out->quirks;
    bool strides = q->layout == EBB_LAYOUT_STRIDES || q->layout == EBB_LAYOUT_INVERSE;
    bool original = q->layout == EBB_LAYOUT_ORIGINAL, pndm = is(r, "PNDMScheduler");
    if (q->layout == EBB_LAYOUT_SOLVER || is(r, "EDMDPMSolverMultistepScheduler"))
        read_solver(r, q);
    if (q->noise_prediction && out->run.prediction == EBB_PREDICT_FLOW)
        refuse(r, "prediction_type", "another: a solver on eps has no \"flow_prediction\"");
    if (strides || original)
        q->alpha_to_one = ebb_json_bool(r->j, "set_alpha_to_one", !pndm);
    if (pndm && ebb_json_bool(r->j, "skip_prk_steps", false))
        q->sampler = "plms";
    if (original) {
        q->original_steps = ebb_json_int(r->j, "original_inference_steps", 50, 1, train_steps);
        q->timestep_scaling = ebb_json_number(r->j, "timestep_scaling", 10, 0, 1e6);
    }
    if (q->layout == EBB_LAYOUT_VE) {
        out->run.snr = ebb_json_number(r->j, "snr", 0.15, 0, 10);
        if (ebb_json_int(r->j, "correct_steps", 1, 0, 100) != 1)
            refuse(r, "correct_steps", "1");
    }
    q->brownian = is(r, "DPMSolverSDEScheduler");
    out->run.consistency = original || q->layout == EBB_LAYOUT_CONSISTENCY;
    bool continuous = q->layout == EBB_LAYOUT_SIGMAS &&
                      CHOICE(r, "timestep_type", 0, "discrete", "continuous");
    q->continuous_labels = continuous && out->run.prediction == EBB_PREDICT_V;
    if (q->layout == EBB_LAYOUT_INVERSE && out->run.prediction == EBB_PREDICT_X0 && q->alpha_to_one)
        refuse(r, "prediction_type",
               "another: inversion divides by zero for \"sample\" unless set_alpha_to_one is false");
}

static void list_unknown(const struct ebb_json *j, char *unknown, size_t size)
{
    for (const char *key = NULL; (key = ebb_json_next_key(j, key));) {
        bool known = key[0] == '_';
        for (size_t k = 0; k < sizeof(known_keys) / sizeof(known_keys[0]); k++)
            known |= strcmp(key, known_keys[k]) == 0;
        size_t used = strlen(unknown);
        if (!known && used + 3 < size)
            snprintf(unknown + used, size - used, "%s%s", used ? ", " : "", key);
    }
}

static const struct class_row *class_of(const struct ebb_json *j)
{
    const size_t count = sizeof(classes) / sizeof(classes[0]);
    const char *name = ebb_json_string(j, "_class_name", "");
    for (size_t i = 0; i < count; i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];

    char names[440] = "";
    for (size_t i = 0; i < count; i++) { // the common part of the names is left out
        size_t used = strlen(names), length = strlen(classes[i].name) - strlen("Scheduler");
        snprintf(names + used, sizeof(names) - used, "%s%.*s", i ? ", " : "", (int)length, classes[i].name);
    }
    ebb_json_refuse(j, "_class_name", *name ? EBB_UNSUPPORTED : EBB_CORRUPT, "one of %s", names);
    return NULL;
}

static void read_all(const struct scheduler_reader *r, struct ebb_scheduler *out)
{
    struct ebb_schedule_params schedule;
    out->quirks = (struct ebb_quirks){.source = r->row->name,
                                      .sampler = r->row->sampler,
                                      .layout = r->row->layout,
                                      .order = 1};
    ebb_run_params_default(&out->run);
    read_schedule(r, &schedule, &out->quirks);
    out->run.prediction = read_prediction(r);
    read_limits(r, &out->run);
    read_grid(r, &out->quirks);
    read_own(r, out, schedule.train_steps);
    out->run.sampler = out->quirks.sampler;
    out->run.steps = r->row->default_steps;
    out->run.spacing = out->quirks.grid ? out->quirks.grid : out->quirks.spacing;
    out->run.steps_offset = out->quirks.steps_offset;
    out->run.schedule = out->schedule = make_schedule(r, &schedule);
}

enum ebb_result ebb_scheduler_read(struct ebb_json_file *config, int positions, struct ebb_scheduler *out)
{
    struct ebb_json j = ebb_json_root(config);
    j.null_is_absent = true;
    struct scheduler_reader r = {.j = &j,
                                 .row = class_of(&j),
                                 .positions = positions,
                                 .beta_count = ebb_json_count(&j, "trained_betas")};
    *out = (struct ebb_scheduler){0};
    if (config->result != EBB_OK)
        return config->result;

    r.betas = ebb_alloc((size_t)r.beta_count, sizeof(*r.betas));
    if (!r.betas)
        return config->result = ebb_fail(config->error, EBB_OUT_OF_MEMORY, "%s: no memory", config->path);
    ebb_json_numbers(&j, "trained_betas", r.betas, r.beta_count, 0, 1);
    read_all(&r, out);
    list_unknown(&j, out->unknown, sizeof(out->unknown));
    free(r.betas);
    return config->result;
}
