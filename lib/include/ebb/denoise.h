// Cleaning a recording: its log-mel is noised to diffusion time t, denoised to 0 under the model, and the change of
// the mel becomes a smooth gain on the recording's own STFT. Phase, level and what the model has no opinion on survive.
#ifndef EBB_DENOISE_H
#define EBB_DENOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/generate.h>
#include <ebb/model.h>

struct ebb_denoise;

#define EBB_T_AUTO (-1.0) // measure the noise and choose t; with most models this asks the network once more per window

struct ebb_denoise_params {
    double t;            // 0 leaves the sound alone, bit for bit; 1 removes all the model can; EBB_T_AUTO. NAN (default): the model's
    double wet;          // 0 (input) .. 1 (cleaned, default)
    int steps;           // network evaluations, 0: as recommended (default)
    const char *sampler; // NULL: as recommended
    uint64_t seed;       // default 0
    bool live;           // small windows: latency under 0.3 s. Default false: larger windows, more context
    ebb_progress progress; // called once per network evaluation; `fraction` is of the current window
    void *user;
};
EBB_API void ebb_denoise_params_default(struct ebb_denoise_params *params);

// A cleaner for audio of any rate (1000..768000 Hz) and 1..64 channels, each channel on its own. `model` is borrowed,
// must outlive it, and is loaded on first use. NULL on failure.
EBB_API struct ebb_denoise *ebb_denoise_create(struct ebb_model *model, const struct ebb_denoise_params *params, int rate,
                                               int channels, struct ebb_error *error);
EBB_API void ebb_denoise_destroy(struct ebb_denoise **denoise);

// At any time all frames but the last so many that went in are ready to be read (algorithm only, not computing time), at
// the caller's rate. Constant for the object's life; output frame k belongs to input frame k.
EBB_API size_t ebb_denoise_latency(const struct ebb_denoise *denoise);

// Takes `frames` frames, channels interleaved; computes whatever windows they complete. NaN and infinities are taken
// as 0. Memory stays bounded as long as the output is read. After a failure (a stop through `progress` too) the denoiser is
// between two states: until it is reset, writing and finishing are EBB_INVALID.
EBB_API enum ebb_result ebb_denoise_write(struct ebb_denoise *denoise, const float *input, size_t frames,
                                          struct ebb_error *error);

// Frames ready to be read.
EBB_API size_t ebb_denoise_available(const struct ebb_denoise *denoise);

// Reads up to `frames` frames, returns how many.
EBB_API size_t ebb_denoise_read(struct ebb_denoise *denoise, float *output, size_t frames);

// No more input: makes all the rest available, so that in total exactly as many frames come out as went in.
EBB_API enum ebb_result ebb_denoise_finish(struct ebb_denoise *denoise, struct ebb_error *error);

// Forgets all audio, as if newly created; settings stay.
EBB_API void ebb_denoise_reset(struct ebb_denoise *denoise);

// Live knobs: take effect from the next window on, joined smoothly. t in [0, 1] or EBB_T_AUTO, wet in [0, 1].
EBB_API enum ebb_result ebb_denoise_set_t(struct ebb_denoise *denoise, double t, struct ebb_error *error);
EBB_API enum ebb_result ebb_denoise_set_wet(struct ebb_denoise *denoise, double wet, struct ebb_error *error);
EBB_API enum ebb_result ebb_denoise_set_steps(struct ebb_denoise *denoise, int steps, struct ebb_error *error);

// The t used last (what auto chose), the input's estimated signal-to-noise ratio in dB (NAN: not measured), and
// the windows computed so far.
EBB_API double ebb_denoise_t(const struct ebb_denoise *denoise);
EBB_API double ebb_denoise_snr(const struct ebb_denoise *denoise);
EBB_API uint64_t ebb_denoise_windows(const struct ebb_denoise *denoise);

#endif
