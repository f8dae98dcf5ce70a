// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/model_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/file.h"
#include "base/json.h"

// A part is ["library", "Class"], or [null, null] where there is none. The library is nobody's business.
static bool is_pair(const struct ebb_json *j, const char *part)
{
    return ebb_json_is_list(j, part) && ebb_json_count(j, part) == 2;
}

static bool denied(const struct ebb_json *j, const char *part)
{
    return is_pair(j, part) && !ebb_json_string_at(j, part, 1);
}

static bool named(const struct ebb_json *j, const char *part)
{
    return is_pair(j, part) && ebb_json_string_at(j, part, 1);
}

static const char *const names[] = {"AudioDiffusionPipeline",
                                    "LatentAudioDiffusionPipeline",
                                    "DDPMPipeline",
                                    "DDIMPipeline",
                                    "StableDiffusionPipeline",
                                    "AudioLDMPipeline",
                                    "MusicLDMPipeline",
                                    "AudioLDM2Pipeline",
                                    NULL};
static const enum ebb_pipeline pipelines[] = {
    EBB_PIPELINE_AUDIO_DIFFUSION, EBB_PIPELINE_AUDIO_DIFFUSION,  EBB_PIPELINE_AUDIO_DIFFUSION,
    EBB_PIPELINE_AUDIO_DIFFUSION, EBB_PIPELINE_STABLE_DIFFUSION, EBB_PIPELINE_AUDIOLDM,
    EBB_PIPELINE_MUSICLDM,        EBB_PIPELINE_AUDIOLDM2,
};

static void read(const struct ebb_json *j, bool any_pipeline, struct ebb_model_index *index)
{
    index->found = true;
    const char *name = ebb_json_string(j, "_class_name", "");
    int known = any_pipeline ? 0 : ebb_json_choice(j, "_class_name", 0, names);
    for (int i = 0; names[i] && any_pipeline; i++)
        known = strcmp(name, names[i]) == 0 ? i : known;
    index->pipeline = pipelines[known];
    if (denied(j, "vqvae") && !ebb_json_has(j, "vae"))
        index->autoencoder = false;
    index->needs_autoencoder = named(j, "vae") || named(j, "vqvae");
}

enum ebb_result ebb_model_index_read(const char *folder, bool any_pipeline, struct ebb_model_index *index,
                                     struct ebb_error *error)
{
    struct ebb_json_file file;
    *index = (struct ebb_model_index){.autoencoder = true};
    if (!ebb_file_is_in(folder, "model_index.json"))
        return EBB_OK;
    enum ebb_result result = ebb_json_read_in(&file, folder, "model_index.json", NULL, error);
    if (result != EBB_OK)
        return result;

    struct ebb_json j = ebb_json_root(&file);
    read(&j, any_pipeline, index);
    result = file.result;
    ebb_json_close(&file);
    return result;
}
