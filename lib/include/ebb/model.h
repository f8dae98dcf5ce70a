// A model: a folder in diffusers layout (model_index.json or unet/ + scheduler/ [+ vae/ | vqvae/] [+ mel/]) with
// weights in safetensors, and our extras in ebb.json (labels, mel, recommended settings, licence, sums). A folder without
// ebb.json is a generator: diffusers' Mel with its defaults, classes named "0", "1", ..., its scheduler's own sampler.
#ifndef EBB_MODEL_H
#define EBB_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>

struct ebb_model;

enum ebb_model_kind { EBB_MODEL_GENERATE, EBB_MODEL_DENOISE };

enum ebb_label_kind {
    EBB_LABEL_EVENT,   // starts, dies away: separate clips
    EBB_LABEL_TEXTURE, // steady: joined without a seam
};

struct ebb_label {
    const char *name;
    enum ebb_label_kind kind;
    float score;      // share of generated clips a judge recognised, 0..1; < 0: not measured
    const char *note; // what to know before relying on it; NULL: nothing
    double guidance;  // recommended for it, 1 = none; the model's own where it says nothing of this label
};

// What a model is and recommends. Strings are owned by the model, never NULL unless said.
struct ebb_model_info {
    enum ebb_model_kind kind;
    const char *name;        // "sfx"
    const char *path;        // the folder it was opened from
    const char *hash;        // SHA-256 over the weights and configs, 64 hex digits
    int sample_rate;         // Hz
    int hop;                 // samples per mel frame
    int n_mels;              // mel bands
    int window_frames;       // frames of one network window
    int window_samples;      // samples of one network window
    int label_count;         // 0: unconditional
    int default_label;       // index, -1: none
    bool latent;             // diffuses in an autoencoder's space
    bool classifier;         // has one for classifier guidance
    const char *sampler;     // recommended, a name from ebb_sampler_next()
    int steps;               // recommended
    double guidance;         // recommended, 1 = none; struct ebb_label may say otherwise of a label
    double guidance_from, guidance_to; // recommended diffusion times within which it acts
    int student_steps;       // network evaluations of the distilled student, 0: the model has none
    double t_default;        // denoise: recommended t
    uint64_t parameters;     // weights in all networks
    const char *licence;     // NULL: not stated
    const char *credit;      // NULL: none asked for
    const char *provenance;  // NULL: not stated
};

// Finds a model folder: `name` itself if it holds a '/' or is a folder with a model in it, then each folder of
// EBB_MODEL_PATH, user data ($XDG_DATA_HOME/ebb/models, ~/.local/share by default), system data
// ($XDG_DATA_DIRS/ebb/models), the compiled-in folder. Writes the path. EBB_NOT_FOUND names every place that was looked at.
EBB_API enum ebb_result ebb_model_find(const char *name, char *path, size_t size, struct ebb_error *error);

// Opens a model by name or path: reads and checks every config and the weights' headers, a few milliseconds (where
// ebb.json does not state the sums of the weights, the files are also read once for the hash). Weights are loaded by
// ebb_model_load() or on first use. NULL on failure.
EBB_API struct ebb_model *ebb_model_open(const char *name, struct ebb_error *error);
EBB_API void ebb_model_close(struct ebb_model **model);

// Reads and checks the weights (sums, finite values) and plans the networks on `device`, which the model then refers
// to. Models opened from the same folder on the same device share one copy of the weights. Loading again on another
// device moves the model. Any thread, one call at a time per model.
EBB_API enum ebb_result ebb_model_load(struct ebb_model *model, struct ebb_device *device, struct ebb_error *error);

// The device the model is on, NULL before it is loaded. A model that turns out not to fit on the GPU that "auto" chose goes to
// the CPU on first use: then this is not the device it was loaded on, and ebb_device_fallback() says why. Owned by the model.
EBB_API const struct ebb_device *ebb_model_device(const struct ebb_model *model);

EBB_API const struct ebb_model_info *ebb_model_info(const struct ebb_model *model);

// The mel that the model sees, for ebb_mel_create() (audio.h).
struct ebb_mel_params;
EBB_API void ebb_model_mel(const struct ebb_model *model, struct ebb_mel_params *params);

// Label `index`, 0..label_count-1; NULL outside. Owned by the model.
EBB_API const struct ebb_label *ebb_model_label(const struct ebb_model *model, int index);

// Index of a label by name; -1 with an error that offers near names.
EBB_API int ebb_model_find_label(const struct ebb_model *model, const char *name, struct ebb_error *error);

#endif
