// SPDX-License-Identifier: LGPL-2.1-or-later
// Sound files, read and written whole or piece by piece, and operations on whole sounds. Samples are
// float32 in [-1, 1], channels interleaved.
#ifndef EBB_AUDIO_H
#define EBB_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

// ---- sound files ----

// A sound in memory. `samples` and `comment` are memory from malloc(), which ebb_sound_clear() frees. A sound
// that a call takes as const may borrow both instead.
struct ebb_sound {
    float *samples; // frames * channels, interleaved
    size_t frames;
    int channels;
    int rate;      // Hz
    char *comment; // the file's comment field (our recipe is JSON there); NULL: none
    char *warning; // one sentence that says what was missing in the file; NULL: nothing. From malloc()
    void *reserved[3];
};

// Makes a silent sound of this shape in `sound` (overwritten), without a comment. `frames` may be 0.
EBB_API enum ebb_result ebb_sound_alloc(struct ebb_sound *sound, size_t frames, int channels, int rate,
                                        struct ebb_error *error);

// Frees what the sound holds and makes it empty.
EBB_API void ebb_sound_clear(struct ebb_sound *sound);

// Reads a whole file into `sound` (overwritten): WAV, FLAC, Ogg and all that libsndfile reads; "-" is
// standard input. EBB_CORRUPT: the file has no samples, or NaN or infinite ones. A file that has fewer
// samples than its header promises is read with a `warning`.
EBB_API enum ebb_result ebb_sound_read(const char *path, struct ebb_sound *sound, struct ebb_error *error);

enum ebb_wav_format {
    EBB_WAV_16,  // integers
    EBB_WAV_24,  // integers
    EBB_WAV_32F, // floating point
    EBB_WAV_32I, // integers; a float32 does not hold all of them
    EBB_WAV_64F, // double precision
    EBB_FLAC_16, // integers, in a FLAC
    EBB_FLAC_24, // integers, in a FLAC
    EBB_OGG,     // Vorbis at quality 6 of 10, in an Ogg
};

// Writes a WAV, a FLAC or an Ogg under a temporary name beside `path` and renames it when it is complete, so
// that a half file never appears. A file that is replaced keeps its mode, and its owner where that is
// allowed; links are followed. 16 bits are dithered (TPDF) with the same noise each time: the same samples
// give the same file. A sample that is exactly a 16-bit value is not dithered, so silence and 16-bit sounds
// pass unchanged. Integer formats clip values outside [-1, 1]. `comment` may be NULL. One and two channels
// are written as plain PCM or float, more as WAVE_FORMAT_EXTENSIBLE without places. A FLAC has the integers
// that a WAV would have; an Ogg is clipped too.
EBB_API enum ebb_result ebb_sound_write(const char *path, const struct ebb_sound *sound,
                                        enum ebb_wav_format format, struct ebb_error *error);

// ---- sound files piece by piece, in bounded memory ----

struct ebb_sound_reader;
struct ebb_sound_writer;

struct ebb_sound_info {
    size_t frames; // as the header says; SIZE_MAX: unknown (a stream that was never closed)
    int channels;
    int rate;                   // Hz
    enum ebb_wav_format format; // holds the file's samples without loss
    const char *comment;        // owned by the reader; NULL: none
    const char *recipe; // the recipe beside the comment, else the comment; owned by the reader; NULL: none
};

// Opens a sound file for reading; "-" is standard input, which may be a pipe. WAV, RF64 and AU are read from
// a pipe as they come. Any other format is kept in a temporary file first, of 4 GiB at most. Programs that do
// not know a size write 0 or the largest one: both mean "until the end". NULL on failure.
EBB_API struct ebb_sound_reader *ebb_sound_reader_open(const char *path, struct ebb_error *error);
EBB_API void ebb_sound_reader_close(struct ebb_sound_reader **reader);
EBB_API const struct ebb_sound_info *ebb_sound_reader_info(const struct ebb_sound_reader *reader);

