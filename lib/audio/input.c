// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/container.h"
#include "audio/fixed_header.h"
#include "audio/mpeg_head.h"
#include "base/base.h"
#include "base/byte_order.h"
#include "base/file.h"
#include "base/temporary.h"

enum {
    BLOCK = 1 << 16,
    MOST_HEAD = 64 << 20,        // of a pipe: what stands before its samples is kept in memory
    LOOK_AHEAD = 4096,           // libsndfile looks at the first samples before it goes back to read them
    MOST_OPENING_READS = 200000, // a header of millions of empty chunks is none
    RF64_HEAD = 48,              // "RF64", size, "WAVE" and a chunk ds64, in place of
    RIFF_HEAD = 12,
    LAST_TAG = 128, // an ID3v1 tag, which libsndfile looks for at the end of an MP3
};
static const uint64_t ENDLESS = 1ull << 60, MOST_SPOOLED = 4ull << 30, BEYOND = 1ull << 40;

struct ebb_sound_input {
    char *name;
    int fd;
    bool owned, stream;
    uint64_t tag;   // bytes before the file proper: a tag that some programs put in front of any format
    uint64_t bytes; // of the file, behind that

    // What a pipe has given: all of its head, and a window that moves on.
    unsigned char *head;
    size_t head_size;
    uint64_t passed;       // bytes before the window
    unsigned char *window; // BLOCK bytes; NULL: a file
    size_t window_size;
    bool pipe_ended;

    // What libsndfile is shown: `lead` in place of the first bytes, the size field overwritten, an end.
    struct ebb_layout layout;
    unsigned char lead[RF64_HEAD], field[8];
    size_t lead_size, lead_for, field_size;
    bool endless;
    uint64_t end;       // of the file as it is shown, counted in its own bytes
    uint64_t beyond;    // bytes that it is said to have behind those
    uint64_t about;     // frames of an MP3 that does not tell
    uint64_t position;  // in what is shown
    long opening_reads; // -1: it is open
    uint64_t list_at;   // where libsndfile found a LIST, or an INFO that has a size
    bool more;          // it has found a second chunk of samples
    bool at_end, lacks_end, gave_up;
    int failure; // errno
};

// ---- the file's own bytes ----

// As much of `size` as there is, -1 with `failure`.
static ssize_t read_fully(struct ebb_sound_input *in, void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(in->fd, (char *)bytes + done, size - done);
        if (n < 0)
            in->failure = errno; // EINTR too: whoever catches signals without SA_RESTART wants to be heard
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return in->failure ? -1 : (ssize_t)done;
}

static bool grow_head(struct ebb_sound_input *in, uint64_t size)
{
    if (size <= in->head_size)
        return true;
    unsigned char *grown = size > MOST_HEAD ? NULL : realloc(in->head, (size_t)size);
    if (!grown)
        return false;
    in->head = grown;
    ssize_t got = read_fully(in, in->head + in->head_size, (size_t)size - in->head_size);
    if (got > 0)
        in->head_size += (size_t)got;
    in->passed = in->head_size;
    return in->head_size == size;
}

bool ebb_sound_input_look(const struct ebb_sound_input *in, uint64_t at, void *bytes, size_t size)
{
    if (at > INT64_MAX / 2)
        return false;
    if (!in->stream)
        return ebb_file_read_at(in->fd, bytes, size, (off_t)(in->tag + at)) == (ssize_t)size;
    if (at > in->head_size || size > in->head_size - at)
        return false;
    memcpy(bytes, in->head + at, size);
    return true;
}

static bool peek(void *file, uint64_t at, void *bytes, size_t size)
{
    struct ebb_sound_input *in = file;
    if (at > INT64_MAX / 2)
        return false;
    if (!in->stream)
        return ebb_file_read_at(in->fd, bytes, size, (off_t)(in->tag + at)) == (ssize_t)size;
    if (!grow_head(in, at + size))
        return false;
    memcpy(bytes, in->head + at, size);
    return true;
}

