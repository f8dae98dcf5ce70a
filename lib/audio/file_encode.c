// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/file_encode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sndfile.h>

#include "base/base.h"
#include "base/file.h"
#include "base/fnv.h"
#include "base/temporary.h"

static const double OGG_QUALITY = 0.6; // 0..1; about 110 kbit/s for a channel of 48 kHz

struct ebb_encoder {
    SNDFILE *file;
    struct ebb_output *output;
    const char *name; // for messages
    int fd;           // what libsndfile writes to
    bool spooled;     // `fd` is a file of our own, which goes down the pipe at the end
    off_t start;      // of the file in `fd`
    off_t at, end;    // where libsndfile is, and how long the file is so far
    int failure;      // errno of the first write that failed; 0: none has
    bool ogg;
    uint32_t serial; // of the Ogg stream
    bool places;     // a FLAC's comments are to tell the mask
    uint32_t mask;
    char room[64]; // "": none; what stands where the mask will
    char *recipe;  // beside a comment; NULL: none
};

static const struct {
    enum ebb_wav_format format;
    int sndfile;
    const char *name;
} encoded[] = {
    {EBB_FLAC_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "FLAC"},
    {EBB_FLAC_24, SF_FORMAT_FLAC | SF_FORMAT_PCM_24, "FLAC"},
    {EBB_OGG, SF_FORMAT_OGG | SF_FORMAT_VORBIS, "Ogg Vorbis"},
};
enum { ENCODED = sizeof(encoded) / sizeof(*encoded) };

static int find(enum ebb_wav_format format)
{
    for (int i = 0; i < ENCODED; i++)
        if (encoded[i].format == format)
            return i;
    return -1;
}

bool ebb_format_is_encoded(enum ebb_wav_format format)
{
    return find(format) >= 0;
}

// ---- the file as libsndfile sees it ----

static sf_count_t file_length(void *user)
{
    return ((struct ebb_encoder *)user)->end;
}

static sf_count_t file_seek(sf_count_t offset, int whence, void *user)
{
    struct ebb_encoder *e = user;
    e->at = offset + (whence == SEEK_CUR ? e->at : whence == SEEK_END ? e->end : 0);
    return e->at;
}

static sf_count_t file_tell(void *user)
{
    return ((struct ebb_encoder *)user)->at;
}

static sf_count_t file_read(void *bytes, sf_count_t count, void *user)
{
    struct ebb_encoder *e = user;
    ssize_t n = ebb_file_read_at(e->fd, bytes, (size_t)count, e->start + e->at);
    e->failure = n < 0 ? errno : e->failure;
    e->at += n > 0 ? n : 0;
    return n > 0 ? n : 0;
}

static sf_count_t file_write(const void *bytes, sf_count_t count, void *user)
{
    struct ebb_encoder *e = user;
    if (!e->failure && !ebb_file_write_at(e->fd, bytes, (size_t)count, e->start + e->at))
        e->failure = errno;
    if (e->failure)
        return 0;
    e->at += count;
    e->end = e->at > e->end ? e->at : e->end;
    return count;
}

// ---- Ogg ----

// libsndfile draws the number of an Ogg stream from the clock. A number that follows from the comment makes
// the same file every time.
enum { PAGE_HEAD = 27, PAGE_MOST = PAGE_HEAD + 255 + 255 * 255, PAGE_SERIAL = 14, PAGE_SUM = 22 };

static void put32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

// The checksum of RFC 3533: polynomial 0x04c11db7, most significant bit first, from 0.
static uint32_t page_sum(const unsigned char *page, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum ^= (uint32_t)page[i] << 24;
        for (int bit = 0; bit < 8; bit++)
            sum = sum << 1 ^ (sum >> 31 ? 0x04c11db7u : 0);
    }
    return sum;
}

// The size of the page whose first `got` bytes these are; 0: no whole page.
static size_t page_size(const unsigned char *page, size_t got)
{
    size_t segments = got >= PAGE_HEAD ? page[PAGE_HEAD - 1] : 0, size = PAGE_HEAD + segments;
    if (got < size || memcmp(page, "OggS", 4) != 0)
        return 0;
    for (size_t i = 0; i < segments; i++)
        size += page[PAGE_HEAD + i];
    return size <= got ? size : 0;
}

static void number_pages(struct ebb_encoder *e)
{
    unsigned char *page = malloc(PAGE_MOST);
    e->failure = page ? 0 : ENOMEM;
    for (off_t at = 0; at < e->end && !e->failure;) {
        ssize_t got = ebb_file_read_at(e->fd, page, PAGE_MOST, e->start + at);
        size_t size = got > 0 ? page_size(page, (size_t)got) : 0;
        if (size == 0) {
            e->failure = EIO;
            break;
        }
        put32(page + PAGE_SERIAL, e->serial);
        put32(page + PAGE_SUM, 0);
        put32(page + PAGE_SUM, page_sum(page, size));
        e->at = at;
        file_write(page, (sf_count_t)size, e);
        at += (off_t)size;
    }
    free(page);
}

// ---- comments of other names ----