// Reads up to `frames` frames, channels interleaved. `*got` < frames only at the end. An end before the
// promised one gives a warning. NaN and infinities are EBB_CORRUPT.
EBB_API enum ebb_result ebb_sound_reader_read(struct ebb_sound_reader *reader, float *samples, size_t frames,
                                              size_t *got, struct ebb_error *error);

// The same in double precision, which holds 32-bit integers and 64-bit floats.
EBB_API enum ebb_result ebb_sound_reader_read_double(struct ebb_sound_reader *reader, double *samples,
                                                     size_t frames, size_t *got, struct ebb_error *error);

// Reads all frames that are left into `sound` (overwritten), with comment and warning. EBB_UNSUPPORTED: the
// samples take more than four times the memory of the file, and more than EBB_MEMORY in the environment
// allows ("2G"; 512M if it is not set).
EBB_API enum ebb_result ebb_sound_reader_read_all(struct ebb_sound_reader *reader, struct ebb_sound *sound,
                                                  struct ebb_error *error);

// The same, and in double precision too: `*doubles` is memory from malloc().
EBB_API enum ebb_result ebb_sound_reader_read_all_double(struct ebb_sound_reader *reader,
                                                         struct ebb_sound *sound, double **doubles,
                                                         struct ebb_error *error);

// One sentence that says what the header promised and the file does not have; NULL: nothing is missing so
// far.
EBB_API const char *ebb_sound_reader_warning(const struct ebb_sound_reader *reader);

// Starts a file under a temporary name beside `path`. If `path` is a pipe, a device or "-" (standard output),
// the WAV is a stream of unknown length. Dither and clipping are those of ebb_sound_write(). Past 4 GiB the
// file becomes an RF64. `comment` may be NULL and is copied; a stream has no comment.
// A FLAC or an Ogg goes down a pipe when it is complete, with its comment. NULL on failure.
EBB_API struct ebb_sound_writer *ebb_sound_writer_create(const char *path, int channels, int rate,
                                                         enum ebb_wav_format format, const char *comment,
                                                         struct ebb_error *error);

// Adds `frames` frames, channels interleaved. EBB_INVALID: a sample is NaN or infinite, and none is written;
// or the writer has finished. After any other failure the file cannot be completed.
EBB_API enum ebb_result ebb_sound_writer_write(struct ebb_sound_writer *writer, const float *samples,
                                               size_t frames, struct ebb_error *error);

// The same in double precision, which fills 32-bit integers and 64-bit floats.
EBB_API enum ebb_result ebb_sound_writer_write_double(struct ebb_sound_writer *writer, const double *samples,
                                                      size_t frames, struct ebb_error *error);

// Samples so far that were outside [-1, 1] and were clipped; 0 in floating point, which clips nothing.
EBB_API uint64_t ebb_sound_writer_clipped(const struct ebb_sound_writer *writer);

// Completes the file and gives it its name. A writer that is destroyed before leaves no file.
EBB_API enum ebb_result ebb_sound_writer_finish(struct ebb_sound_writer *writer, struct ebb_error *error);
EBB_API void ebb_sound_writer_destroy(struct ebb_sound_writer **writer);

// ---- what a file holds besides its samples ----

// Chunks of a WAV (broadcast, cart, marks and their labels, loops, texts, and unknown ones), and the places
// of the channels. From other formats, the metadata for which a WAV has a chunk. At most 16 MiB.
struct ebb_sound_metadata;

// The metadata of the reader's file; owned by the reader.
EBB_API const struct ebb_sound_metadata *ebb_sound_reader_metadata(const struct ebb_sound_reader *reader);

// Names of the metadata that cannot be kept, with commas between them, for people; NULL: all can be kept.
EBB_API const char *ebb_sound_metadata_lost(const struct ebb_sound_metadata *metadata);

// A copy for a sound with new frames in front of the old ones: marks, loops and the time of the first sample
// move by their number. NULL: out of memory.
EBB_API struct ebb_sound_metadata *ebb_sound_metadata_copy(const struct ebb_sound_metadata *metadata,
                                                           uint64_t frames_before);