// Fills the window until there is more than what is held back, in case it is no samples: bytes to give.
static size_t fill_window(struct ebb_sound_input *in)
{
    size_t held = in->endless ? EBB_TAIL_BYTES : 0;
    while (in->window_size <= held && !in->pipe_ended && !in->failure) {
        ssize_t n = read(in->fd, in->window + in->window_size, BLOCK - in->window_size);
        if (n < 0)
            in->failure = errno;
        if (n > 0)
            in->window_size += (size_t)n;
        in->pipe_ended = n == 0;
        if (in->pipe_ended && in->endless && in->layout.coding)
            in->window_size -= ebb_wav_tail(in->window, in->window_size);
    }
    return in->pipe_ended ? in->window_size : in->window_size > held ? in->window_size - held : 0;
}

// A writer that meant its large size: its next chunk stands where it says.
static void stop_at_chunk(struct ebb_sound_input *in)
{
    bool meant = in->layout.open && !in->layout.endless &&
                 in->passed == in->layout.data + in->layout.promised;
    if (meant && fill_window(in) >= 8 && ebb_wav_is_chunk(in->window)) {
        in->pipe_ended = true;
        in->window_size = 0;
    }
}

static size_t most_now(const struct ebb_sound_input *in, size_t most)
{
    uint64_t meant = in->layout.data + in->layout.promised;
    bool before = in->layout.open && !in->layout.endless && in->passed < meant;
    return before && meant - in->passed < most ? (size_t)(meant - in->passed) : most;
}

// Up to `size` bytes off the pipe; `bytes` NULL: they are passed over.
static size_t take(struct ebb_sound_input *in, unsigned char *bytes, uint64_t size)
{
    stop_at_chunk(in);
    size_t n = most_now(in, fill_window(in));
    n = n < size ? n : (size_t)size;
    if (bytes)
        memcpy(bytes, in->window, n);
    memmove(in->window, in->window + n, in->window_size - n);
    in->window_size -= n;
    in->passed += n;
    return n;
}

// What libsndfile looks at before it starts stays at hand.
static void remember(struct ebb_sound_input *in, uint64_t size)
{
    unsigned char *grown = size > in->head_size ? realloc(in->head, (size_t)size) : NULL;
    if (!grown)
        return;
    in->head = grown;
    for (size_t n = 1; n > 0 && in->head_size < size; in->head_size += n)
        n = take(in, in->head + in->head_size, size - in->head_size);
}

static size_t read_pipe(struct ebb_sound_input *in, uint64_t at, unsigned char *bytes, size_t size)
{
    size_t done = 0;
    if (in->opening_reads >= 0 && at + size <= in->head_size + LOOK_AHEAD)
        remember(in, at + size);
    if (at < in->head_size) {
        done = in->head_size - at < size ? (size_t)(in->head_size - at) : size;
        memcpy(bytes, in->head + at, done);
    }
    while (done < size && in->passed < at && take(in, NULL, at - in->passed) > 0)
        ;
    while (done < size && in->passed == at + done) {
        size_t n = take(in, bytes + done, size - done);
        if (n == 0)
            break;
        done += n;
    }
    return done;
}

static size_t read_file(struct ebb_sound_input *in, uint64_t at, unsigned char *bytes, size_t size)
{
    ssize_t got = ebb_file_read_at(in->fd, bytes, size, (off_t)(in->tag + at));
    if (got < 0)
        in->failure = errno;
    return got > 0 ? (size_t)got : 0;
}

static void overlay(uint64_t from, const unsigned char *patch, size_t count, uint64_t at,
                    unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (from + i >= at && from + i < at + size)
            bytes[from + i - at] = patch[i];
}

// The size field and the names as they should be, where these bytes touch them.
static void mend(const struct ebb_sound_input *in, uint64_t at, unsigned char *bytes, size_t size)
{
    const struct ebb_layout *l = &in->layout;
    overlay(l->size_at, in->field, in->field_size, at, bytes, size);
    bool patched = in->lead_size > 0 || ebb_layout_is_patched(l);
    for (size_t i = 0; patched && i < l->patched; i++)
        overlay(l->patches[i].at, l->patches[i].bytes, sizeof(l->patches[i].bytes), at, bytes, size);
}