// libsndfile writes comments of some names only. One of those is given a text of the right length, and is
// overwritten when the file is complete: from `before` bytes before the place where `known` stands.
static void overwrite_comment(struct ebb_encoder *e, const char *known, size_t before, const char *text)
{
    enum { MOST_HEAD = 2 << 20 }; // where the comments end
    size_t size = e->end < MOST_HEAD ? (size_t)e->end : MOST_HEAD;
    char *head = malloc(size);
    e->at = 0;
    if (!head || file_read(head, (sf_count_t)size, e) != (sf_count_t)size) {
        e->failure = head ? EIO : ENOMEM;
        free(head);
        return;
    }
    char *found = memmem(head, size, known, strlen(known));
    if (found && (size_t)(found - head) >= before) {
        e->at = found - head - (off_t)before;
        file_write(text, (sf_count_t)strlen(text), e);
    }
    free(head);
}

#define PLACES "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x%08X"
enum { PLACES_SIZE = sizeof(PLACES) - 1 - sizeof("%08X") + 1 + 8 };

// Names that libsndfile writes into a FLAC. The first that is not in use makes room for the places.
static const struct {
    int text;
    const char *name;
} free_names[] = {
    {SF_STR_LICENSE, "license"}, {SF_STR_GENRE, "genre"},         {SF_STR_TRACKNUMBER, "tracknumber"},
    {SF_STR_DATE, "date"},       {SF_STR_COPYRIGHT, "copyright"}, {SF_STR_ALBUM, "album"},
    {SF_STR_ARTIST, "artist"},   {SF_STR_TITLE, "title"},
};

static bool is_in_use(const struct ebb_metadata_texts *texts, int text)
{
    bool used = text == SF_STR_LICENSE && texts->recipe;
    for (int i = 0; i < METADATA_TAGS; i++)
        used = used || (ebb_metadata_tags[i].text == text && texts->of[i]);
    return used;
}

static bool reserve_places(struct ebb_encoder *e, const struct ebb_metadata_texts *texts)
{
    size_t i = 0, last = sizeof(free_names) / sizeof(*free_names) - 1;
    while (i < last && is_in_use(texts, free_names[i].text))
        i++;
    memset(e->room, '#', PLACES_SIZE);
    size_t name = (size_t)sprintf(e->room, "%s", free_names[i].name);
    e->room[name] = '=';
    return sf_set_string(e->file, free_names[i].text, e->room + name + 1) == 0;
}

static void write_places(struct ebb_encoder *e)
{
    char text[PLACES_SIZE + 1];
    snprintf(text, sizeof(text), PLACES, e->mask);
    overwrite_comment(e, e->room, 0, text);
}

// A recipe beside a comment stands under a name of its own, which is longer than that of its room.
#define RECIPE_NAME "EBB_RECIPE="
enum { RECIPE_MORE = sizeof(RECIPE_NAME) - sizeof("license=") };

static bool reserve_recipe(struct ebb_encoder *e, const char *recipe)
{
    char *text = NULL;
    if (asprintf(&text, "%.*s%s", RECIPE_MORE, "###", recipe) < 0)
        return false;
    bool set = sf_set_string(e->file, SF_STR_LICENSE, text) == 0;
    free(text);
    e->recipe = set ? strdup(recipe) : NULL;
    return e->recipe != NULL;
}

static void write_recipe(struct ebb_encoder *e)
{
    overwrite_comment(e, e->recipe, sizeof(RECIPE_NAME) - 1, RECIPE_NAME);
}

// ---- the encoder ----

// What a shell opened for writing alone cannot be gone back in.
static bool is_readable(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

static enum ebb_result open_place(struct ebb_encoder *e, struct ebb_error *error)
{
    e->spooled = ebb_output_is_stream(e->output) || !is_readable(ebb_output_descriptor(e->output));
    e->fd = e->spooled ? ebb_temporary_anonymous() : ebb_output_descriptor(e->output);
    e->start = e->spooled ? 0 : lseek(e->fd, 0, SEEK_CUR);
    return e->fd >= 0 && e->start >= 0
               ? EBB_OK
               : ebb_fail(error, EBB_UNWRITABLE, "%s: no temporary file (%s)", e->name, strerror(errno));
}

// The reason is libsndfile's, or a write that failed under it.
static enum ebb_result fail(const struct ebb_encoder *e, struct ebb_error *error)
{
    return ebb_fail(error, EBB_UNWRITABLE, "%s: writing failed (%s)", e->name,
                    e->failure ? strerror(e->failure) : sf_strerror(e->file));
}

static enum ebb_result write_texts(struct ebb_encoder *e, const struct ebb_metadata_texts *texts,
                                   struct ebb_error *error)
{
    for (int i = 0; i < METADATA_TAGS; i++)
        if (texts->of[i] && sf_set_string(e->file, ebb_metadata_tags[i].text, texts->of[i]) != 0)
            return ebb_fail(error, EBB_UNWRITABLE, "%s: its comment cannot be written (%s)", e->name,
                            sf_strerror(e->file));
    return EBB_OK;
}

static enum ebb_result open_file(struct ebb_encoder *e, SF_INFO *info, const char *kind,
                                 const struct ebb_metadata_texts *texts, struct ebb_error *error)
{
    SF_VIRTUAL_IO io = {file_length, file_seek, file_read, file_write, file_tell};
    double quality = OGG_QUALITY;
    if (!sf_format_check(info))
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: %s has no %d channels at %d Hz", e->name, kind,
                        info->channels, info->samplerate);
    e->file = sf_open_virtual(&io, SFM_WRITE, info, e);
    if (!e->file)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: %s with %d channels at %d Hz cannot be written (%s)",
                        e->name, kind, info->channels, info->samplerate, sf_strerror(NULL));
    if (e->ogg)
        sf_command(e->file, SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof(quality));
    if (write_texts(e, texts, error) != EBB_OK)
        return EBB_UNWRITABLE;
    if (texts->recipe && !reserve_recipe(e, texts->recipe))
        return ebb_fail(error, EBB_UNWRITABLE, "%s: its recipe cannot be written (%s)", e->name,
                        sf_strerror(e->file));
    if (e->places && !reserve_places(e, texts))
        return ebb_fail(error, EBB_UNWRITABLE, "%s: the places of its channels cannot be written (%s)",
                        e->name, sf_strerror(e->file));
    return EBB_OK;
}

