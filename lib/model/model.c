// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/model.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "backend/device.h"
#include "base/base.h"
#include "base/file.h"
#include "model/hub_cache.h"
#include "model/model_files.h"
#include "model/workspace.h"
#include "text/tokenizer.h"

// A file of the tokenizer's folder, if it is there.
static enum ebb_result add_file(struct ebb_sha256 *sha, const char *folder, const char *name,
                                struct ebb_error *error)
{
    const size_t most = 64 << 20; // as the tokenizer reads them
    size_t size = 0;
    char *path = ebb_path_join(folder, name);
    if (!path)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    bool there = ebb_file_exists(path);
    char *data = there ? ebb_file_load(path, most, &size, error) : NULL;
    if (data) {
        ebb_sha256_add(sha, name, strlen(name));
        ebb_sha256_add(sha, data, size);
    }
    enum ebb_result result = data || !there ? EBB_OK : error->code;
    free(data);
    free(path);
    return result;
}

static enum ebb_result add_tokenizer(const struct ebb_model *model, const char *part, struct ebb_sha256 *sha,
                                     struct ebb_error *error)
{
    static const char *const names[] = {"tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "tokenizer.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "spiece.model"};
    char *folder = ebb_path_join(model->files->path, part);
    enum ebb_result result = folder ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a hash");
    for (size_t i = 0; result == EBB_OK && i < sizeof(names) / sizeof(names[0]); i++)
        result = add_file(sha, folder, names[i], error);
    free(folder);
    return result;
}

static enum ebb_result make_hash(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_model_files *files = model->files;
    struct ebb_sha256 sha;
    ebb_sha256_start(&sha);
    ebb_sha256_add(&sha, files->manifest_sum, strlen(files->manifest_sum));
    ebb_sha256_add(&sha, files->scheduler_sum, strlen(files->scheduler_sum));
    ebb_sha256_add(&sha, files->mel_sum, strlen(files->mel_sum));
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < EBB_PARTS; i++)
        if (files->network[i])
            result = ebb_network_hash(files->network[i], &sha, error);
    for (int i = 0; i < EBB_MODEL_TEXTS && result == EBB_OK; i++)
        if (model->text[i])
            result = add_tokenizer(model, i ? "tokenizer_2" : "tokenizer", &sha, error);
    ebb_sha256_finish(&sha, files->hash);
    return result;
}

static enum ebb_result open_path(struct ebb_model *model, const char *path, struct ebb_error *error)
{
    struct ebb_model_files *files = model->files = ebb_alloc(1, sizeof(*files));
    if (!files || !(files->path = realpath(path, NULL)))
        return ebb_fail(error, files ? EBB_NOT_FOUND : EBB_OUT_OF_MEMORY, "%s: %s", path,
                        files ? "there is no such folder" : "no memory");
    if (!ebb_folder_exists(files->path))
        return ebb_fail(error, EBB_WRONG_TYPE, "%s: a file, expected a model folder", files->path);
    if (!(files->name = ebb_hub_model_name(files->path)))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", files->path);

    model->no_label = -1;
    model->patch[0] = model->patch[1] = 1;
    model->latent_std = 1;
    model->silence = -1;
    model->info = (struct ebb_model_info){.name = files->name,
                                          .path = files->path,
                                          .hash = files->hash,
                                          .default_label = -1,
                                          .guidance = 1,
                                          .guidance_to = 1,
                                          .t_default = 0.5};
    enum ebb_result result = ebb_model_read(model, error);
    return result == EBB_OK ? make_hash(model, error) : result;
}

struct ebb_model *ebb_model_open(const char *name, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    char path[PATH_MAX];
    if (ebb_model_find(name, path, sizeof(path), error) != EBB_OK)
        return NULL;

    struct ebb_model *model = ebb_alloc(1, sizeof(*model));
    if (!model)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    else if (open_path(model, path, error) != EBB_OK)
        ebb_model_close(&model);
    return model;
}

static void close_files(struct ebb_model_files *files)
{
    for (int i = 0; i < EBB_PARTS; i++)
        ebb_network_close(&files->network[i]);
    ebb_json_close(&files->manifest);
    free(files->numbers);
    free(files->sorted);
    free(files->prompts);
    free(files->path);
    free(files->name);
    free(files);
}

void ebb_model_close(struct ebb_model **model)
{
    struct ebb_model *m = model ? *model : NULL;
    if (!m)
        return;
    *model = NULL;
    ebb_workspace_destroy(&m->workspace);
    if (m->files)
        close_files(m->files);
    ebb_device_destroy(&m->device);
    ebb_schedule_destroy(&m->schedule);
    for (int i = 0; i < EBB_MODEL_TEXTS; i++)
        ebb_tokenizer_destroy(&m->tokenizer[i]);
    free(m->labels);
    free(m->latent_mean);
    free(m->auto_t.points);
    free(m->auto_doubt.points);
    free(m->auto_unsure.points);
    free(m->auto_voice.points);
    free(m);
}

// The text encoder of a model of labels waits for a prompt.
static bool waits(const struct ebb_model *model, int part)
{
    return part == EBB_PART_TEXT && model->words_are_classes;
}

enum ebb_result ebb_model_load_words(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_network **network = &model->files->network[EBB_PART_TEXT];
    if (!waits(model, EBB_PART_TEXT))
        return EBB_OK;
    enum ebb_result result = model->tokenizer[0] ? EBB_OK : ebb_model_open_tokenizer(model, 0, error);
    if (result == EBB_OK)
        result = ebb_network_load(network, model->device, error);
    const struct ebb_text_encoder *text = ebb_network_text(*network);
    if (model->text[0] != text) // another model's, of the same files
        model->text[0] = text;
    return result;
}

static enum ebb_result load_networks(struct ebb_model *model, struct ebb_device *device,
                                     struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < EBB_PARTS; i++)
        if (model->files->network[i] && !waits(model, i))
            result = ebb_network_load(&model->files->network[i], device, error);
    ebb_model_take_networks(model); // also after a failure: loading may have replaced some networks
    return result;
}

static enum ebb_result load_somewhere(struct ebb_model *model, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_device *device = ebb_device_create(NULL, 0, NULL, error);
    enum ebb_result result = device ? ebb_model_load(model, device, error) : error->code;
    ebb_device_destroy(&device); // the model keeps a reference of its own
    return result;
}

enum ebb_result ebb_model_load(struct ebb_model *model, struct ebb_device *device, struct ebb_error *error)
{
    if (model->device && (model->device == device || !device))
        return EBB_OK;
    if (!device)
        return load_somewhere(model, error);

    ebb_workspace_destroy(&model->workspace);
    enum ebb_result result = load_networks(model, device, error);
    if (result != EBB_OK)
        return result;

    struct ebb_device *old = model->device;
    // An element settles recipes while its model loads: what settling reads of the device is whole by now.
    __atomic_store_n(&model->device, ebb_device_share(device), __ATOMIC_RELEASE);
    ebb_device_destroy(&old);
    if (model->files->unknown[0])
        ebb_logf(ebb_device_log(device), EBB_LOG_WARNING,
                 "%s: the scheduler's config has unknown keys, which are ignored: %s", model->info.path,
                 model->files->unknown);
    return EBB_OK;
}

const struct ebb_device *ebb_model_device(const struct ebb_model *model)
{
    return model->device;
}

const struct ebb_model_info *ebb_model_info(const struct ebb_model *model)
{
    return &model->info;
}

void ebb_model_mel(const struct ebb_model *model, struct ebb_mel_params *params)
{
    *params = model->mel;
}