// ---- lists that libsndfile does not leave ----

// Whether a number stands among these bytes that wraps around 32 bits when it is added to their count, in
// either order of its bytes.
static bool can_wrap(const struct ebb_sound_input *in, uint64_t at, uint64_t count)
{
    enum { PIECE = 4096, MOST = 16 << 20, HEAD = 8 };
    unsigned char piece[PIECE];
    bool wraps = count > MOST;
    const uint64_t most = UINT32_MAX - HEAD - count;
    for (uint64_t done = 0; !wraps && done + 4 <= count; done += PIECE - 3) {
        size_t size = count - done < PIECE ? (size_t)(count - done) : PIECE;
        wraps = !ebb_sound_input_look(in, at + done, piece, size);
        for (size_t i = 0; !wraps && i + 4 <= size; i++)
            wraps = ebb_little(piece + i, 4) > most || ebb_big(piece + i, 4) > most;
    }
    return wraps;
}

// libsndfile 1.2 forgets what the sound is like where a second chunk of samples stands: it gets a name that
// is passed over, as other readers pass over it.
static void mend_more(struct ebb_sound_input *in, uint64_t at, unsigned char name[4])
{
    bool samples = memcmp(name, "data", 4) == 0 || memcmp(name, "SSND", 4) == 0;
    if (!samples || in->stream || at < in->layout.data || !ebb_layout_is_more(&in->layout, at, peek, in))
        return;
    memcpy(name, "JUNK", 4);
    in->more = true;
}

// A size in a LIST that wraps leads libsndfile 1.2 back to where it was, for ever. Such a LIST gets a name
// that it passes over. Its metadata is read elsewhere. False: it cannot be passed over either.
// https://github.com/libsndfile/libsndfile/issues/1118
static bool mend_list(struct ebb_sound_input *in, uint64_t at, unsigned char name[4])
{
    enum { HEAD = 8 };
    unsigned char field[4], magic[4];
    const uint64_t behind = in->list_at ? at - in->list_at : 0;
    bool list = memcmp(name, "LIST", 4) == 0, info = memcmp(name, "INFO", 4) == 0;
    if ((!list && !info) || behind == 4 || (info && behind == HEAD))
        return true; // a list's size is no name, and its INFO has no size
    in->list_at = at;
    if (!ebb_sound_input_look(in, 0, magic, 4) || !ebb_sound_input_look(in, at + 4, field, 4))
        return false;
    uint64_t left = in->stream ? in->head_size : in->bytes;
    left = left > at + HEAD ? left - at - HEAD : 0;
    uint64_t size = memcmp(magic, "RIFX", 4) == 0 ? ebb_big(field, 4) : ebb_little(field, 4);
    if (!can_wrap(in, at + HEAD, size < left ? size : left))
        return true;
    memcpy(name, "JUNK", 4);
    return size <= left;
}

// ---- what libsndfile sees ----

static sf_count_t shown_size(void *user)
{
    const struct ebb_sound_input *in = user;
    return (sf_count_t)(in->end + in->lead_size - in->lead_for + in->beyond);
}

static sf_count_t seek_to(sf_count_t offset, int whence, void *user)
{
    struct ebb_sound_input *in = user;
    sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (sf_count_t)in->position : shown_size(in);
    if (from + offset < 0)
        return -1;
    in->position = (uint64_t)(from + offset);
    return (sf_count_t)in->position;
}

static size_t read_lead(struct ebb_sound_input *in, unsigned char *bytes, size_t size)
{
    size_t n = in->position < in->lead_size ? in->lead_size - (size_t)in->position : 0;
    n = n < size ? n : size;
    memcpy(bytes, in->lead + (n ? in->position : 0), n);
    in->position += n;
    return n;
}

// Where in the file what is read next stands. The last bytes are at the end that is said to be.
static uint64_t place_of(const struct ebb_sound_input *in)
{
    uint64_t at = in->position - in->lead_size + in->lead_for;
    bool last = in->beyond > 0 && at >= in->end + in->beyond - LAST_TAG;
    return last ? at - in->beyond : at;
}