// Metadata without anything in it, for a new sound of so many channels. NULL: out of memory.
EBB_API struct ebb_sound_metadata *ebb_sound_metadata_create(int channels);

// Says that frames first .. end - 1 go round for ever (the chunk `smpl`), in place of other loops.
// EBB_INVALID: no such frames; a loop ends before frame 2^32.
EBB_API enum ebb_result ebb_sound_metadata_set_loop(struct ebb_sound_metadata *metadata, int rate,
                                                    uint64_t first, uint64_t end, struct ebb_error *error);
// The first loop; false: there is none.
EBB_API bool ebb_sound_metadata_loop(const struct ebb_sound_metadata *metadata, uint64_t *first,
                                     uint64_t *end);
EBB_API void ebb_sound_metadata_destroy(struct ebb_sound_metadata **metadata);

// Called once, before the first samples: sets the metadata of the file (NULL: none) and the number of frames
// (SIZE_MAX: unknown; the file then keeps room to become an RF64). The writer's comment replaces a recipe of
// Ebb; beside any other comment it stands in a chunk of its own, "ebbr", or in a comment "EBB_RECIPE" of a
// FLAC or an Ogg. EBB_UNSUPPORTED: these two hold no more than texts (INFO), and an Ogg's channels have the
// places that Vorbis gives them; call it again without. What the file can hold stays all the same: the texts,
// and in a FLAC the places of the channels.
EBB_API enum ebb_result ebb_sound_writer_begin(struct ebb_sound_writer *writer,
                                               const struct ebb_sound_metadata *metadata, size_t frames,
                                               struct ebb_error *error);

// ---- whole sounds ----

// Resamples all of `sound` in place to `rate` (speexdsp, quality 8); length is round(frames * rate / old
// rate).
EBB_API enum ebb_result ebb_sound_resample(struct ebb_sound *sound, int rate, struct ebb_error *error);

// Integrated loudness in LUFS (ITU-R BS.1770-4, EBU R128): K-weighted, gated 400 ms blocks; surround channels
// of 5.0 and 5.1 weigh 1.41, the low-frequency one nothing. A sound under 400 ms is measured as if silence
// followed.
// -INFINITY: no block of the sound is louder than -70 LUFS, or the sound cannot be measured (over 64
// channels, under 16 Hz, no memory).
EBB_API double ebb_sound_loudness(const struct ebb_sound *sound);

// Largest |sample|; 0 for no samples.
EBB_API double ebb_sound_peak(const struct ebb_sound *sound);

// Multiplies all samples by 10^(db / 20).
EBB_API void ebb_sound_gain(struct ebb_sound *sound, double db);

// Cuts the quiet parts at both ends: before the first sample and after the last sample that exceeds the
// threshold in any channel. `threshold_db` is in dB relative to the peak, negative. `margin` seconds of quiet
// are kept at either end. A silent sound is not changed.
EBB_API void ebb_sound_trim(struct ebb_sound *sound, double threshold_db, double margin);

// The setting `trim` means these two, in the command and in the elements.
#define EBB_TRIM_DB (-60.0)
#define EBB_TRIM_MARGIN 0.005 // seconds

// Cuts what lies in front of the attack, but for `lead` seconds, over which the sound fades in. The attack is
// where the sound first comes within EBB_ATTACK_DB of its peak. Nothing happens where no more than `lead`
// seconds lie in front of it, and to a silent sound.
EBB_API void ebb_sound_lead(struct ebb_sound *sound, double lead);

#define EBB_ATTACK_DB (-40.0)
#define EBB_EVENT_LEAD 0.005 // seconds: the setting `lead` of an event, where it is left open

// Fades with a raised cosine over `in` seconds at the start and `out` seconds at the end, each over the whole
// sound at most. 0: no fade.
EBB_API void ebb_sound_fade(struct ebb_sound *sound, double in, double out);

EBB_END_DECLS

#endif
