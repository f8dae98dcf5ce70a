#include <ebb/model.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "backend/buffer.h"
#include "base/base.h"
#include "model/file.h"
#include "model/own.h"

// The last folder of a path, for a model that does not say its name.
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static enum ebb_result make_hash(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_model_own *own = model->own;
    struct ebb_sha256 sha;
    ebb_sha256_start(&sha);
    ebb_sha256_add(&sha, own->extras_sum, strlen(own->extras_sum));
    ebb_sha256_add(&sha, own->scheduler_sum, strlen(own->scheduler_sum));
    ebb_sha256_add(&sha, own->mel_sum, strlen(own->mel_sum));
    enum ebb_result result = ebb_network_hash(own->unet, &sha, error);
    if (!result && own->vae)
        result = ebb_network_hash(own->vae, &sha, error);
    if (!result && own->classifier)
        result = ebb_network_hash(own->classifier, &sha, error);
    ebb_sha256_finish(&sha, own->hash);
    return result;
}

static enum ebb_result open_path(struct ebb_model *model, const char *path, struct ebb_error *error)
{
    struct ebb_model_own *own = model->own = ebb_alloc(1, sizeof(*model->own));
    if (!own || !(own->path = realpath(path, NULL)))
        return ebb_fail(error, own ? EBB_NOT_FOUND : EBB_OUT_OF_MEMORY, "%s: %s", path,
                        own ? "there is no such folder" : "no memory");
    if (!ebb_folder_exists(own->path))
        return ebb_fail(error, EBB_WRONG_TYPE, "%s: a file, expected a model folder", own->path);

    model->no_label = -1;
    model->patch[0] = model->patch[1] = 1;
    model->latent_std = 1;
    model->info = (struct ebb_model_info){.name = last_part(own->path), .path = own->path, .hash = own->hash,
                                          .default_label = -1, .guidance = 1, .guidance_to = 1,
                                          .t_default = 0.5};
    enum ebb_result result = ebb_folder_read(model, error);
    return result ? result : make_hash(model, error);
}

struct ebb_model *ebb_model_open(const char *name, struct ebb_error *error)
{
    struct ebb_error local;
    error = error ? error : &local;
    char path[PATH_MAX];
    if (ebb_model_find(name, path, sizeof(path), error))
        return NULL;

    struct ebb_model *model = ebb_alloc(1, sizeof(*model));
    if (!model)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    else if (open_path(model, path, error))
        ebb_model_close(&model);
    return model;
}

static void release_engine(struct ebb_model *model)
{
    if (model->engine_release && model->engine)
        model->engine_release(model->engine);
    model->engine = NULL;
}

static void close_own(struct ebb_model_own *own)
{
    ebb_network_close(&own->unet);
    ebb_network_close(&own->vae);
    ebb_network_close(&own->classifier);
    if (own->extras.root)
        ebb_json_close(&own->extras);
    free(own->numbers);
    free(own->path);
    free(own);
}

void ebb_model_close(struct ebb_model **model)
{
    struct ebb_model *m = model ? *model : NULL;
    if (!m)
        return;
    *model = NULL;
    release_engine(m);
    if (m->own)
        close_own(m->own);
    ebb_device_destroy(&m->device);
    ebb_schedule_destroy(&m->schedule);
    free(m->labels);
    free(m->latent_mean);
    free(m->auto_t.points);
    free(m->auto_doubt.points);
    free(m);
}

enum ebb_result ebb_model_load(struct ebb_model *model, struct ebb_device *device, struct ebb_error *error)
{
    if (model->device == device && model->unet)
        return EBB_OK;

    release_engine(model);
    enum ebb_result result = ebb_network_load(&model->own->unet, device, error);
    if (!result && model->own->vae)
        result = ebb_network_load(&model->own->vae, device, error);
    if (!result && model->own->classifier)
        result = ebb_network_load(&model->own->classifier, device, error);
    if (result)
        return result;

    struct ebb_device *old = model->device;
    model->device = ebb_device_share(device);
    ebb_device_destroy(&old);
    model->unet = model->own->unet->unet;
    model->vae = model->own->vae ? model->own->vae->vae : NULL;
    model->classifier = model->own->classifier ? model->own->classifier->classifier : NULL;
    if (model->own->unknown[0])
        ebb_logf(ebb_device_log(device), EBB_LOG_WARNING, "%s: its scheduler's config has keys unknown here, which are left aside: %s",
                 model->info.path, model->own->unknown);
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