static sf_count_t read_shown(void *bytes, sf_count_t count, void *user)
{
    struct ebb_sound_input *in = user;
    if (count <= 0 || (in->opening_reads >= 0 && ++in->opening_reads > MOST_OPENING_READS))
        return 0;
    size_t size = (size_t)count, done = read_lead(in, bytes, size);
    uint64_t at = place_of(in);
    size_t left = at >= in->end ? 0 : in->end - at < size - done ? (size_t)(in->end - at) : size - done;
    unsigned char *rest = (unsigned char *)bytes + done;
    size_t got = in->stream ? read_pipe(in, at, rest, left) : read_file(in, at, rest, left);
    mend(in, at, rest, got);
    bool word = in->opening_reads >= 0 && size == 4 && got == 4; // it may be a chunk's name
    if (word)
        mend_more(in, at, rest);
    if (word && !mend_list(in, at, rest)) {
        in->opening_reads = MOST_OPENING_READS; // the file ends here
        return 0;
    }
    in->position += got;
    in->at_end = in->at_end || done + got < size;
    return (sf_count_t)(done + got);
}

static sf_count_t write_nothing(const void *bytes, sf_count_t count, void *user)
{
    (void)bytes, (void)count, (void)user;
    return 0;
}

static sf_count_t position_shown(void *user)
{
    return (sf_count_t)((struct ebb_sound_input *)user)->position;
}

SNDFILE *ebb_sound_input_start(struct ebb_sound_input *in, SF_INFO *sf)
{
    SF_VIRTUAL_IO io = {shown_size, seek_to, read_shown, write_nothing, position_shown};
    SNDFILE *file = sf_open_virtual(&io, SFM_READ, sf, in);
    in->gave_up = in->opening_reads > MOST_OPENING_READS;
    in->opening_reads = -1;
    in->at_end = false;
    return file;
}

// ---- the size of the samples ----

// A WAV holds no more than 4 GiB: it is shown as an RF64, which differs in its head.
static void show_as_rf64(struct ebb_sound_input *in, uint64_t bytes)
{
    memcpy(in->lead, "RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0", 20);
    for (int i = 0; i < 8; i++) {
        in->lead[20 + i] = (unsigned char)((bytes + in->layout.data + 28) >> (8 * i));
        in->lead[28 + i] = (unsigned char)(bytes >> (8 * i));
    }
    memset(in->field, 0xff, in->field_size = 4);
    in->lead_size = RF64_HEAD;
    in->lead_for = RIFF_HEAD;
}

static void show_size(struct ebb_sound_input *in, uint64_t bytes)
{
    in->end = in->layout.data + bytes;
    in->field_size = ebb_layout_size_field(&in->layout, bytes, in->field);
    if (in->field_size == 0 && ebb_layout_can_be_rf64(&in->layout))
        show_as_rf64(in, bytes);
    else if (in->field_size == 0)
        memset(in->field, 0xff, in->field_size = 4);
}

static void measure_pipe(struct ebb_sound_input *in)
{
    in->endless = in->layout.open;
    if (in->endless)
        show_size(in, ENDLESS);
    else
        in->end = in->layout.data + in->layout.promised;
}

static bool lacks_last_page(struct ebb_sound_input *in)
{
    unsigned char magic[4];
    size_t size = in->bytes < EBB_OGG_TAIL ? (size_t)in->bytes : EBB_OGG_TAIL;
    bool ogg = peek(in, 0, magic, sizeof(magic)) && memcmp(magic, "OggS", 4) == 0;
    unsigned char *last = ogg ? malloc(size) : NULL;
    bool lacks = last && peek(in, in->bytes - size, last, size) && !ebb_ogg_ends(last, size);
    free(last);
    return lacks;
}

