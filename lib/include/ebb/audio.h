// Sound files, spectrograms and back. Everything mono or interleaved float32 in [-1, 1]; spectrograms are row-major
// (rows, frames) with row 0 the lowest frequency.
#ifndef EBB_AUDIO_H
#define EBB_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

// ---- sound files ----

struct ebb_sound {
    float *samples; // frames * channels, interleaved; owned by the sound
    size_t frames;
    int channels;
    int rate;      // Hz
    char *comment; // the file's comment field (our recipe is JSON there); NULL: none; owned by the sound
};

// Reads a whole file (WAV, FLAC, Ogg, whatever libsndfile reads; "-": standard input) into `sound` (overwritten).
// EBB_CORRUPT: no samples at all, fewer than its header promises, NaN or infinite ones.
EBB_API enum ebb_result ebb_sound_read(const char *path, struct ebb_sound *sound, struct ebb_error *error);
EBB_API void ebb_sound_clear(struct ebb_sound *sound);

enum ebb_wav_format { EBB_WAV_16, EBB_WAV_24, EBB_WAV_32F };

// Writes a WAV: to a temporary name beside `path`, renamed when complete, so that a half file never appears.
// 16 bit is dithered (TPDF, always the same noise: the same samples give the same file) except where a sample is exactly
// a 16-bit value, so that silence and 16-bit sounds pass unchanged; values outside [-1, 1] are clipped in 16 and 24
// bit. `comment` may be NULL.
EBB_API enum ebb_result ebb_sound_write(const char *path, const struct ebb_sound *sound, enum ebb_wav_format format,
                                        struct ebb_error *error);

// ---- sound files piece by piece, in bounded memory ----

struct ebb_sound_reader;
struct ebb_sound_writer;

struct ebb_sound_info {
    size_t frames; // as the header claims; SIZE_MAX: unknown (a stream that was never closed)
    int channels;
    int rate;                   // Hz
    enum ebb_wav_format format; // the one of ours that holds the file's samples without loss (64-bit float: nearest)
    const char *comment;        // owned by the reader; NULL: none
};

// Opens a sound file for reading; "-" is standard input, which may be a pipe. NULL on failure.
EBB_API struct ebb_sound_reader *ebb_sound_reader_open(const char *path, struct ebb_error *error);
EBB_API void ebb_sound_reader_close(struct ebb_sound_reader **reader);
EBB_API const struct ebb_sound_info *ebb_sound_reader_info(const struct ebb_sound_reader *reader);

// Reads up to `frames` frames, channels interleaved. `*got` < frames only at the end. NaN and infinities are EBB_CORRUPT.
EBB_API enum ebb_result ebb_sound_reader_read(struct ebb_sound_reader *reader, float *samples, size_t frames, size_t *got,
                                              struct ebb_error *error);

// Starts a WAV under a temporary name beside `path`, or on standard output for "-". Dither and clipping as in
// ebb_sound_write(). Past 4 GiB it is an RF64.
// `comment` may be NULL and is copied. NULL on failure.
EBB_API struct ebb_sound_writer *ebb_sound_writer_create(const char *path, int channels, int rate,
                                                         enum ebb_wav_format format, const char *comment,
                                                         struct ebb_error *error);
EBB_API enum ebb_result ebb_sound_writer_write(struct ebb_sound_writer *writer, const float *samples, size_t frames,
                                               struct ebb_error *error);

// Completes the file and gives it its name. What is destroyed without this leaves no file.
EBB_API enum ebb_result ebb_sound_writer_finish(struct ebb_sound_writer *writer, struct ebb_error *error);
EBB_API void ebb_sound_writer_destroy(struct ebb_sound_writer **writer);

// ---- whole sounds ----

// Resamples all of `sound` in place to `rate` (soxr, high quality); length is round(frames * rate / old rate).
EBB_API enum ebb_result ebb_sound_resample(struct ebb_sound *sound, int rate, struct ebb_error *error);

// Integrated loudness in LUFS (ITU-R BS.1770-4, EBU R128): K-weighted, gated 400 ms blocks; surround channels of 5.0
// and 5.1 weigh 1.41, the low-frequency one nothing. A sound under 400 ms is measured as if silence followed.
// -INFINITY: nothing is louder than -70 LUFS.
EBB_API double ebb_sound_loudness(const struct ebb_sound *sound);

