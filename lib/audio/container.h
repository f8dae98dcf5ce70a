// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the samples stand in a sound file of chunks, and how many bytes its header promises. Of WAV, RF64,
// RIFX, AIFF, 8SVX, Wave64, CAF and AU: the headers that recorders and pipes leave unfinished.
#ifndef EBB_AUDIO_CONTAINER_H
#define EBB_AUDIO_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Looks at `size` bytes at a place of the file; false if they are not all there.
typedef bool ebb_peek(void *file, uint64_t at, void *bytes, size_t size);

struct ebb_container;

// Bytes that libsndfile is to see in place of those of the file.
struct ebb_patch {
    uint64_t at;
    unsigned char bytes[4];
};

enum { EBB_MOST_CHUNKS = 4096, EBB_MOST_PATCHES = 32 }; // a real file has some ten chunks

struct ebb_layout {
    const struct ebb_container *container; // NULL: none of these; data and promised may still be known
    uint64_t size_at;                      // where the size of the samples stands
    uint64_t data;                         // where the samples begin; 0: they were not found
    uint64_t promised;                     // bytes
    bool open;       // the size is one that programs write who do not know it: until the end
    bool endless;    // the size says nothing at all
    int coding;      // of WAV: its format tag
    uint64_t chunks; // seen on the way

    // Where an RF64 is shown: libsndfile knows that name alone, not BW64, and does not pass over the byte
    // behind a chunk of an odd size. Where a W64 is shown: the coding of its samples.
    struct ebb_patch patches[EBB_MOST_PATCHES];
    size_t patched;
};

void ebb_layout_find(struct ebb_layout *layout, ebb_peek *peek, void *file);

// Whether the patches hold for the file as it is: it is an RF64, a BW64 or a W64. A WAV's hold where it is
// shown as an RF64.
bool ebb_layout_is_patched(const struct ebb_layout *layout);

// Whether a pipe of it can be read as it comes.
bool ebb_layout_streams(const struct ebb_layout *layout);

// Whether the container is a plain WAV, of 32-bit sizes, whose samples an RF64 can hold too.
bool ebb_layout_can_be_rf64(const struct ebb_layout *layout);

// The size field for so many bytes of samples; returns its length, 0: the field cannot hold the number.
size_t ebb_layout_size_field(const struct ebb_layout *layout, uint64_t bytes, unsigned char field[8]);

// Where the file ends by its own words, when all its samples are there; something else may follow. A Wave64
// ends with its samples, since libsndfile takes what follows for more of them. 0: it does not say.
uint64_t ebb_layout_end(const struct ebb_layout *layout, ebb_peek *peek, void *file);

// Whether another file of the same container begins there.
bool ebb_layout_begins_again(const struct ebb_layout *layout, uint64_t at, ebb_peek *peek, void *file);

// Whether another chunk of samples begins there, behind the first.
bool ebb_layout_is_more(const struct ebb_layout *layout, uint64_t at, ebb_peek *peek, void *file);

// After samples of this size chunks stand that end where the file does, so that an open size was meant: no
// samples.
bool ebb_layout_is_empty(const struct ebb_layout *layout, uint64_t file_size, ebb_peek *peek, void *file);

// How many of the last bytes of an endless WAV are chunks that its writer put behind the samples.
enum { EBB_TAIL_BYTES = 64 };
size_t ebb_wav_tail(const unsigned char *last, size_t count);

// Whether an Ogg ends as it should, with a whole page that says so. `last`: the file's last bytes, or fewer.
enum { EBB_OGG_TAIL = 1 << 17 }; // more than the longest page
bool ebb_ogg_ends(const unsigned char *last, size_t count);

// Whether an Ogg is a chain: a stream begins behind the end of another. libsndfile reads the first.
bool ebb_ogg_is_chain(ebb_peek *peek, void *file);

// Whether these eight bytes begin a chunk of WAV: four letters and a size.
bool ebb_wav_is_chunk(const unsigned char bytes[8]);

#endif