// Without a count of frames libsndfile guesses the length from the size of the first frames, and reads no
// further: of a variable bit rate a part. A file that is said to be very long is read to its end. A wrong
// count of bytes makes the decoder print a warning.
static void measure_mpeg(struct ebb_sound_input *in, uint64_t from)
{
    static const unsigned char many[4] = {0x3f, 0xff, 0xff, 0xff};
    struct ebb_mpeg_head head;
    if (in->end < from + LAST_TAG || !ebb_mpeg_find(&head, peek, in, from))
        return;
    in->lead_for = (size_t)from;
    in->endless = !head.frames_at || head.more;
    in->beyond = head.frames_at ? 0 : BEYOND;
    in->about = in->endless ? ebb_mpeg_samples(peek, in, from, in->end) : 0;
    if (!head.bytes_at)
        return;
    uint64_t bytes = in->end - head.begins > UINT32_MAX ? UINT32_MAX : in->end - head.begins;
    size_t counts = head.more ? sizeof(many) : 0; // of frames, in front
    memcpy(in->field, many, counts);
    for (size_t i = 0; i < 4; i++)
        in->field[counts + i] = (unsigned char)(bytes >> (24 - 8 * i));
    in->layout.size_at = head.bytes_at - counts;
    in->field_size = counts + 4;
}

// An MP3 in a WAV is shown without the WAV, whose reader guesses as well. Its metadata is read elsewhere.
static void measure_mpeg_in_wav(struct ebb_sound_input *in, uint64_t there)
{
    const struct ebb_layout *l = &in->layout;
    in->end = l->data + (!l->open && l->promised < there ? l->promised : there);
    measure_mpeg(in, l->data);
    if (!in->lead_for)
        in->end = in->bytes;
}

// What stands behind the file is none of it, and libsndfile refuses or misreads some of that: another file.
static void end_by_itself(struct ebb_sound_input *in)
{
    uint64_t end = ebb_layout_end(&in->layout, peek, in);
    if (end && end < in->bytes)
        in->end = end;
}

static void measure_file(struct ebb_sound_input *in)
{
    enum { LAYER_2 = 0x50, LAYER_3 = 0x55 }; // codings of a WAV
    struct ebb_layout *l = &in->layout;
    unsigned char last[EBB_TAIL_BYTES];
    uint64_t there = in->bytes > l->data ? in->bytes - l->data : 0;
    bool open = l->open && l->promised != there && (l->promised > there || l->promised == 0) &&
                !ebb_layout_is_empty(l, in->bytes, peek, in);
    in->end = in->bytes;
    in->lacks_end = lacks_last_page(in);
    if (!l->container)
        measure_mpeg(in, 0);
    if (!l->container || !l->data)
        return;
    if (l->coding == LAYER_2 || l->coding == LAYER_3)
        measure_mpeg_in_wav(in, there);
    if (in->lead_for)
        return;
    if (open && l->coding && there >= sizeof(last) && peek(in, in->bytes - sizeof(last), last, sizeof(last)))
        there -= ebb_wav_tail(last, sizeof(last));
    if (open || (l->promised > there && !l->open))
        show_size(in, there);
    else if (!l->open)
        end_by_itself(in);
    l->open = open;
}

int ebb_sound_input_foreign_coding(const struct ebb_sound_input *in)
{
    // PCM, ADPCM of Microsoft, float, A-law, mu-law, ADPCM of IMA, GSM, NMS, G.721, MPEG, MP3, extensible
    static const int known[] = {1, 2, 3, 6, 7, 0x11, 0x31, 0x38, 0x40, 0x50, 0x55, 0xfffe};
    bool foreign = in->layout.coding != 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        foreign = foreign && in->layout.coding != known[i];
    return foreign ? in->layout.coding : 0;
}

bool ebb_sound_input_cut(const struct ebb_sound_input *in, uint64_t *promised, uint64_t *there)
{
    const struct ebb_layout *l = &in->layout;
    *promised = l->promised;
    *there = in->stream ? in->passed - l->data : in->bytes > l->data ? in->bytes - l->data : 0;
    bool known = l->data && !l->open;
    return known && *there < *promised && (!in->stream || in->pipe_ended);
}

