// A folder on disk -> what it is, checked as a whole.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/file.h"
#include "model/own.h"

// "path/name" if that is there, otherwise NULL. To be freed.
static char *part(const struct ebb_model *model, const char *name)
{
    char *path = ebb_path_join(model->own->path, name);
    if (path && !ebb_file_exists(path)) {
        free(path);
        return NULL;
    }
    return path;
}

static enum ebb_result read_index(struct ebb_model *model, bool extras, bool *vae, struct ebb_error *error)
{
    static const char *const names[] = {"AudioDiffusionPipeline", "LatentAudioDiffusionPipeline", "DDPMPipeline",
                                        "DDIMPipeline", NULL};
    struct ebb_json_file file;
    char *path = part(model, "model_index.json");
    if (!path)
        return EBB_OK;
    free(path);
    enum ebb_result result = ebb_json_read_in(&file, model->own->path, "model_index.json", NULL, error);
    if (result)
        return result;

    struct ebb_json root = ebb_json_root(&file), *j = &root;
    if (!extras)
        ebb_json_choice(j, "_class_name", 0, names);
    // ["library", "Class"]; [null, null] where there is none. The library is nobody's business.
    if (json_array_size(json_object_get(j->object, "vqvae")) == 2 && !ebb_json_has(j, "vae"))
        *vae = !json_is_null(json_array_get(json_object_get(j->object, "vqvae"), 1));
    result = file.result;
    ebb_json_close(&file);
    return result;
}

static enum ebb_result open_networks(struct ebb_model *model, bool vae, struct ebb_error *error)
{
    char *unet = part(model, "unet"), *first = part(model, "vae");
    char *stage = vae ? first ? first : part(model, "vqvae") : NULL;
    if (!unet)
        ebb_fail(error, EBB_WRONG_TYPE, "%s: not a model folder: there is no unet folder in it", model->own->path);
    else
        model->own->unet = ebb_network_open(unet, "UNet2DModel", error);
    if (model->own->unet && stage)
        model->own->vae = ebb_network_open(stage, "AutoencoderKL", error);
    char *classifier = model->own->unet ? part(model, "classifier") : NULL;
    if (classifier)
        model->own->classifier = ebb_network_open(classifier, "EncoderUNet2DModel", error);
    bool good = model->own->unet && (!stage || model->own->vae) && (!classifier || model->own->classifier);
    free(classifier);
    if (stage != first)
        free(stage);
    free(first);
    free(unet);
    return good ? EBB_OK : error->code;
}

// diffusers' Mel; without a file its defaults, at the size the network was trained on.
static enum ebb_result read_mel(struct ebb_model *model, struct ebb_error *error)
{
    char *folder = part(model, "mel");
    struct ebb_json_file file = {0};
    enum ebb_result result = EBB_OK;
    if (folder)
        result = ebb_json_read_in(&file, folder, "mel_config.json", model->own->mel_sum, error);
    free(folder);
    if (result)
        return result;

    struct ebb_json j = {.file = &file, .object = file.root};
    const int *size = ebb_unet_config(model->own->unet->unet)->sample_size;
    int scale = model->own->vae ? ebb_autoencoder_reduction(model->own->vae->vae) : 1;
    bool sized = size[0] && size[1] && size[0] <= (1 << 16) / scale && size[1] <= (1 << 16) / scale;
    struct ebb_mel_params *mel = &model->mel;
    model->info.window_frames = ebb_json_int(&j, "x_res", sized ? size[1] * scale : 256, 1, 1 << 16);
    mel->n_mels = ebb_json_int(&j, "y_res", sized ? size[0] * scale : 256, 1, 1 << 16);
    mel->sample_rate = ebb_json_int(&j, "sample_rate", 22050, 1000, 384000);
    mel->n_fft = ebb_json_int(&j, "n_fft", 2048, 16, 65536);
    mel->hop = ebb_json_int(&j, "hop_length", 512, 1, mel->n_fft);
    mel->fmax = mel->sample_rate / 2.0;
    mel->scale = EBB_MEL_SLANEY;
    mel->norm = EBB_MEL_NORM_SLANEY;
    mel->level = EBB_MEL_LEVEL_DIFFUSERS;
    mel->top_db = ebb_json_number(&j, "top_db", 80, 1, 400);
    result = file.result;
    if (file.root)
        ebb_json_close(&file);
    return result;
}

