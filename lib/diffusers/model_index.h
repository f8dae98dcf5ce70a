// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading model_index.json: the folder's pipeline, and its parts.
#ifndef EBB_DIFFUSERS_MODEL_INDEX_H
#define EBB_DIFFUSERS_MODEL_INDEX_H

#include <stdbool.h>

#include <ebb/error.h>

enum ebb_pipeline {
    EBB_PIPELINE_AUDIO_DIFFUSION, // and its like; also where the file names a pipeline that only ebb.json
                                  // explains
    EBB_PIPELINE_STABLE_DIFFUSION,
    EBB_PIPELINE_AUDIOLDM,
    EBB_PIPELINE_MUSICLDM,
    EBB_PIPELINE_AUDIOLDM2,
};

struct ebb_model_index {
    enum ebb_pipeline pipeline;
    bool found;             // there is such a file
    bool autoencoder;       // false: the file excludes an autoencoder, even where the folder has one
    bool needs_autoencoder; // the file names one
};

// Reads the file. A folder without the file may have every part. `any_pipeline`: every pipeline is
// accepted, because ebb.json says what the model is for; otherwise a pipeline that Ebb does not have is
// refused.
enum ebb_result ebb_model_index_read(const char *folder, bool any_pipeline, struct ebb_model_index *index,
                                     struct ebb_error *error);

#endif
