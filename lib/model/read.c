// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading a model folder, all but the weights' numbers.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/file.h"
#include "diffusers/mel_config.h"
#include "diffusers/model_index.h"
#include "diffusers/scheduler.h"
#include "model/model_files.h"
#include "nets/autoencoder_kl.h"
#include "nets/unet2d.h"
#include "text/tokenizer.h"

static enum ebb_result no_memory(const struct ebb_model *model, struct ebb_error *error)
{
    return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", model->files->path);
}

// "path/name" if that is there, otherwise NULL. To be freed.
static enum ebb_result part_path(const struct ebb_model *model, const char *name, char **path,
                                 struct ebb_error *error)
{
    *path = ebb_path_join(model->files->path, name);
    if (!*path)
        return no_memory(model, error);
    if (!ebb_file_exists(*path)) {
        free(*path);
        *path = NULL;
    }
    return EBB_OK;
}

// ---- networks ----

static const struct part_row {
    const char *folders[2]; // the first that exists is taken
    enum ebb_network_role role;
} parts[EBB_PARTS] = {
    [EBB_PART_UNET] = {{"unet"}, EBB_ROLE_UNET},
    [EBB_PART_AUTOENCODER] = {{"vae", "vqvae"}, EBB_ROLE_AUTOENCODER},
    [EBB_PART_CLASSIFIER] = {{"classifier"}, EBB_ROLE_CLASSIFIER},
    [EBB_PART_TEXT] = {{"text_encoder"}, EBB_ROLE_TEXT},
    [EBB_PART_VOCODER] = {{"vocoder"}, EBB_ROLE_VOCODER},
    [EBB_PART_TEXT_2] = {{"text_encoder_2"}, EBB_ROLE_TEXT},
    [EBB_PART_PROJECTION] = {{"projection_model"}, EBB_ROLE_TEXT_PROJECTION},
    [EBB_PART_LANGUAGE] = {{"language_model"}, EBB_ROLE_LANGUAGE},
};

static enum ebb_result open_part(struct ebb_model *model, enum ebb_model_part part, struct ebb_error *error)
{
    const struct part_row *row = &parts[part];
    char *folder;
    enum ebb_result result = part_path(model, row->folders[0], &folder, error);
    if (result == EBB_OK && !folder && row->folders[1])
        result = part_path(model, row->folders[1], &folder, error);
    if (result != EBB_OK)
        return result;
    if (!folder)
        return part != EBB_PART_UNET ? EBB_OK
                                     : ebb_fail(error, EBB_WRONG_TYPE,
                                                "%s: not a model folder: there is no unet "
                                                "folder in it",
                                                model->files->path);
    model->files->network[part] = ebb_network_open(folder, (int)row->role, error);
    free(folder);
    return model->files->network[part] ? EBB_OK : error->code;
}

// Pipelines that have a vocoder, and their settings where nobody says otherwise, as in diffusers.
static const struct vocoder_row {
    enum ebb_pipeline pipeline;
    double guidance;
    int steps;
} vocoder_rows[] = {
    {EBB_PIPELINE_AUDIOLDM, 2.5, 10},
    {EBB_PIPELINE_MUSICLDM, 2, 200},
    {EBB_PIPELINE_AUDIOLDM2, 3.5, 200},
};

// NULL: the pipeline has none.
static const struct vocoder_row *vocoder_row(enum ebb_pipeline pipeline)
{
    for (size_t i = 0; i < sizeof(vocoder_rows) / sizeof(vocoder_rows[0]); i++)
        if (vocoder_rows[i].pipeline == pipeline)
            return &vocoder_rows[i];
    return NULL;
}

// Whether the pipeline has the part, where the folder has it.
static bool may_have(const struct ebb_model_index *index, enum ebb_model_part part)
{
    switch (part) {
    case EBB_PART_AUTOENCODER: return index->autoencoder;
    case EBB_PART_VOCODER: return vocoder_row(index->pipeline) != NULL;
    case EBB_PART_TEXT_2:
    case EBB_PART_PROJECTION:
    case EBB_PART_LANGUAGE: return index->pipeline == EBB_PIPELINE_AUDIOLDM2;
    default: return true;
    }
}

