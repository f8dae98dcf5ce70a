// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading ebb.json, the manifest: all facts of a model that diffusers' files do not have.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/model_files.h"

// A picture as Riffusion draws it, with numbers of the model's own.
static void read_riffusion(struct ebb_model *model, const struct ebb_json *m)
{
    static const char *const scales[] = {"slaney", "htk", NULL};
    struct ebb_mel_params *mel = &model->mel;
    int rows = mel->n_mels;
    ebb_mel_params_riffusion(mel, rows);
    mel->n_mels = ebb_json_int(m, "n_mels", rows, 1, 1 << 15);
    mel->sample_rate = ebb_json_int(m, "sample_rate", mel->sample_rate, 1000, 384000);
    mel->n_fft = ebb_json_int(m, "n_fft", mel->n_fft, 16, 65536);
    mel->window = ebb_json_int(m, "window", mel->window < mel->n_fft ? mel->window : mel->n_fft, 16,
                               mel->n_fft);
    mel->hop = ebb_json_int(m, "hop", mel->hop < mel->n_fft ? mel->hop : mel->n_fft, 1, mel->n_fft);
    mel->fmin = ebb_json_number(m, "fmin", mel->fmin, 0, mel->sample_rate / 2.0);
    mel->fmax = ebb_json_number(m, "fmax", fmin(mel->fmax, mel->sample_rate / 2.0), mel->fmin,
                                mel->sample_rate / 2.0);
    mel->scale = ebb_json_choice(m, "scale", 1, scales) ? EBB_MEL_HTK : EBB_MEL_SLANEY;
    mel->curve = ebb_json_number(m, "curve", mel->curve, 1e-3, 1);
    mel->loudest = ebb_json_number(m, "loudest", mel->loudest, 1e-3, 1e12);
    model->high_first = true;
    if (mel->n_fft % 2)
        ebb_json_refuse(m, "n_fft", EBB_CORRUPT, "an even number");
}

static void read_mel(struct ebb_model *model, const struct ebb_json *j)
{
    static const char *const scales[] = {"slaney", "htk", NULL};
    static const char *const norms[] = {"slaney", NULL};
    static const char *const codings[] = {"absolute", "riffusion", NULL};
    struct ebb_json sub = ebb_json_object(j, "mel"), *m = &sub;
    struct ebb_mel_params *mel = &model->mel;
    if (!m->object)
        return;

    if (ebb_json_choice(m, "coding", 0, codings) == 1) {
        read_riffusion(model, m);
        return;
    }
    model->high_first = false;
    *mel = (struct ebb_mel_params){.coding = EBB_MEL_CODING_ABSOLUTE};
    mel->sample_rate = ebb_json_int(m, "sample_rate", 48000, 1000, 384000);
    mel->n_fft = ebb_json_int(m, "n_fft", 2048, 16, 65536);
    mel->hop = ebb_json_int(m, "hop", 512, 1, mel->n_fft);
    mel->n_mels = ebb_json_int(m, "n_mels", 128, 1, mel->n_fft / 2);
    mel->fmin = ebb_json_number(m, "fmin", 0, 0, mel->sample_rate / 2.0);
    mel->fmax = ebb_json_number(m, "fmax", mel->sample_rate / 2.0, mel->fmin, mel->sample_rate / 2.0);
    mel->scale = ebb_json_choice(m, "scale", 0, scales) ? EBB_MEL_HTK : EBB_MEL_SLANEY;
    mel->norm = EBB_MEL_NORM_NONE;
    if (ebb_json_has(m, "norm")) {
        ebb_json_choice(m, "norm", 0, norms);
        mel->norm = EBB_MEL_NORM_SLANEY;
    }
    mel->db_center = ebb_json_number(m, "db_center", -40, -200, 200);
    mel->db_range = ebb_json_number(m, "db_range", 50, 1, 400);
    if (mel->n_fft % 2)
        ebb_json_refuse(m, "n_fft", EBB_CORRUPT, "an even number");
}

