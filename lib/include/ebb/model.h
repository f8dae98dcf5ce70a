// SPDX-License-Identifier: LGPL-2.1-or-later
// Models. A model is a folder in diffusers' layout: model_index.json, or unet/ and scheduler/; also vae/ or
// vqvae/, and mel/, where the model has them. Weights are safetensors or PyTorch's files. ebb.json adds
// labels, mel, recommended settings, licence and checksums. A folder without ebb.json is a model that
// generates: it has diffusers' Mel with its defaults, classes named "0", "1", ..., and its scheduler's own
// sampler.
#ifndef EBB_MODEL_H
#define EBB_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>

EBB_BEGIN_DECLS

struct ebb_model;
struct ebb_recipe; // recipe.h

enum ebb_model_kind { EBB_MODEL_GENERATE, EBB_MODEL_DENOISE };

enum ebb_label_kind {
    EBB_LABEL_EVENT,   // the sound starts and dies away: clips are separate
    EBB_LABEL_TEXTURE, // the sound goes on: clips are joined without a seam
};

// One of a model's labels. Owned by the model.
struct ebb_label {
    const char *name;
    enum ebb_label_kind kind;
    float score;      // share of generated clips that a judge network recognised, 0..1; < 0: not measured
    const char *note; // a warning, such as "often sounds like wind"; NULL: none
    double guidance;  // recommended for this label, 1 = none; the model's where the label has none of its own
    const char *prompt; // the words that it stands for, of a model that is asked in words; NULL: it is a
                        // class
    const char *const *prompts; // what its sounds were called when the model learned, the most frequent first
    int prompt_count;           // 0: not stated
};

// Facts about a model and its recommended settings. The model owns the strings; only those that say so may
// be NULL.
struct ebb_model_info {
    enum ebb_model_kind kind;
    const char *name;                  // "sfx"
    const char *path;                  // the folder it was opened from
    const char *hash;                  // SHA-256 over the weights and configs, 64 hex digits
    int sample_rate;                   // Hz
    int hop;                           // samples per mel frame
    int n_mels;                        // mel bands
    int window_frames;                 // frames of one network window
    int window_samples;                // samples of one network window
    int label_count;                   // 0: unconditional
    int default_label;                 // index, -1: none
    bool latent;                       // has an autoencoder: the state is latents, otherwise the mel itself
    bool classifier;                   // has a classifier, for classifier guidance
    const char *sampler;               // recommended, a name from ebb_sampler_next()
    int steps;                         // recommended
    double guidance;                   // recommended, 1 = none; see also struct ebb_label
    double guidance_from, guidance_to; // recommended diffusion times between which guidance acts
    int student_steps;                 // network evaluations of the student, 0: the model has none
    double t_default;                  // denoise: recommended t
    uint64_t parameters;               // weights in all networks
    const char *licence;               // NULL: not stated
    const char *credit;                // NULL: none asked for
    const char *provenance;            // NULL: not stated
    bool prompt;                       // it is asked in words: settings prompt, negative-prompt, to-prompt
    int encoding;                      // asked by the setting encoding: numbers of a token; 0: it is not
};

// Finds a model folder and writes its path. A `name` that holds a '/', or is a folder with a model in it,
// is the path itself. Any other is looked for in the folders of EBB_MODEL_PATH, in
// $XDG_DATA_HOME/ebb/models (by default ~/.local/share/ebb/models), in the folders
// $XDG_DATA_DIRS/ebb/models, and in the folder that Ebb was built with, in this order. EBB_NOT_FOUND names
// all of these places.
//
// "org/name" and "models--org--name" that are no folders are looked for in the cache of Hugging Face's
// libraries: HF_HUB_CACHE, or hub below HF_HOME, or $XDG_CACHE_HOME/huggingface/hub. Nothing is downloaded;
// EBB_NOT_FOUND lists what is there. A folder models--org--name stands for its snapshot.
EBB_API enum ebb_result ebb_model_find(const char *name, char *path, size_t size, struct ebb_error *error);

// Opens a model by name or path. Reads and checks every config and the headers of the weights, which takes
// a few milliseconds. Where ebb.json does not state the checksums of the weights, the weights are read once
// for the hash. ebb_model_load() or the first use loads the weights. NULL on failure.
EBB_API struct ebb_model *ebb_model_open(const char *name, struct ebb_error *error);
EBB_API void ebb_model_close(struct ebb_model **model);

// Loads the model on `device`: reads the weights, checks their checksums and that every value is finite,
// and plans the networks. The model keeps a reference to the device. Models of the same folder on the same
// device share one copy of the weights. Loading the model again on another device moves it there. NULL as
// `device` is the one that it is on, or the one that "auto" chooses. Any thread, one call at a time per
// model.
EBB_API enum ebb_result ebb_model_load(struct ebb_model *model, struct ebb_device *device,
                                       struct ebb_error *error);

// Settles a recipe: every setting that it leaves open gets the value that this model recommends. Also
// records the model, its hash, the versions, licence and credit, and the device once the model is loaded.
// The settled recipe makes the same sound as the open one, even after the model's recommendations change. A
// model that generates takes recipes of generate, stream and edit, a model that denoises those of denoise.
// Where a setting does not fit the model, the error names the setting and the recipe stays unchanged. The
// model need not be loaded.
EBB_API enum ebb_result ebb_model_settle(const struct ebb_model *model, struct ebb_recipe *recipe,
                                         struct ebb_error *error);

// The device of the model, owned by the model; NULL before the model is loaded. A model that does not fit
// on the GPU that "auto" chose moves to the CPU on first use; ebb_device_fallback() of this device then
// gives the reason.
EBB_API const struct ebb_device *ebb_model_device(const struct ebb_model *model);

// Facts about the model, owned by it. Valid until it is closed.
EBB_API const struct ebb_model_info *ebb_model_info(const struct ebb_model *model);

// What a sound of one window costs. Nothing of it is measured: the networks' definitions say it, whatever the
// method by which a device computes them.
struct ebb_model_cost {
    double evaluation;    // multiply-adds of one evaluation of the U-Net; guidance takes two a step
    double after;         // multiply-adds of the autoencoder's decoder and of the vocoder, once a sound
    double weight_bytes;  // of all networks, as they are held: matrices in the numbers of their files
    double working_bytes; // of what the networks keep between their layers, for one evaluation
    double reserved[4];   // for what is to come
};
// Fills `cost`, of a model that need not be loaded. It fails for lack of memory alone.
EBB_API enum ebb_result ebb_model_cost(const struct ebb_model *model, struct ebb_model_cost *cost,
                                       struct ebb_error *error);

// Label `index`, 0..label_count-1; NULL outside. Owned by the model.
EBB_API const struct ebb_label *ebb_model_label(const struct ebb_model *model, int index);

// Index of a label by name; -1 with an error that offers near names.
EBB_API int ebb_model_find_label(const struct ebb_model *model, const char *name, struct ebb_error *error);

EBB_END_DECLS

#endif