// Largest |sample|; 0 for no samples.
EBB_API double ebb_sound_peak(const struct ebb_sound *sound);

// Multiplies all samples by 10^(db / 20).
EBB_API void ebb_sound_gain(struct ebb_sound *sound, double db);

// Cuts both ends where no channel is above `threshold_db` (below the peak, negative), keeping `margin` seconds more at
// each. Silence is left as it is.
EBB_API void ebb_sound_trim(struct ebb_sound *sound, double threshold_db, double margin);

// Raised-cosine fades over `in` seconds at the start and `out` at the end, at most the whole sound each; 0: none.
EBB_API void ebb_sound_fade(struct ebb_sound *sound, double in, double out);

// ---- mel ----

enum ebb_mel_scale { EBB_MEL_SLANEY, EBB_MEL_HTK };
enum ebb_mel_norm { EBB_MEL_NORM_NONE, EBB_MEL_NORM_SLANEY };
enum ebb_mel_level {
    EBB_MEL_LEVEL_TRUE,     // x = clip((dB - db_center) / db_range, -1, 1), dB of absolute power: level survives
    EBB_MEL_LEVEL_DIFFUSERS // diffusers' Mel: 8-bit image, relative to the loudest cell, top_db below it
};

struct ebb_mel_params {
    int sample_rate;  // Hz
    int n_fft;        // even, 16..65536
    int hop;          // 1..n_fft
    int n_mels;       // 1..n_fft / 2
    double fmin, fmax; // Hz
    enum ebb_mel_scale scale;
    enum ebb_mel_norm norm;
    enum ebb_mel_level level;
    double db_center, db_range; // EBB_MEL_LEVEL_TRUE
    double top_db;              // EBB_MEL_LEVEL_DIFFUSERS
};

// Our models' mel: 48 kHz, 2048-point periodic Hann, hop 512, 128 Slaney bands, 0..24 kHz, peak 1, dB -90..+10.
EBB_API void ebb_mel_params_default(struct ebb_mel_params *params);

// Plans and tables for one set of parameters. One call at a time per object.
struct ebb_mel;
EBB_API struct ebb_mel *ebb_mel_create(const struct ebb_mel_params *params, struct ebb_error *error);
EBB_API void ebb_mel_destroy(struct ebb_mel **mel);

// Frames of `count` samples: 1 + count / hop (frame k centred on sample k * hop, zeros outside the signal).
EBB_API size_t ebb_mel_frames(const struct ebb_mel *mel, size_t count);

// Waveform -> network values in [-1, 1], (n_mels, frames).
EBB_API enum ebb_result ebb_mel_analyse(struct ebb_mel *mel, const float *samples, size_t count, float *values,
                                        struct ebb_error *error);

// Network values (n_mels, frames) -> STFT magnitude, unscaled (n_fft / 2 + 1, frames): a smooth spectrum with this mel, by
// multiplicative steps (Richardson 1972, Lucy 1974). Value -1 of EBB_MEL_LEVEL_TRUE is silence.
EBB_API enum ebb_result ebb_mel_to_magnitude(struct ebb_mel *mel, const float *values, size_t frames, float *magnitude,
                                             struct ebb_error *error);

// Network values (n_mels, frames) -> waveform of `count` samples (frames cover them as above). Phase by gradient
// integration (Prusa 2017), drawn from `seed` where the gradient says nothing, then `iterations` of fast Griffin-Lim
// (Perraudin 2013), 16 recommended; on the way bands get what they lack of the mel asked for. `grain`:
// for a network's mel, which is smooth where the sound was noise: there white noise, drawn from `seed` too, takes its
// power, tones and attacks stay. Without it the sound is as smooth as the mel.
EBB_API enum ebb_result ebb_mel_to_sound(struct ebb_mel *mel, const float *values, size_t frames, bool grain,
                                         int iterations, uint64_t seed, float *samples, size_t count,
                                         struct ebb_error *error);

// |STFT| in dB, (n_fft / 2 + 1, frames), for pictures; a full-scale sine on a bin centre reads 0 dB; floor -120 dB.
EBB_API enum ebb_result ebb_mel_spectrogram(struct ebb_mel *mel, const float *samples, size_t count, float *db,
                                            struct ebb_error *error);

#endif
