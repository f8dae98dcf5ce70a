// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/container.h"

#include <string.h>

#include "audio/fixed_header.h"
#include "base/byte_order.h"

enum { PCM = 1, FLOAT = 3, ALAW = 6, ULAW = 7, EXTENSIBLE = 0xfffe }; // codings of a WAV

struct ebb_container {
    const char *magic, *form; // at 0 and 8; form NULL: anything
    size_t start;             // where the chunks begin
    size_t id, size;          // bytes of a chunk's name and of its size
    bool big;                 // endian
    bool inclusive;           // the size counts the chunk's own head
    size_t align;
    const char *data;    // name of the chunk of samples
    size_t prefix;       // bytes in it before the samples
    bool streams, wide;  // wide: the size stands in a chunk "ds64"
    uint64_t least_open; // sizes from here on are not known ones
};

static const struct ebb_container containers[] = {
    {"RIFF", "WAVE", 12, 4, 4, false, false, 2, "data", 0, true, false, 0x7fff0000},
    {"RF64", "WAVE", 12, 4, 4, false, false, 2, "data", 0, true, true, 1ull << 60},
    {"BW64", "WAVE", 12, 4, 4, false, false, 2, "data", 0, true, true, 1ull << 60},
    {"RIFX", "WAVE", 12, 4, 4, true, false, 2, "data", 0, false, false, 0x7fff0000},
    {"FORM", "AIFF", 12, 4, 4, true, false, 2, "SSND", 8, false, false, 0x7f000000},
    {"FORM", "AIFC", 12, 4, 4, true, false, 2, "SSND", 8, false, false, 0x7f000000},
    {"FORM", "8SVX", 12, 4, 4, true, false, 2, "BODY", 0, false, false, 0x7f000000},
    {"FORM", "16SV", 12, 4, 4, true, false, 2, "BODY", 0, false, false, 0x7f000000},
    {"caff", NULL, 8, 4, 8, true, false, 1, "data", 4, false, false, 1ull << 60},
    {"riff", NULL, 40, 16, 8, false, true, 8, "data", 0, false, false, 1ull << 60},
    {".snd", NULL, 0, 0, 4, true, false, 1, NULL, 0, true, false, 0x7f000000},
};

static uint64_t number(const unsigned char *bytes, size_t count, bool big)
{
    return big ? ebb_big(bytes, (int)count) : ebb_little(bytes, (int)count);
}

static const struct ebb_container *recognise(const unsigned char head[12])
{
    const struct ebb_container *found = NULL;
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]) && !found; i++) {
        const struct ebb_container *c = &containers[i];
        if (memcmp(head, c->magic, 4) == 0 && (!c->form || memcmp(head + 8, c->form, 4) == 0))
            found = c;
    }
    return found;
}

static bool is_w64(const struct ebb_container *c)
{
    return strcmp(c->magic, "riff") == 0;
}

struct container_chunk {
    unsigned char id[16];
    uint64_t body, length, next; // a length that says nothing has no next
};

static bool read_chunk(const struct ebb_container *c, ebb_peek *peek, void *file, uint64_t at,
                       struct container_chunk *chunk)
{
    unsigned char head[24];
    size_t size = c->id + c->size;
    if (!peek(file, at, head, size))
        return false;
    memcpy(chunk->id, head, c->id);
    chunk->length = number(head + c->id, c->size, c->big);
    if (c->inclusive)
        chunk->length = chunk->length > size ? chunk->length - size : 0;
    chunk->body = at + size;
    uint64_t padded = (chunk->length + c->align - 1) / c->align * c->align;
    chunk->next = chunk->length < INT64_MAX / 2 ? chunk->body + padded : INT64_MAX;
    return true;
}

static void patch(struct ebb_layout *l, uint64_t at, const void *bytes)
{
    if (l->patched == EBB_MOST_PATCHES)
        return;
    struct ebb_patch *p = &l->patches[l->patched++];
    p->at = at;
    memcpy(p->bytes, bytes, sizeof(p->bytes));
}

// The byte behind a chunk is shown as its last one.
static void patch_odd_size(struct ebb_layout *l, const struct container_chunk *chunk)
{
    unsigned char even[4];
    for (size_t i = 0; i < sizeof(even); i++)
        even[i] = (unsigned char)((chunk->length + 1) >> (8 * i));
    patch(l, chunk->body - sizeof(even), even);
}

// libsndfile takes the samples of an extensible format of a W64 for integers, whatever it says further on.
static void patch_coding(struct ebb_layout *l, const struct container_chunk *format, ebb_peek *peek,
                         void *file)
{
    enum { LENGTH = 40, AT = 24 }; // of an extensible format; where it says which coding
    unsigned char head[4], coding[2];
    if (format->length < LENGTH || !peek(file, format->body, head, sizeof(head)) ||
        !peek(file, format->body + AT, coding, sizeof(coding)))
        return;
    int code = (int)number(coding, sizeof(coding), false);
    memcpy(head, coding, sizeof(coding));
    if (l->coding == EXTENSIBLE && (code == FLOAT || code == ALAW || code == ULAW))
        patch(l, format->body, head);
}

