// One sound: noise -> reverse diffusion -> (autoencoder) -> mel -> waveform.
#ifndef EBB_GENERATE_H
#define EBB_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/model.h>
#include <ebb/sampler.h>

// Told how far a call is, 0..1, at least once per network evaluation, from the calling thread. Return false to stop:
// the call then returns EBB_CANCELLED within one network evaluation.
typedef bool (*ebb_progress)(void *user, double fraction);

enum ebb_noise_source {
    EBB_NOISE_PHILOX, // ours: counter-based, the same bits on every device, batch and order
    EBB_NOISE_TORCH,  // torch.Generator("cpu").manual_seed(seed): for comparison with diffusers
};

// One state of the chain, as the mel a sound would be made of (models with an autoencoder: decoded, which costs a
// decoding per step). Row-major (n_mels, frames), row 0 the lowest band; values may leave [-1, 1] while there is noise.
struct ebb_generate_step {
    int step, steps; // 0: the noise it starts from; steps: the result
    double abar;     // signal power of the state: x ~ sqrt(abar) x_0 + sqrt(1 - abar) eps
    const float *mel;
    int n_mels, frames;
    const float *latents; // the state itself, (1, c, h, w) row-major
    int shape[4];
};

// Sees the chain from the calling thread. Return false to stop, as for ebb_progress.
typedef bool (*ebb_watch)(void *user, const struct ebb_generate_step *step);

enum { EBB_MIX_LABELS = 7 };

// A model may hold a student distilled from it (ebb_model_info.student_steps), which needs few evaluations and has guidance
// in its answers. Nothing else can be asked of it: no other sampler, steps or guidance, no mixture, nothing to guide away from.
enum ebb_student {
    EBB_STUDENT_OPEN, // it makes the sound if there is one and all of those are left open; joins of long sounds never
    EBB_STUDENT_NO,
    EBB_STUDENT_YES,  // EBB_UNSUPPORTED where there is none, EBB_INVALID with settings it does not know
};

struct ebb_generate_params {
    int label;           // index, -1: none. Default: -1
    uint64_t seed;       // default 0
    uint64_t to_seed;    // with share > 0: the other end of a path of sounds from `seed`. Default 0
    double share;        // where on that path, 0 (default, seed alone) .. 1 (to_seed alone): each draw of noise lies on the
                         // arc between those of the two seeds; phases and grain are those of the nearer one
    uint64_t index;      // clip `index` of this seed depends on (seed, index) alone. Default 0
    double seconds;      // length; 0: one network window. Longer than a window: windows that agree where they overlap
    int steps;           // sampler steps, 1..1000; 0: what the model recommends (default)
    const char *sampler; // a name from ebb_sampler_next(); NULL: what the model recommends
    enum ebb_student student; // default EBB_STUDENT_OPEN
    double guidance;     // eps_u + g (eps_c - eps_u): 1 = none, 0 = unconditional; NAN (default): as recommended for the
                         // label, for a mixture the mean of its labels' by their shares
    double guidance_from, guidance_to; // it acts at diffusion times within these, 0..1 (Kynkaanniemi 2024). NAN (default):
                                       // both as recommended; next to a number: 0 and 1
    double guidance_rescale; // 0..1: brings the guided deviation back (Lin 2023). Default 0
    double classifier_guidance; // by the model's classifier, beside or instead of `guidance`: eps - g sigma grad log p(label | x_t)
                             // (Dhariwal 2021), within the same times; 0..1000. Default 0: off. EBB_UNSUPPORTED without one
    int negative;            // label to guide away from, -1 (default): no label
    int mix_count;           // > 0: instead of `label`, a mixture of so many, at most EBB_MIX_LABELS
    struct ebb_mix {
        int label;
        double share; // 0 or more, not all 0
    } mix[EBB_MIX_LABELS];
    double eta;          // fresh noise per step where the sampler has it, 0..1. Default EBB_ETA_OWN: the sampler's own
    struct ebb_tuning tuning;
    struct ebb_counts *counts; // NULL (default); otherwise what the last window of the sound took is written there
    enum ebb_noise_source noise;
    int phase_iterations; // Griffin-Lim iterations, 0..1000; -1 (default): 16
    ebb_progress progress;
    ebb_watch watch; // NULL (default): not watched. Sounds of one window only
    void *user;      // given to both
};
EBB_API void ebb_generate_params_default(struct ebb_generate_params *params);

// Fills in what is left open, as ebb_generate() would: whether the student makes it (with EBB_STUDENT_OPEN), sampler, steps,
// guidance and its times, phase_iterations. Params so settled are valid and make the same sound as before. Where they are not
// valid, the error of ebb_generate(), and they stay as they are. The model need not be loaded.
EBB_API enum ebb_result ebb_generate_settle(const struct ebb_model *model, struct ebb_generate_params *params,
                                            struct ebb_error *error);

// Samples ebb_generate() makes with these params, mono at the model's rate; 0 if they are not valid.
EBB_API size_t ebb_generate_length(const struct ebb_model *model, const struct ebb_generate_params *params);

// Makes one sound, its peak at -1 dB at most. `samples` holds ebb_generate_length() floats, mono, owned by the caller; undefined unless the
// result is EBB_OK. The model must be loaded. One call at a time per model.
EBB_API enum ebb_result ebb_generate(struct ebb_model *model, const struct ebb_generate_params *params, float *samples,
                                     size_t count, struct ebb_error *error);

// The loop's last state for researchers, before decoding and clamping: (1, c, h, w) row-major as PyTorch has it.
// `shape` receives the four sizes. Call with latents NULL to ask for the shape alone.
EBB_API enum ebb_result ebb_generate_latents(struct ebb_model *model, const struct ebb_generate_params *params,
                                             float *latents, size_t count, int shape[4], struct ebb_error *error);

// Latents like those as the mel a sound would be made of: row-major (n_mels, window_frames), row 0 the lowest band; noisy
// ones too. Loads the model if needed; one call at a time per model.
EBB_API enum ebb_result ebb_generate_mel(struct ebb_model *model, const float *latents, size_t count, float *mel,
                                         size_t mel_count, struct ebb_error *error);

#endif
