// scheduler_config.json -> schedule and run.
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/own.h"

static const struct {
    const char *class_name, *sampler, *spacing;
    int steps;
    bool clips; // unless the file says otherwise
} classes[] = {
    {"DDIMScheduler", "ddim", "leading", 50, true},
    {"DDPMScheduler", "ddpm", "leading", 1000, true},
    {"DPMSolverMultistepScheduler", "dpmpp-2m", "linspace", 50, false},
    {"EulerDiscreteScheduler", "euler", "linspace", 50, false},
};

static int read_class(const struct ebb_json *j)
{
    const char *name = ebb_json_string(j, "_class_name", "");
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i].class_name, name) == 0)
            return (int)i;
    ebb_json_refuse(j, "_class_name", EBB_UNSUPPORTED, "DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler or "
                    "EulerDiscreteScheduler");
    return 0;
}

static void read_run(struct ebb_model *model, const struct ebb_json *j, int class)
{
    static const char *const predictions[] = {"epsilon", "sample", "v_prediction", NULL};
    static const enum ebb_prediction prediction[] = {EBB_PREDICT_EPS, EBB_PREDICT_X0, EBB_PREDICT_V};
    static const char *const spacings[] = {"leading", "linspace", "trailing", NULL};
    struct ebb_run_params *run = &model->run;
    ebb_run_params_default(run);
    run->sampler = model->info.sampler = classes[class].sampler;
    run->steps = model->info.steps = classes[class].steps;
    run->prediction = prediction[ebb_json_choice(j, "prediction_type", 0, predictions)];
    run->spacing = classes[class].spacing;
    int spacing = ebb_json_choice(j, "timestep_spacing", -1, spacings);
    if (spacing >= 0)
        run->spacing = spacings[spacing];
    run->steps_offset = ebb_json_int(j, "steps_offset", 0, 0, 1000);
    if (ebb_json_bool(j, "clip_sample", classes[class].clips))
        run->clip = ebb_json_number(j, "clip_sample_range", 1, 1e-6, 1e6);
    if (ebb_json_bool(j, "thresholding", false)) {
        run->clip = 0;
        run->threshold_ratio = ebb_json_number(j, "dynamic_thresholding_ratio", 0.995, 0, 1);
        run->threshold_max = ebb_json_number(j, "sample_max_value", 1, 0, 1e6);
    }
}

static enum ebb_result read_schedule(struct ebb_model *model, const struct ebb_json *j, struct ebb_error *error)
{
    static const char *const names[] = {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "exp", NULL};
    static const char *const ours[] = {"linear", "scaled-linear", "cosine", "sigmoid", "exp"};
    struct ebb_schedule_params params;
    ebb_schedule_params_default(&params);
    params.name = ours[ebb_json_choice(j, "beta_schedule", 0, names)];
    params.train_steps = ebb_json_int(j, "num_train_timesteps", 1000, 2, 100000);
    params.beta_start = ebb_json_number(j, "beta_start", 1e-4, 0, 1);
    params.beta_end = ebb_json_number(j, "beta_end", 0.02, 0, 1);
    params.zero_terminal_snr = ebb_json_bool(j, "rescale_betas_zero_snr", false);

    double *table = NULL;
    if (ebb_json_has(j, "trained_betas")) {
        int count = ebb_json_count(j, "trained_betas");
        table = ebb_alloc((size_t)count, sizeof(*table));
        if (table)
            params.table_count = (size_t)ebb_json_numbers(j, "trained_betas", table, count);
        params.name = "table";
        params.table = table;
        params.train_steps = count;
    }
    if (!j->file->result)
        model->schedule = ebb_schedule_create(&params, error);
    free(table);
    if (model->schedule || j->file->result)
        return j->file->result;
    ebb_explain(error, "%s", j->file->path);
    return error->code;
}

enum ebb_result ebb_scheduler_read(struct ebb_model *model, const char *folder, struct ebb_error *error)
{
    struct ebb_json_file file;
    enum ebb_result result = ebb_json_read_in(&file, folder, "scheduler_config.json", model->own->scheduler_sum, error);
    if (result)
        return result;
    struct ebb_json j = ebb_json_root(&file);
    int class = read_class(&j);
    read_run(model, &j, class);
    result = read_schedule(model, &j, error);
    model->run.schedule = model->schedule;
    ebb_json_close(&file);
    return result;
}