bool ebb_sound_input_grew(const struct ebb_sound_input *in)
{
    struct stat now;
    return !in->stream && fstat(in->fd, &now) == 0 && (uint64_t)now.st_size > in->tag + in->bytes;
}

bool ebb_sound_input_lacks_end(const struct ebb_sound_input *in)
{
    return in->lacks_end;
}

uint64_t ebb_sound_input_passed_tag(const struct ebb_sound_input *in)
{
    return in->tag;
}

bool ebb_sound_input_is_chain(const struct ebb_sound_input *in)
{
    return !in->stream && ebb_ogg_is_chain(peek, (void *)in); // looked at, not changed
}

bool ebb_sound_input_has_more(const struct ebb_sound_input *in)
{
    return in->more;
}

bool ebb_sound_input_is_followed(const struct ebb_sound_input *in)
{
    return !in->stream && !in->layout.open && in->end < in->bytes &&
           ebb_layout_begins_again(&in->layout, in->end, peek, (void *)in); // looked at, not changed
}

bool ebb_sound_input_gave_up(const struct ebb_sound_input *in)
{
    return in->gave_up;
}

bool ebb_sound_input_endless(const struct ebb_sound_input *in)
{
    return in->endless;
}

uint64_t ebb_sound_input_about(const struct ebb_sound_input *in)
{
    return in->about;
}

bool ebb_sound_input_at_end(const struct ebb_sound_input *in)
{
    return in->at_end;
}

bool ebb_sound_input_is_stream(const struct ebb_sound_input *in)
{
    return in->stream;
}

uint64_t ebb_sound_input_bytes(const struct ebb_sound_input *in)
{
    return in->bytes;
}

enum ebb_result ebb_sound_input_failure(const struct ebb_sound_input *in, struct ebb_error *error)
{
    if (!in->failure)
        return EBB_OK;
    enum ebb_result code = in->failure == EINTR ? EBB_CANCELLED : EBB_UNREADABLE;
    return ebb_fail(error, code, "%s: cannot be read (%s)", in->name, strerror(in->failure));
}

// ---- opening ----

static bool write_fully(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n <= 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

int ebb_sound_input_spool(int fd, const void *head, size_t head_size, uint64_t limit, const char *name,
                          struct ebb_error *error)
{
    enum { PIECE = 1 << 14 };
    unsigned char block[PIECE];
    int file = ebb_temporary_anonymous();
    bool written = file >= 0 && write_fully(file, head, head_size);
    ssize_t n = 0;
    uint64_t total = head_size;
    while (written && total <= limit && (n = read(fd, block, sizeof(block))) > 0) {
        total += (uint64_t)n;
        written = total > limit || write_fully(file, block, (size_t)n);
    }
    if (written && n == 0 && total <= limit)
        return file;
    if (!written)
        ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be kept in a temporary file (%s); give the file itself",
                 name, strerror(errno));
    else if (n < 0)
        ebb_fail(error, errno == EINTR ? EBB_CANCELLED : EBB_UNREADABLE, "%s: cannot be read (%s)", name,
                 strerror(errno));
    else
        ebb_fail(error, EBB_UNSUPPORTED,
                 "%s: more than %llu MiB of a format that a pipe must keep to the end; give the file itself",
                 name, (unsigned long long)(limit >> 20));
    if (file >= 0)
        close(file);
    return -1;
}

static enum ebb_result keep_pipe(struct ebb_sound_input *in, struct ebb_error *error)
{
    struct stat info;
    int file = ebb_sound_input_spool(in->fd, in->head, in->head_size, MOST_SPOOLED, in->name, error);
    if (file < 0)
        return error->code;
    if (in->owned)
        close(in->fd);
    in->fd = file;
    in->owned = true;
    in->stream = false;
    in->bytes = fstat(file, &info) == 0 ? (uint64_t)info.st_size : 0;
    return in->bytes ? EBB_OK : ebb_fail(error, EBB_CORRUPT, "%s: an empty file", in->name);
}