// What follows words or has a vocoder sounds as its pipeline has it, which is not to be guessed.
static enum ebb_result check_pipeline(const struct ebb_model *model, const struct ebb_model_index *index,
                                      struct ebb_error *error)
{
    if (index->found || model->files->manifest.root)
        return EBB_OK;
    char *vocoder;
    enum ebb_result result = part_path(model, parts[EBB_PART_VOCODER].folders[0], &vocoder, error);
    bool asked = vocoder || (model->text[0] && !model->words_are_classes);
    const char *part = vocoder ? "vocoder" : "text_encoder";
    free(vocoder);
    return result != EBB_OK || !asked
               ? result
               : ebb_fail(error, EBB_NOT_FOUND,
                          "%s: there is no model_index.json, which says what its %s folder is for",
                          model->files->path, part);
}

// Without its autoencoder a latent would be taken for the mel itself. AudioLDM 2 needs whole what other
// pipelines have in part.
static enum ebb_result check_parts(const struct ebb_model *model, const struct ebb_model_index *index,
                                   struct ebb_error *error)
{
    if (index->needs_autoencoder && !model->files->network[EBB_PART_AUTOENCODER])
        return ebb_fail(error, EBB_NOT_FOUND,
                        "%s: its model_index.json names an autoencoder, and there is no vae folder",
                        model->files->path);
    static const enum ebb_model_part needed[] = {EBB_PART_TEXT, EBB_PART_TEXT_2, EBB_PART_PROJECTION,
                                                 EBB_PART_LANGUAGE};
    bool whole = index->pipeline == EBB_PIPELINE_AUDIOLDM2;
    for (size_t i = 0; whole && i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!model->files->network[needed[i]])
            return ebb_fail(error, EBB_NOT_FOUND, "%s: an AudioLDM2Pipeline without its %s folder",
                            model->files->path, parts[needed[i]].folders[0]);
    return EBB_OK;
}

static enum ebb_result open_networks(struct ebb_model *model, const struct ebb_model_index *index,
                                     struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < EBB_PARTS; i++)
        if (may_have(index, (enum ebb_model_part)i))
            result = open_part(model, (enum ebb_model_part)i, error);
    ebb_model_take_networks(model);
    model->info.prompt = model->text[0] != NULL; // here alone: others may read it while the model loads
    if (result == EBB_OK)
        result = check_pipeline(model, index, error);
    return result == EBB_OK ? check_parts(model, index, error) : result;
}

void ebb_model_take_networks(struct ebb_model *model)
{
    struct ebb_network *const *network = model->files->network;
    model->unet = ebb_network_unet(network[EBB_PART_UNET]);
    model->vae = ebb_network_autoencoder(network[EBB_PART_AUTOENCODER]);
    model->classifier = ebb_network_classifier(network[EBB_PART_CLASSIFIER]);
    model->vocoder = ebb_network_vocoder(network[EBB_PART_VOCODER]);
    model->text[0] = ebb_network_text(network[EBB_PART_TEXT]);
    model->text[1] = ebb_network_text(network[EBB_PART_TEXT_2]);
    model->projection = ebb_network_text_projection(network[EBB_PART_PROJECTION]);
    model->language = ebb_network_text(network[EBB_PART_LANGUAGE]);
    model->words_are_classes = model->text[0] && ebb_unet_classes(model->unet) > 0 &&
                               ebb_unet_text_width(model->unet, 0) == 0;
}

// ---- tokenizer ----

// A tokenizer's ids have to be known to the text encoder.
enum ebb_result ebb_model_open_tokenizer(struct ebb_model *model, int text, struct ebb_error *error)
{
    static const char *const names[EBB_MODEL_TEXTS][2] = {{"tokenizer", "text_encoder"},
                                                          {"tokenizer_2", "text_encoder_2"}};
    char *folder;
    enum ebb_result result = model->text[text] ? part_path(model, names[text][0], &folder, error) : EBB_OK;
    if (result != EBB_OK || !model->text[text])
        return result;
    if (!folder)
        return ebb_fail(error, EBB_NOT_FOUND, "%s: a %s folder, and no %s folder beside it",
                        model->files->path, names[text][1], names[text][0]);
    model->tokenizer[text] = ebb_tokenizer_open(folder, error);
    free(folder);
    if (!model->tokenizer[text])
        return error->code;
    int size = ebb_tokenizer_size(model->tokenizer[text]),
        known = ebb_text_encoder_vocabulary(model->text[text]);
    return size <= known ? EBB_OK
                         : ebb_fail(error, EBB_CORRUPT, "%s: its %s has %d tokens, and its %s knows %d",
                                    model->files->path, names[text][0], size, names[text][1], known);
}