struct ebb_encoder *ebb_encoder_create(struct ebb_output *output, const char *name,
                                       const struct ebb_wav_shape *shape, bool places,
                                       const struct ebb_metadata_texts *texts, struct ebb_error *error)
{
    const char *comment = ebb_metadata_texts_comment(texts);
    struct ebb_encoder *e = calloc(1, sizeof(*e));
    int i = find(shape->format);
    if (!e) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", name);
        return NULL;
    }
    SF_INFO info = {.channels = shape->channels, .samplerate = shape->rate, .format = encoded[i].sndfile};
    e->output = output;
    e->name = name;
    e->ogg = shape->format == EBB_OGG;
    e->places = places && !e->ogg;
    e->mask = shape->mask;
    e->serial = (uint32_t)ebb_fnv1a(EBB_FNV1A_START, comment, strlen(comment));
    enum ebb_result result = open_place(e, error);
    if (result == EBB_OK)
        result = open_file(e, &info, encoded[i].name, texts, error);
    if (result != EBB_OK)
        ebb_encoder_destroy(&e);
    return e;
}

enum ebb_result ebb_encoder_write_integers(struct ebb_encoder *encoder, const int *samples, size_t count,
                                           struct ebb_error *error)
{
    bool all = sf_write_int(encoder->file, samples, (sf_count_t)count) == (sf_count_t)count;
    return all && !encoder->failure ? EBB_OK : fail(encoder, error);
}

enum ebb_result ebb_encoder_write_floats(struct ebb_encoder *encoder, const float *samples, size_t count,
                                         struct ebb_error *error)
{
    bool all = sf_write_float(encoder->file, samples, (sf_count_t)count) == (sf_count_t)count;
    return all && !encoder->failure ? EBB_OK : fail(encoder, error);
}

static enum ebb_result send(struct ebb_encoder *e, struct ebb_error *error)
{
    char block[1 << 14];
    enum ebb_result result = EBB_OK;
    for (e->at = 0; e->at < e->end && result == EBB_OK;) {
        size_t left = (size_t)(e->end - e->at);
        sf_count_t n = file_read(block, (sf_count_t)(left < sizeof(block) ? left : sizeof(block)), e);
        result = n > 0 ? ebb_output_write(e->output, block, (size_t)n, error)
                       : ebb_fail(error, EBB_UNREADABLE, "%s: its temporary file cannot be read", e->name);
    }
    return result;
}

enum ebb_result ebb_encoder_finish(struct ebb_encoder *encoder, struct ebb_error *error)
{
    SNDFILE *file = encoder->file;
    encoder->file = NULL;
    // A FLAC's header comes with its first samples, or when it is asked for. For an Ogg libsndfile 1.2 would
    // begin its streams once more, and leak the first ones.
    if (encoder->end == 0 && !encoder->ogg)
        sf_command(file, SFC_UPDATE_HEADER_NOW, NULL, 0);
    if (sf_close(file) != 0 && !encoder->failure)
        encoder->failure = EIO;
    if (encoder->recipe && !encoder->failure)
        write_recipe(encoder);
    if (encoder->places && !encoder->failure)
        write_places(encoder);
    if (encoder->ogg && !encoder->failure) // and sums the pages
        number_pages(encoder);
    if (encoder->failure)
        return fail(encoder, error);
    return encoder->spooled ? send(encoder, error) : EBB_OK;
}

void ebb_encoder_destroy(struct ebb_encoder **encoder)
{
    struct ebb_encoder *e = *encoder;
    if (!e)
        return;
    if (e->file)
        sf_close(e->file);
    if (e->spooled && e->fd >= 0)
        close(e->fd);
    free(e->recipe);
    free(e);
    *encoder = NULL;
}