static enum ebb_result open_descriptor(struct ebb_sound_input *in, const char *path, struct ebb_error *error)
{
    if (strcmp(path, "-") == 0) {
        in->fd = STDIN_FILENO;
        return EBB_OK;
    }
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    in->owned = in->fd >= 0;
    if (in->owned)
        return EBB_OK;
    bool missing = errno == ENOENT || errno == ENOTDIR;
    return ebb_fail(error,
                    missing          ? EBB_NOT_FOUND
                    : errno == EINTR ? EBB_CANCELLED
                                     : EBB_UNREADABLE,
                    "%s: %s", path, strerror(errno));
}

// An ID3 tag belongs in front of an MP3. libsndfile passes over it in front of other formats too, but then
// takes the file for shorter by its size.
static void pass_tag(struct ebb_sound_input *in)
{
    static const char *const others[] = {"RIFF", "RF64", "BW64", "FORM", "fLaC", "OggS", "caff", ".snd"};
    unsigned char head[EBB_ID3_HEAD], magic[4];
    uint64_t size = !in->stream && peek(in, 0, head, sizeof(head)) ? ebb_id3_bytes(head) : 0;
    bool found = false;
    for (size_t i = 0; size > 0 && i < sizeof(others) / sizeof(*others); i++)
        found = found || (peek(in, size, magic, 4) && memcmp(magic, others[i], 4) == 0);
    in->tag = found ? size : 0;
    in->bytes -= in->tag;
}

// libsndfile reads on over the heads of blocks as if they were samples.
static bool is_in_parts(struct ebb_sound_input *in)
{
    return !in->layout.container && in->layout.data && ebb_voc_goes_on(peek, in, &in->layout);
}

static enum ebb_result open_input(struct ebb_sound_input *in, const char *path, struct ebb_error *error)
{
    struct stat info;
    enum ebb_result result = open_descriptor(in, path, error);
    if (result != EBB_OK)
        return result;
    if (fstat(in->fd, &info) != 0)
        return ebb_fail(error, EBB_UNREADABLE, "%s: %s", in->name, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return ebb_fail(error, EBB_WRONG_TYPE, "%s: a folder, expected a sound file", in->name);
    in->stream = !S_ISREG(info.st_mode) || (!in->owned && lseek(in->fd, 0, SEEK_CUR) != 0);
    in->bytes = in->stream ? 0 : (uint64_t)info.st_size;
    if (!in->stream && in->bytes == 0)
        return ebb_fail(error, EBB_CORRUPT, "%s: an empty file", in->name);
    if (in->stream && !(in->window = malloc(BLOCK)))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", in->name);
    pass_tag(in);
    ebb_layout_find(&in->layout, peek, in);
    if (in->failure)
        return ebb_sound_input_failure(in, error);
    if (in->layout.chunks >= EBB_MOST_CHUNKS && !in->layout.data)
        return ebb_fail(error, EBB_CORRUPT, "%s: %d chunks and no samples among them", in->name,
                        EBB_MOST_CHUNKS);
    if (in->stream && !ebb_layout_streams(&in->layout)) {
        result = keep_pipe(in, error);
        if (result == EBB_OK)
            pass_tag(in);
        if (result == EBB_OK)
            ebb_layout_find(&in->layout, peek, in);
    }
    if (result == EBB_OK && is_in_parts(in))
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: its sound is in several blocks, expected one", in->name);
    if (result == EBB_OK && in->stream)
        measure_pipe(in);
    else if (result == EBB_OK)
        measure_file(in);
    return result;
}

struct ebb_sound_input *ebb_sound_input_open(const char *path, struct ebb_error *error)
{
    struct ebb_sound_input *in = calloc(1, sizeof(*in));
    error = EBB_ERROR(error);
    if (!in || !(in->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path))) {
        free(in);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
        return NULL;
    }
    in->fd = -1;
    if (open_input(in, path, error) != EBB_OK)
        ebb_sound_input_close(&in);
    return in;
}

void ebb_sound_input_close(struct ebb_sound_input **input)
{
    struct ebb_sound_input *in = *input;
    if (!in)
        return;
    if (in->owned)
        close(in->fd);
    free(in->head);
    free(in->window);
    free(in->name);
    free(in);
    *input = NULL;
}