static enum ebb_result open_tokenizers(struct ebb_model *model, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < EBB_MODEL_TEXTS; i++)
        if (!model->words_are_classes) // of a model of labels it waits for a prompt
            result = ebb_model_open_tokenizer(model, i, error);
    return result;
}

// ---- mel, scheduler, ebb.json ----

// The picture of Riffusion, and what StableDiffusionPipeline does where nobody says otherwise.
static void take_riffusion(struct ebb_model *model, const int size[2])
{
    enum { SIDE = 512 };
    ebb_mel_params_riffusion(&model->mel, size[0] ? size[0] : SIDE);
    model->info.window_frames = size[1] ? size[1] : SIDE;
    model->high_first = true;
    model->info.guidance = 7.5;
}

// The mel of a vocoder, and the guidance of the pipelines that have one.
static enum ebb_result take_vocoder(struct ebb_model *model, double guidance, int frames,
                                    struct ebb_error *error)
{
    enum { FRAMES = 512 };
    const struct ebb_vocoder *v = model->vocoder;
    if (!v)
        return ebb_fail(error, EBB_NOT_FOUND,
                        "%s: its pipeline has a vocoder, and there is no vocoder folder", model->files->path);
    ebb_mel_params_audioldm(&model->mel, ebb_vocoder_sample_rate(v), ebb_vocoder_hop(v),
                            ebb_vocoder_bands(v));
    model->info.window_frames = frames ? frames : FRAMES;
    model->time_down = true;
    model->info.guidance = guidance;
    return EBB_OK;
}

// Reads the mel's config. Without the file: the class's defaults, with the size that the network was
// trained on.
static enum ebb_result read_mel(struct ebb_model *model, enum ebb_pipeline pipeline, struct ebb_error *error)
{
    const int *trained = ebb_unet_config(model->unet)->sample_size;
    int scale = model->vae ? ebb_autoencoder_reduction(model->vae) : 1, size[2] = {0, 0};
    if (trained[0] <= (1 << 16) / scale && trained[1] <= (1 << 16) / scale) {
        size[0] = trained[0] * scale;
        size[1] = trained[1] * scale;
    }
    struct ebb_mel_config config;
    char *folder;
    enum ebb_result result = part_path(model, "mel", &folder, error);
    if (result == EBB_OK)
        result = ebb_mel_config_read(folder, size, &config, model->files->mel_sum, error);
    free(folder);
    if (result == EBB_OK) {
        model->mel = config.mel;
        model->info.window_frames = config.window_frames;
        if (pipeline == EBB_PIPELINE_STABLE_DIFFUSION)
            take_riffusion(model, size);
        const struct vocoder_row *row = vocoder_row(pipeline);
        if (row)
            result = take_vocoder(model, row->guidance, size[0], error);
    }
    return result;
}

// Network latents = (z - shift) * scaling, unless ebb.json has its own numbers.
static enum ebb_result read_scaling(struct ebb_model *model, struct ebb_error *error)
{
    if (!model->vae)
        return EBB_OK;
    const struct ebb_autoencoder_config *vae = ebb_autoencoder_config(model->vae);
    model->latent_std = (float)(1 / vae->scaling_factor);
    model->latent_mean = ebb_alloc((size_t)vae->latent_channels, sizeof(float));
    for (int i = 0; model->latent_mean && i < vae->latent_channels; i++)
        model->latent_mean[i] = (float)vae->shift_factor;
    return model->latent_mean ? EBB_OK : no_memory(model, error);
}