// Network latent = (z - shift) * scaling, where ebb.json does not say better.
static enum ebb_result read_scaling(struct ebb_model *model, struct ebb_error *error)
{
    if (!model->own->vae)
        return EBB_OK;
    const struct ebb_autoencoder_config *vae = ebb_autoencoder_config(model->own->vae->vae);
    model->latent_std = (float)(1 / vae->scaling_factor);
    model->latent_mean = ebb_alloc((size_t)vae->latent_channels, sizeof(float));
    for (int i = 0; model->latent_mean && i < vae->latent_channels; i++)
        model->latent_mean[i] = (float)vae->shift_factor;
    return model->latent_mean ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", model->own->path);
}

// ---- do the parts go together? ----

static enum ebb_result mismatch(const struct ebb_model *model, struct ebb_error *error, const char *what, int found,
                                int expected)
{
    return ebb_fail(error, EBB_CORRUPT, "%s: %s is %d, expected %d", model->own->path, what, found, expected);
}

static enum ebb_result check_latent(struct ebb_model *model, int height, int width, struct ebb_error *error)
{
    const struct ebb_autoencoder *vae = model->own->vae->vae;
    int shape[3] = {ebb_autoencoder_latent_channels(vae), height, width};
    static const char *const names[3] = {"the latent's channel count", "the latent's height", "the latent's width"};
    if (ebb_autoencoder_in_channels(vae) != 1 || ebb_autoencoder_out_channels(vae) != 1)
        return mismatch(model, error, "the autoencoder's channel count", ebb_autoencoder_out_channels(vae), 1);
    if (model->patch[0] != 1 || model->patch[1] != 1)
        return mismatch(model, error, "the patch of a model with an autoencoder", model->patch[0] * model->patch[1], 1);
    for (int i = 0; i < 3; i++) {
        if (model->state[i] && model->state[i] != shape[i])
            return mismatch(model, error, names[i], model->state[i], shape[i]);
        model->state[i] = shape[i];
    }
    return EBB_OK;
}

static enum ebb_result check_state(struct ebb_model *model, struct ebb_error *error)
{
    const struct ebb_unet *unet = model->own->unet->unet;
    int reduction = model->own->vae ? ebb_autoencoder_reduction(model->own->vae->vae) : 1;
    int rows = model->patch[0] * reduction, columns = model->patch[1] * reduction;
    int height = model->mel.n_mels / rows, width = model->info.window_frames / columns;
    if (model->info.window_frames > INT_MAX / model->mel.hop)
        return ebb_fail(error, EBB_CORRUPT, "%s: a window of %d frames every %d samples, expected at most %d samples in all",
                        model->own->path, model->info.window_frames, model->mel.hop, INT_MAX);
    if (model->mel.n_mels % rows)
        return mismatch(model, error, "mel bands beyond a multiple of what the network folds", model->mel.n_mels % rows, 0);
    if (model->info.window_frames % columns)
        return mismatch(model, error, "window frames beyond a multiple of what the network folds",
                        model->info.window_frames % columns, 0);
    model->state_stride = columns;

    if (model->own->vae) {
        enum ebb_result result = check_latent(model, height, width, error);
        if (result)
            return result;
    } else {
        model->state[0] = model->patch[0] * model->patch[1];
        model->state[1] = height;
        model->state[2] = width;
        // A bare network of another domain (three colours) still runs; only sound cannot be made of it.
        if (!model->own->extras.root)
            model->state[0] = ebb_unet_in_channels(unet);
    }
    int inputs = model->state[0] * (model->conditioned ? 2 : 1), multiple = ebb_unet_multiple(unet);
    if (ebb_unet_in_channels(unet) != inputs)
        return mismatch(model, error, "\"in_channels\" of the U-Net", ebb_unet_in_channels(unet), inputs);
    if (ebb_unet_out_channels(unet) != model->state[0])
        return mismatch(model, error, "\"out_channels\" of the U-Net", ebb_unet_out_channels(unet), model->state[0]);
    if (model->state[1] % multiple || model->state[2] % multiple)
        return ebb_fail(error, EBB_CORRUPT, "%s: the U-Net works on %d x %d, expected multiples of %d", model->own->path,
                        model->state[1], model->state[2], multiple);
    return EBB_OK;
}