static void read_latent(struct ebb_model *model, const struct ebb_json *j)
{
    struct ebb_json sub = ebb_json_object(j, "latent"), *l = &sub;
    if (!l->object)
        return;
    if (!model->vae)
        ebb_json_refuse(j, "latent", EBB_CORRUPT, "a vae folder to go with it");
    if (j->file->result)
        return;

    enum { MOST = 64 };
    double mean[MOST];
    int channels = ebb_autoencoder_latent_channels(model->vae);
    int count = ebb_json_numbers(l, "mean", mean, MOST, -1e6, 1e6);
    if (count && count != channels)
        ebb_json_refuse(l, "mean", EBB_CORRUPT, "%d numbers, one per latent channel", channels);
    model->latent_std = (float)ebb_json_number(l, "std", 1, 1e-6, 1e6);
    model->silence = (float)ebb_json_number(l, "silence", -1, -1, 1);
    int shape[3], rank = ebb_json_ints(l, "shape", shape, 3, 1, 1 << 16);
    if (rank && rank != 3)
        ebb_json_refuse(l, "shape", EBB_CORRUPT, "three integers");
    if (rank == 3)
        memcpy(model->state, shape, sizeof(shape));
    if (j->file->result)
        return;

    free(model->latent_mean);
    model->latent_mean = count ? ebb_alloc((size_t)count, sizeof(float)) : NULL;
    if (count && !model->latent_mean)
        j->file->result = ebb_fail(j->file->error, EBB_OUT_OF_MEMORY, "no memory for ebb.json");
    for (int i = 0; model->latent_mean && i < count; i++)
        model->latent_mean[i] = (float)mean[i];
}

static void read_curve(struct ebb_curve *curve, const struct ebb_json *d, const char *key)
{
    enum { MOST = 64 };
    double pairs[MOST][2];
    int count = ebb_json_pairs(d, key, pairs, MOST);
    bool rising = true;
    for (int i = 0; i < count; i++)
        rising &= pairs[i][1] >= 0 && pairs[i][1] <= 1 && (i == 0 || pairs[i][0] > pairs[i - 1][0]);
    if (!rising)
        ebb_json_refuse(d, key, EBB_CORRUPT,
                        "pairs of numbers, the first ones rising, the second ones from 0 to 1");
    if (!count || !rising)
        return;

    curve->points = ebb_alloc((size_t)count, sizeof(*curve->points));
    if (!curve->points)
        d->file->result = ebb_fail(d->file->error, EBB_OUT_OF_MEMORY, "no memory for ebb.json");
    for (int i = 0; curve->points && i < count; i++)
        curve->points[i] = (struct ebb_curve_point){pairs[i][0], pairs[i][1]};
    curve->count = curve->points ? count : 0;
}

static void read_denoise(struct ebb_model *model, const struct ebb_json *j)
{
    static const char *const targets[] = {"mel", "change", NULL};
    static const char *const conditions[] = {"noisy-mel", NULL};
    struct ebb_json sub = ebb_json_object(j, "denoise"), *d = &sub;
    if (ebb_json_has(j, "condition")) {
        ebb_json_choice(j, "condition", 0, conditions);
        model->conditioned = true;
    }
    model->info.t_default = ebb_json_number(d, "t_default", 0.5, 0, 1);
    model->change_db = ebb_json_number(d, "change_db", 0, 0, 200);
    if (ebb_json_choice(d, "target", 0, targets) == 1)
        model->change_db = ebb_json_number(d, "range_db", 30, 1, 200);
    read_curve(&model->auto_t, d, "auto_t");
    read_curve(&model->auto_doubt, d, "auto_doubt");
    read_curve(&model->auto_unsure, d, "auto_unsure");
    read_curve(&model->auto_voice, d, "auto_voice");
}