// A network of AudioDiffusionPipeline that sees states is told them by its user: what made them is in no
// folder.
static void take_encoding(struct ebb_model *model, enum ebb_pipeline pipeline)
{
    bool told = pipeline == EBB_PIPELINE_AUDIO_DIFFUSION && !model->text[0] &&
                !ebb_unet_may_lack_text(model->unet) && !ebb_unet_text_width(model->unet, 1);
    model->info.encoding = told ? ebb_unet_text_width(model->unet, 0) : 0;
}

static void take_scheduler(struct ebb_model *model, const struct ebb_scheduler *read)
{
    struct ebb_model_files *files = model->files;
    files->quirks = read->quirks;
    memcpy(files->unknown, read->unknown, sizeof(files->unknown));
    model->schedule = read->schedule;
    model->run = read->run;
    model->run.quirks = &files->quirks;
    model->info.sampler = read->run.sampler;
    model->info.steps = read->run.steps;
}

static enum ebb_result read_scheduler(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_json_file config;
    struct ebb_scheduler read;
    const int *size = ebb_unet_config(model->unet)->sample_size;
    long long positions = (long long)size[0] * size[1];
    char *folder = ebb_path_join(model->files->path, "scheduler");
    enum ebb_result result = folder ? ebb_json_read_in(&config, folder, "scheduler_config.json",
                                                       model->files->scheduler_sum, error)
                                    : no_memory(model, error);
    free(folder);
    if (result != EBB_OK)
        return result;
    result = ebb_scheduler_read(&config, positions < INT_MAX ? (int)positions : INT_MAX, &read);
    ebb_json_close(&config);
    if (result == EBB_OK)
        take_scheduler(model, &read);
    return result;
}

static enum ebb_result open_manifest(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_model_files *files = model->files;
    char *path;
    enum ebb_result result = part_path(model, "ebb.json", &path, error);
    bool there = path != NULL;
    free(path);
    if (result != EBB_OK)
        return result;
    return there ? ebb_json_read_in(&files->manifest, files->path, "ebb.json", files->manifest_sum, error)
                 : EBB_OK;
}

static enum ebb_result read_manifest(struct ebb_model *model, struct ebb_error *error)
{
    model->classes = ebb_unet_classes(model->unet);
    if (model->files->manifest.root) {
        struct ebb_json j = ebb_json_root(&model->files->manifest);
        ebb_manifest_read(model, &j);
        if (model->files->manifest.result != EBB_OK)
            return model->files->manifest.result;
    }
    if (model->info.label_count == 0 && model->classes)
        return ebb_labels_number(model, error);
    return EBB_OK;
}

static void finish_info(struct ebb_model *model)
{
    struct ebb_model_info *info = &model->info;
    info->sample_rate = model->mel.sample_rate;
    info->hop = model->mel.hop;
    info->n_mels = model->mel.n_mels;
    info->window_samples = info->window_frames * info->hop;
    info->latent = model->vae != NULL;
    info->classifier = model->classifier != NULL;
    for (int i = 0; i < EBB_PARTS; i++)
        if (model->files->network[i])
            info->parameters += ebb_network_parameters(model->files->network[i]);
}

enum ebb_result ebb_model_read(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_model_index index = {0};
    enum ebb_result result = open_manifest(model, error);
    if (result == EBB_OK)
        result = ebb_model_index_read(model->files->path, model->files->manifest.root != NULL, &index, error);
    if (result == EBB_OK)
        result = open_networks(model, &index, error);
    if (result == EBB_OK)
        result = open_tokenizers(model, error);
    if (result == EBB_OK)
        result = read_mel(model, index.pipeline, error);
    if (result == EBB_OK)
        result = read_scaling(model, error);
    if (result == EBB_OK)
        result = read_scheduler(model, error);
    const struct vocoder_row *row = vocoder_row(index.pipeline);
    if (result == EBB_OK && row)
        model->info.steps = row->steps;
    if (result == EBB_OK)
        result = read_manifest(model, error);
    if (result == EBB_OK)
        result = ebb_labels_sort(model, error);
    if (result == EBB_OK)
        take_encoding(model, index.pipeline);
    if (result == EBB_OK)
        result = ebb_model_check(model, error);
    if (result == EBB_OK)
        finish_info(model);
    return result;
}