// The classifier speaks of the model's labels, in their order, and sees the model's states.
static enum ebb_result check_classifier(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_network *network = model->own->classifier;
    if (!network)
        return EBB_OK;
    const struct ebb_classifier *c = network->classifier;
    int labels = ebb_classifier_labels(c), multiple = ebb_classifier_multiple(c);
    if (labels != model->info.label_count)
        return mismatch(model, error, "the number of labels of its classifier", labels, model->info.label_count);
    if (ebb_classifier_in_channels(c) != model->state[0])
        return mismatch(model, error, "\"in_channels\" of its classifier", ebb_classifier_in_channels(c), model->state[0]);
    if (model->state[1] % multiple || model->state[2] % multiple)
        return ebb_fail(error, EBB_CORRUPT, "%s: its classifier works on %d x %d, expected multiples of %d", model->own->path,
                        model->state[1], model->state[2], multiple);

    json_t *names = json_object_get(network->config.root, "labels");
    for (int i = 0; names && i < labels; i++) {
        const char *name = json_string_value(json_array_get(names, (size_t)i));
        if (!name || strcmp(name, model->labels[i].name) != 0)
            return ebb_fail(error, EBB_CORRUPT, "%s: label %d of its classifier is \"%.60s\", expected \"%.60s\"",
                            network->config.path, i, name ? name : "", model->labels[i].name);
    }
    return EBB_OK;
}

static enum ebb_result read_extras(struct ebb_model *model, struct ebb_error *error)
{
    model->classes = ebb_unet_classes(model->own->unet->unet);
    if (model->own->extras.root) {
        struct ebb_json j = ebb_json_root(&model->own->extras);
        ebb_extras_read(model, &j);
        if (model->own->extras.result)
            return model->own->extras.result;
    }
    if (model->info.label_count == 0 && model->classes)
        return ebb_labels_number(model, error);
    return EBB_OK;
}

static void finish_info(struct ebb_model *model)
{
    const struct ebb_network *unet = model->own->unet, *vae = model->own->vae, *classifier = model->own->classifier;
    struct ebb_model_info *info = &model->info;
    info->sample_rate = model->mel.sample_rate;
    info->hop = model->mel.hop;
    info->n_mels = model->mel.n_mels;
    info->window_samples = info->window_frames * info->hop;
    info->latent = vae != NULL;
    info->classifier = classifier != NULL;
    info->parameters = ebb_weights_count(ebb_network_weights(unet)) + (vae ? ebb_weights_count(ebb_network_weights(vae)) : 0) +
                       (classifier ? ebb_weights_count(ebb_network_weights(classifier)) : 0);
}

enum ebb_result ebb_folder_read(struct ebb_model *model, struct ebb_error *error)
{
    char *extras = part(model, "ebb.json"), *scheduler = NULL;
    bool vae = true, has_extras = extras != NULL;
    enum ebb_result result = EBB_OK;
    free(extras);
    if (has_extras)
        result = ebb_json_read_in(&model->own->extras, model->own->path, "ebb.json", model->own->extras_sum, error);
    if (!result)
        result = read_index(model, has_extras, &vae, error);
    if (!result)
        result = open_networks(model, vae, error);
    if (!result)
        result = read_mel(model, error);
    if (!result)
        result = read_scaling(model, error);
    if (!result && !(scheduler = ebb_path_join(model->own->path, "scheduler")))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", model->own->path);
    if (!result)
        result = ebb_scheduler_read(model, scheduler, error);
    free(scheduler);
    if (!result)
        result = read_extras(model, error);
    if (!result)
        result = check_state(model, error);
    if (!result)
        result = check_classifier(model, error);
    if (!result)
        finish_info(model);
    return result;
}