static void read_recommended(struct ebb_model *model, const struct ebb_json *j)
{
    struct ebb_json sub = ebb_json_object(j, "recommended"), *r = &sub;
    model->info.sampler = ebb_json_string(r, "sampler", model->info.sampler);
    model->info.steps = ebb_json_int(r, "steps", model->info.steps, 1, 1000);
    model->info.guidance = ebb_json_number(r, "guidance", model->info.guidance, 0, 100);
    model->info.guidance_from = ebb_json_number(r, "guidance_from", 0, 0, 1);
    model->info.guidance_to = ebb_json_number(r, "guidance_to", 1, model->info.guidance_from, 1);
    if (!ebb_sampler_find(model->info.sampler))
        ebb_json_refuse(r, "sampler", EBB_UNSUPPORTED, "the name of a sampler");
}

// The student. It is the same network with classes of its own; it takes few steps of DDIM and has learned
// its guidance.
static void read_student(struct ebb_model *model, const struct ebb_json *j)
{
    struct ebb_json sub = ebb_json_object(j, "student"), *s = &sub;
    if (!s->object)
        return;
    int classes = ebb_unet_classes(model->unet), last = model->info.label_count - 1;
    last = model->no_label > last ? model->no_label : last;
    int most = classes - 1 - last;
    model->info.student_steps = ebb_json_int(s, "steps", 4, 1, 1000);
    model->student = ebb_json_int(s, "first_class", classes / 2, 0, classes);
    if (model->student <= last || model->student > most)
        ebb_json_refuse(s, "first_class", EBB_CORRUPT,
                        "%d to %d: behind the teacher's classes, %d of them and before the end", last + 1,
                        most, last + 1);
}

static void read_sums(struct ebb_model *model, const struct ebb_json *j)
{
    struct ebb_json sums = ebb_json_object(j, "sha256");
    for (int i = 0; i < EBB_PARTS; i++)
        if (model->files->network[i])
            ebb_network_expect(model->files->network[i], &sums);
}

static const char *string_or_null(const struct ebb_json *j, const char *key)
{
    return ebb_json_has(j, key) ? ebb_json_string(j, key, NULL) : NULL;
}

static void default_label(struct ebb_model *model, const struct ebb_json *j)
{
    const char *name = string_or_null(j, "default_label");
    for (int i = 0; name && !j->file->result && i < model->info.label_count; i++)
        if (strcmp(model->labels[i].name, name) == 0)
            model->info.default_label = i;
    if (name && model->info.default_label < 0)
        ebb_json_refuse(j, "default_label", EBB_CORRUPT, "one of the labels");
}

void ebb_manifest_read(struct ebb_model *model, const struct ebb_json *j)
{
    static const char *const kinds[] = {"generate", "denoise", NULL};
    int classes = ebb_unet_classes(model->unet);
    if (!ebb_json_has(j, "format"))
        ebb_json_refuse(j, "format", EBB_CORRUPT, "1");
    ebb_json_int(j, "format", 1, 1, 1);
    model->info.kind = ebb_json_choice(j, "kind", 0, kinds) ? EBB_MODEL_DENOISE : EBB_MODEL_GENERATE;
    model->info.name = ebb_json_string(j, "name", model->info.name);
    model->info.window_frames = ebb_json_int(j, "window_frames", model->info.window_frames, 1, 1 << 16);
    model->info.licence = string_or_null(j, "licence");
    model->info.credit = string_or_null(j, "credit");
    model->info.provenance = string_or_null(j, "provenance");
    if (ebb_json_has(j, "no_label"))
        model->no_label = ebb_json_int(j, "no_label", -1, 0, classes ? classes - 1 : 0);
    if (ebb_json_has(j, "patch") && ebb_json_ints(j, "patch", model->patch, 2, 1, 64) != 2)
        ebb_json_refuse(j, "patch", EBB_CORRUPT, "two integers");
    read_recommended(model, j);
    ebb_manifest_labels(model, j); // after the model's guidance, which labels without one of their own take
    ebb_manifest_prompts(model, j);
    default_label(model, j);
    read_mel(model, j);
    read_latent(model, j);
    read_denoise(model, j);
    read_student(model, j);
    read_sums(model, j);
}