// AU has no chunks: offset, size.
static void find_au(struct ebb_layout *l, ebb_peek *peek, void *file)
{
    unsigned char head[24];
    if (!peek(file, 0, head, sizeof(head)))
        return;
    l->data = number(head + 4, 4, true);
    l->size_at = 8;
    l->promised = number(head + 8, 4, true);
}

static void find_chunks(struct ebb_layout *l, ebb_peek *peek, void *file)
{
    const struct ebb_container *c = l->container;
    struct container_chunk chunk;
    uint64_t wide = UINT64_MAX, wide_at = 0;
    for (uint64_t at = c->start; l->chunks < EBB_MOST_CHUNKS && read_chunk(c, peek, file, at, &chunk);
         at = chunk.next) {
        unsigned char field[8];
        l->chunks++;
        if (memcmp(chunk.id, "fmt ", 4) == 0 && peek(file, chunk.body, field, 2))
            l->coding = (int)number(field, 2, c->big);
        if (memcmp(chunk.id, "fmt ", 4) == 0 && is_w64(c))
            patch_coding(l, &chunk, peek, file);
        if (c->wide && memcmp(chunk.id, "ds64", 4) == 0 && peek(file, wide_at = chunk.body + 8, field, 8))
            wide = number(field, 8, false);
        bool data = memcmp(chunk.id, c->data, 4) == 0;
        if (!c->big && c->size == 4 && !data && chunk.length % 2 == 1)
            patch_odd_size(l, &chunk);
        if (!data)
            continue;
        l->size_at = c->wide && wide_at ? wide_at : chunk.body - c->size;
        l->data = chunk.body + c->prefix;
        l->promised = c->wide && wide_at ? wide : chunk.length;
        l->promised -= l->promised >= c->prefix ? c->prefix : l->promised;
        return;
    }
}

void ebb_layout_find(struct ebb_layout *l, ebb_peek *peek, void *file)
{
    unsigned char head[12];
    *l = (struct ebb_layout){0};
    if (!peek(file, 0, head, sizeof(head)))
        return;
    l->container = recognise(head);
    if (!l->container && !ebb_fixed_header_find(peek, file, &l->data, &l->promised))
        l->data = 0;
    if (!l->container)
        return;
    if (strcmp(l->container->magic, "BW64") == 0)
        patch(l, 0, "RF64");
    if (l->container->data)
        find_chunks(l, peek, file);
    else
        find_au(l, peek, file);
    l->open = l->promised == 0 || l->promised >= l->container->least_open;
    l->endless = l->promised == 0 || (l->open && l->promised >= UINT32_MAX - 64);
}

// Samples one by one; what is coded in blocks (ADPCM, MPEG) is gone back in.
static bool is_plain(const struct ebb_layout *l)
{
    return l->coding == PCM || l->coding == FLOAT || l->coding == ALAW || l->coding == ULAW ||
           l->coding == EXTENSIBLE;
}

bool ebb_layout_is_patched(const struct ebb_layout *l)
{
    return l->container && (l->container->wide || is_w64(l->container));
}

bool ebb_layout_streams(const struct ebb_layout *l)
{
    return l->container && l->container->streams && l->data && (!l->container->form || is_plain(l));
}

uint64_t ebb_layout_end(const struct ebb_layout *l, ebb_peek *peek, void *file)
{
    enum { HEAD = 8, SIZE_AT = 4, WIDE_AT = 20 }; // the size of a whole RF64 stands in its first chunk, ds64
    const struct ebb_container *c = l->container;
    unsigned char size[8];
    uint64_t samples_end = l->data + l->promised;
    if (is_w64(c))
        return samples_end;
    bool narrow = c->form && !c->wide;
    if ((!narrow && !c->wide) || !peek(file, narrow ? SIZE_AT : WIDE_AT, size, narrow ? 4 : 8))
        return 0;
    uint64_t end = number(size, narrow ? 4 : 8, c->big);
    end = end < INT64_MAX / 2 ? HEAD + end + end % 2 : 0;
    return end >= samples_end ? end : 0;
}

bool ebb_layout_begins_again(const struct ebb_layout *l, uint64_t at, ebb_peek *peek, void *file)
{
    unsigned char head[12];
    return l->container && peek(file, at, head, sizeof(head)) && recognise(head) == l->container;
}

bool ebb_layout_is_more(const struct ebb_layout *l, uint64_t at, ebb_peek *peek, void *file)
{
    const struct ebb_container *c = l->container;
    struct container_chunk chunk = {0};
    if (!c || !c->data || l->open || l->data == 0)
        return false;
    uint64_t next = l->data + (l->promised + c->align - 1) / c->align * c->align;
    for (int i = 0; i < EBB_MOST_CHUNKS && next < at && read_chunk(c, peek, file, next, &chunk); i++)
        next = chunk.next;
    return next == at && read_chunk(c, peek, file, at, &chunk) && memcmp(chunk.id, c->data, 4) == 0;
}

bool ebb_layout_can_be_rf64(const struct ebb_layout *l)
{
    return l->container && strcmp(l->container->magic, "RIFF") == 0 && is_plain(l);
}

size_t ebb_layout_size_field(const struct ebb_layout *l, uint64_t bytes, unsigned char field[8])
{
    const struct ebb_container *c = l->container;
    size_t count = c->wide ? 8 : c->size;
    uint64_t value = bytes + c->prefix + (c->inclusive ? c->id + c->size : 0);
    if (count == 4 && value >= UINT32_MAX)
        return 0;
    for (size_t i = 0; i < count; i++)
        field[i] = (unsigned char)(value >> (8 * (c->big ? count - 1 - i : i)));
    return count;
}

bool ebb_layout_is_empty(const struct ebb_layout *l, uint64_t file_size, ebb_peek *peek, void *file)
{
    struct container_chunk chunk;
    if (l->promised != 0 || !l->container->data)
        return false;
    uint64_t at = l->data;
    for (int i = 0; i < EBB_MOST_CHUNKS && at < file_size && read_chunk(l->container, peek, file, at, &chunk);
         i++)
        at = chunk.next;
    return at == file_size;
}

bool ebb_wav_is_chunk(const unsigned char bytes[8])
{
    bool letters = true;
    for (int i = 0; i < 4; i++)
        letters = letters && bytes[i] >= ' ' && bytes[i] < 0x7f;
    return letters && (number(bytes + 4, 4, false) < 0x7fff0000 || memcmp(bytes, "data", 4) == 0);
}

// From `at` on chunks follow one another up to the last byte.
static bool chunks_to_the_end(const unsigned char *bytes, size_t at, size_t count)
{
    while (at + 8 <= count && ebb_wav_is_chunk(bytes + at)) {
        uint64_t length = number(bytes + at + 4, 4, false);
        if (memcmp(bytes + at, "data", 4) == 0)
            return at + 8 == count; // a second header
        at += 8 + (size_t)(length + (length & 1));
    }
    return at == count;
}

size_t ebb_wav_tail(const unsigned char *last, size_t count)
{
    size_t first = count > EBB_TAIL_BYTES ? count - EBB_TAIL_BYTES : 0;
    for (size_t at = first; at + 12 <= count; at++) {
        bool list = memcmp(last + at, "LIST", 4) == 0 && memcmp(last + at + 8, "INFO", 4) == 0;
        bool header = memcmp(last + at, "RIFF", 4) == 0 && memcmp(last + at + 8, "WAVE", 4) == 0;
        if ((list && chunks_to_the_end(last, at, count)) ||
            (header && chunks_to_the_end(last, at + 12, count)))
            return count - at;
    }
    return 0;
}

bool ebb_ogg_ends(const unsigned char *last, size_t count)
{
    enum { HEAD = 27, FLAGS = 5, LAST_PAGE = 4, SEGMENTS = 26 };
    size_t at = count < HEAD ? 0 : count - HEAD + 1;
    while (at > 0 && memcmp(last + at - 1, "OggS", 4) != 0)
        at--;
    if (at == 0)
        return false;
    const unsigned char *page = last + at - 1;
    size_t left = count - (at - 1), size = HEAD + (size_t)page[SEGMENTS];
    for (size_t i = HEAD; i < HEAD + (size_t)page[SEGMENTS] && i < left; i++)
        size += page[i];
    return (page[FLAGS] & LAST_PAGE) && size <= left;
}

bool ebb_ogg_is_chain(ebb_peek *peek, void *file)
{
    enum { HEAD = 27, FLAGS = 5, BEGINS = 2, SEGMENTS = 26, MOST_PAGES = 1 << 20 }; // 4 GiB of usual pages
    unsigned char page[HEAD], sizes[255];
    uint64_t at = 0;
    bool begun = false, chain = false;
    for (int i = 0; i < MOST_PAGES && !chain && peek(file, at, page, HEAD) && memcmp(page, "OggS", 4) == 0 &&
                    peek(file, at + HEAD, sizes, page[SEGMENTS]);
         i++) {
        chain = begun && (page[FLAGS] & BEGINS);
        begun = begun || !(page[FLAGS] & BEGINS); // several that are heard at once begin together
        at += HEAD + (uint64_t)page[SEGMENTS];
        for (int k = 0; k < page[SEGMENTS]; k++)
            at += sizes[k];
    }
    return chain;
}
