// SPDX-License-Identifier: LGPL-2.1-or-later
// Metadata of files other than RIFF: what libsndfile knows of them, as chunks of a WAV.
#include <stdlib.h>
#include <string.h>

#include "audio/file_metadata.h"
#include "audio/metadata_tags.h"
#include "audio/vorbis_order.h"
#include "audio/wav_header.h"
#include "base/byte_order.h"

enum {
    MOST_CUES = 10000,
    BEXT_FIXED = 602,     // bytes before the coding history
    CART_FIXED = 2048,    // bytes before the tag text
    MOST_TEXT = 64 << 10, // of the history and of the tag text
};

typedef SF_BROADCAST_INFO_VAR(MOST_TEXT) broadcast_info;
typedef SF_CART_INFO_VAR(MOST_TEXT) cart_info;

static bool add(struct ebb_sound_metadata *m, const char *id, const void *body, uint32_t size)
{
    m->bytes += size;
    return ebb_wav_chunks_add(&m->chunks, id, body, size) != NULL;
}

// ---- texts ----

static bool take_texts(struct ebb_sound_metadata *m, SNDFILE *file)
{
    struct ebb_wav_chunk *info = NULL;
    bool ok = true;
    for (size_t i = 0; i < METADATA_TAGS && ok; i++) {
        const char *text = sf_get_string(file, ebb_metadata_tags[i].text);
        size_t size = text ? strlen(text) + 1 : 0;
        if (!text || !*text || size > METADATA_MOST_BYTES - m->bytes)
            continue;
        if (!info)
            info = ebb_wav_chunks_add(&m->chunks, "LIST", "INFO", 4);
        ok = info && ebb_wav_chunk_append_field(info, ebb_metadata_tags[i].id, text, (uint32_t)size);
        m->bytes += size;
    }
    if (sf_get_string(file, SF_STR_LICENSE))
        ebb_metadata_lose(m, "the licence text");
    return ok;
}

// ---- broadcast and cart chunks ----

// Nearly no file has either: a small struct tells whether it is there.
static bool take_broadcast(struct ebb_sound_metadata *m, SNDFILE *file)
{
    SF_BROADCAST_INFO some = {0};
    if (sf_command(file, SFC_GET_BROADCAST_INFO, &some, sizeof(some)) != SF_TRUE)
        return true;
    broadcast_info *b = calloc(1, sizeof(*b));
    if (!b)
        return false;
    bool ok = true;
    if (sf_command(file, SFC_GET_BROADCAST_INFO, b, sizeof(*b)) == SF_TRUE) {
        uint32_t history = b->coding_history_size < MOST_TEXT ? b->coding_history_size : MOST_TEXT;
        unsigned char *body = calloc(1, BEXT_FIXED + (size_t)history);
        ok = body != NULL;
        if (ok) {
            memcpy(body, b->description, 256);
            memcpy(body + 256, b->originator, 32);
            memcpy(body + 288, b->originator_reference, 32);
            memcpy(body + 320, b->origination_date, 10);
            memcpy(body + 330, b->origination_time, 8);
            ebb_put_little(body + 338, b->time_reference_low, 4);
            ebb_put_little(body + 342, b->time_reference_high, 4);
            ebb_put_little(body + 346, (uint16_t)b->version, 2);
            memcpy(body + 348, b->umid, 64);
            ebb_put_little(body + 412, (uint16_t)b->loudness_value, 2);
            ebb_put_little(body + 414, (uint16_t)b->loudness_range, 2);
            ebb_put_little(body + 416, (uint16_t)b->max_true_peak_level, 2);
            ebb_put_little(body + 418, (uint16_t)b->max_momentary_loudness, 2);
            ebb_put_little(body + 420, (uint16_t)b->max_shortterm_loudness, 2);
            memcpy(body + BEXT_FIXED, b->coding_history, history);
            ok = add(m, "bext", body, BEXT_FIXED + history);
        }
        free(body);
    }
    free(b);
    return ok;
}

// The struct is the chunk, but for its numbers.
static bool take_cart(struct ebb_sound_metadata *m, SNDFILE *file)
{
    SF_CART_INFO some = {0};
    if (sf_command(file, SFC_GET_CART_INFO, &some, sizeof(some)) != SF_TRUE)
        return true;
    cart_info *c = calloc(1, sizeof(*c));
    if (!c)
        return false;
    bool ok = true;
    if (sf_command(file, SFC_GET_CART_INFO, c, sizeof(*c)) == SF_TRUE) {
        uint32_t text = c->tag_text_size < MOST_TEXT ? c->tag_text_size : MOST_TEXT;
        ebb_put_little((unsigned char *)&c->level_reference, (uint32_t)c->level_reference, 4);
        for (int i = 0; i < 8; i++)
            ebb_put_little((unsigned char *)&c->post_timers[i].value, (uint32_t)c->post_timers[i].value, 4);
        unsigned char *body = calloc(1, CART_FIXED + (size_t)text);
        ok = body != NULL;
        if (ok) {
            memcpy(body, c, CART_FIXED);
            memcpy(body + CART_FIXED, c->tag_text, text);
            ok = add(m, "cart", body, CART_FIXED + text);
        }
        free(body);
    }
    free(c);
    return ok;
}

// ---- marks and loops ----

static void put_cue(unsigned char *at, const SF_CUE_POINT *cue)
{
    ebb_put_little(at, (uint32_t)cue->indx, 4);
    ebb_put_little(at + 4, cue->sample_offset, 4);
    memcpy(at + 8, "data", 4);
    ebb_put_little(at + 20, cue->sample_offset, 4);
}

static bool add_label(struct ebb_wav_chunk *list, const SF_CUE_POINT *cue)
{
    unsigned char body[4 + sizeof(cue->name) + 1] = {0};
    size_t length = strnlen(cue->name, sizeof(cue->name));
    ebb_put_little(body, (uint32_t)cue->indx, 4);
    memcpy(body + 4, cue->name, length);
    return ebb_wav_chunk_append_field(list, "labl", body, (uint32_t)(4 + length + 1));
}

static bool add_cues(struct ebb_sound_metadata *m, const SF_CUE_POINT *cues, uint32_t count)
{
    struct ebb_wav_chunk *marks = ebb_wav_chunks_add(&m->chunks, "cue ", NULL, 4 + 24 * count);
    if (!marks)
        return false;
    ebb_put_little(marks->body, count, 4);
    for (uint32_t i = 0; i < count; i++)
        put_cue(marks->body + 4 + 24 * (size_t)i, cues + i);
    struct ebb_wav_chunk *labels = NULL;
    bool ok = true;
    for (uint32_t i = 0; i < count && ok; i++) {
        if (!cues[i].name[0])
            continue;
        if (!labels)
            labels = ebb_wav_chunks_add(&m->chunks, "LIST", "adtl", 4);
        ok = labels && add_label(labels, cues + i);
    }
    return ok;
}

static bool take_cues(struct ebb_sound_metadata *m, SNDFILE *file, const SF_INFO *sf)
{
    uint32_t count = 0;
    bool aiff = (sf->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_AIFF; // its marks are taken below
    if (aiff || sf_command(file, SFC_GET_CUE_COUNT, &count, sizeof(count)) != SF_TRUE || count == 0)
        return true;
    if (count > MOST_CUES) {
        ebb_metadata_lose(m, "%u marks", count);
        return true;
    }
    typedef SF_CUES_VAR(MOST_CUES) many_cues;
    size_t bytes = offsetof(many_cues, cue_points) + count * sizeof(SF_CUE_POINT);
    many_cues *cues = calloc(1, bytes);
    bool ok = cues != NULL;
    if (ok && sf_command(file, SFC_GET_CUE, cues, (int)bytes) == SF_TRUE)
        ok = add_cues(m, cues->cue_points, cues->cue_count < count ? cues->cue_count : count);
    free(cues);
    return ok;
}

static bool add_loops(struct ebb_sound_metadata *m, const SF_INSTRUMENT *s, int rate)
{
    unsigned char body[36 + 16 * 24] = {0};
    uint32_t count = s->loop_count < 0 ? 0 : s->loop_count > 16 ? 16 : (uint32_t)s->loop_count;
    ebb_put_little(body + 8, (uint64_t)(1e9 / rate), 4);
    ebb_put_little(body + 12, (unsigned char)s->basenote, 4);
    ebb_put_little(body + 28, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *loop = body + 36 + 24 * (size_t)i;
        int mode = s->loops[i].mode;
        ebb_put_little(loop, i, 4);
        ebb_put_little(loop + 4, mode == SF_LOOP_ALTERNATING ? 1 : mode == SF_LOOP_BACKWARD ? 2 : 0, 4);
        ebb_put_little(loop + 8, s->loops[i].start, 4);
        ebb_put_little(loop + 12, s->loops[i].end > 0 ? s->loops[i].end - 1 : 0, 4); // the last sample played
        ebb_put_little(loop + 20, s->loops[i].count, 4);
    }
    return add(m, "smpl", body, 36 + 24 * count);
}

static bool take_instrument(struct ebb_sound_metadata *m, SNDFILE *file, int rate)
{
    SF_INSTRUMENT s = {0};
    if (sf_command(file, SFC_GET_INSTRUMENT, &s, sizeof(s)) != SF_TRUE)
        return true;
    unsigned char inst[7] = {(unsigned char)s.basenote,   (unsigned char)s.detune,
                             (unsigned char)s.gain,       (unsigned char)s.key_lo,
                             (unsigned char)s.key_hi,     (unsigned char)s.velocity_lo,
                             (unsigned char)s.velocity_hi};
    return add_loops(m, &s, rate) && add(m, "inst", inst, sizeof(inst));
}

// ---- speakers ----

static uint32_t mask_bit(int place)
{
    static const uint32_t bits[SF_CHANNEL_MAP_MAX] = {
        [SF_CHANNEL_MAP_LEFT] = 0x1,
        [SF_CHANNEL_MAP_RIGHT] = 0x2,
        [SF_CHANNEL_MAP_CENTER] = 0x4,
        [SF_CHANNEL_MAP_FRONT_LEFT] = 0x1,
        [SF_CHANNEL_MAP_FRONT_RIGHT] = 0x2,
        [SF_CHANNEL_MAP_FRONT_CENTER] = 0x4,
        [SF_CHANNEL_MAP_LFE] = 0x8,
        [SF_CHANNEL_MAP_REAR_LEFT] = 0x10,
        [SF_CHANNEL_MAP_REAR_RIGHT] = 0x20,
        [SF_CHANNEL_MAP_FRONT_LEFT_OF_CENTER] = 0x40,
        [SF_CHANNEL_MAP_FRONT_RIGHT_OF_CENTER] = 0x80,
        [SF_CHANNEL_MAP_REAR_CENTER] = 0x100,
        [SF_CHANNEL_MAP_SIDE_LEFT] = 0x200,
        [SF_CHANNEL_MAP_SIDE_RIGHT] = 0x400,
        [SF_CHANNEL_MAP_TOP_CENTER] = 0x800,
        [SF_CHANNEL_MAP_TOP_FRONT_LEFT] = 0x1000,
        [SF_CHANNEL_MAP_TOP_FRONT_CENTER] = 0x2000,
        [SF_CHANNEL_MAP_TOP_FRONT_RIGHT] = 0x4000,
        [SF_CHANNEL_MAP_TOP_REAR_LEFT] = 0x8000,
        [SF_CHANNEL_MAP_TOP_REAR_CENTER] = 0x10000,
        [SF_CHANNEL_MAP_TOP_REAR_RIGHT] = 0x20000,
    };
    return place >= 0 && place < SF_CHANNEL_MAP_MAX ? bits[place] : 0;
}

// A mask holds places in one order only. false: these channels have another.
static bool mask_of(const int *places, int channels, uint32_t *mask)
{
    *mask = 0;
    for (int i = 0; i < channels; i++) {
        uint32_t bit = mask_bit(places[i]);
        if (bit <= *mask)
            return false; // a place beyond all so far is larger than their sum
        *mask |= bit;
    }
    return true;
}

uint32_t ebb_metadata_flac_mask(int channels)
{
    static const uint32_t masks[] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f};
    return channels <= 8 ? masks[channels] : 0;
}

static void take_places(struct ebb_sound_metadata *m, const struct ebb_sound_input *input, SNDFILE *file,
                        const SF_INFO *sf)
{
    int places[64] = {0};
    if (sf->channels < 3 || sf->channels > 64)
        return;
    if ((sf->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC || ebb_has_vorbis_order(input, sf))
        m->mask = ebb_metadata_flac_mask(sf->channels);
    else if (sf_command(file, SFC_GET_CHANNEL_MAP_INFO, places, (int)sizeof(int) * sf->channels) == SF_TRUE &&
             !mask_of(places, sf->channels, &m->mask)) {
        m->mask = 0;
        ebb_metadata_lose(m, "the channels' places, whose order a WAV does not know");
    }
}

// ---- the rest ----

// Chunks whose content was taken above, or that speak of the encoding.
static bool is_known(const char *id)
{
    static const char known[] =
        "FORM RIFF RIFX RF64 COMM SSND FVER MARK INST NAME AUTH ANNO (c)  COMT PEAK APPL "
        "fmt  fact data LIST bext cart cue  smpl inst JUNK ds64 PAD  FLLR "
        "caff desc pakt kuki info free strg";
    return strstr(known, id) != NULL;
}

// The bytes of a chunk as a new chunk of `id`. NULL with `*ok` true: it was too large, or cannot be read.
static struct ebb_wav_chunk *take_bytes(struct ebb_sound_metadata *m, SF_CHUNK_ITERATOR *at, const char *id,
                                        bool *ok)
{
    SF_CHUNK_INFO info = {0};
    *ok = true;
    if (sf_get_chunk_size(at, &info) != SF_ERR_NO_ERROR)
        return NULL;
    if (info.datalen > METADATA_MOST_BYTES - m->bytes) {
        ebb_metadata_lose(m, "%s (%u bytes; %d MiB are kept in all)", id, info.datalen,
                          METADATA_MOST_BYTES >> 20);
        return NULL;
    }
    struct ebb_wav_chunk *chunk = ebb_wav_chunks_add(&m->chunks, id, NULL, info.datalen);
    *ok = chunk != NULL;
    if (!chunk)
        return NULL;
    m->bytes += info.datalen;
    info.data = chunk->body;
    if (sf_get_chunk_data(at, &info) != SF_ERR_NO_ERROR)
        ebb_metadata_lose(m, "%s", id);
    return chunk;
}

// One mark of an AIFF: number, position, and a name behind its length. Returns the bytes that it takes, 0: it
// does not fit.
static size_t read_mark(const unsigned char *at, size_t left, SF_CUE_POINT *mark)
{
    size_t length = left > 6 ? at[6] : 0;
    if (left < 7 + length)
        return 0;
    *mark = (SF_CUE_POINT){.indx = (int32_t)ebb_big(at, 2), .sample_offset = (uint32_t)ebb_big(at + 2, 4)};
    memcpy(mark->name, at + 7, length);
    size_t bytes = 7 + length + !(length & 1);
    return bytes < left ? bytes : left;
}

// libsndfile 1.2 tells of the last mark alone, but gives the chunk.
static bool take_marks(struct ebb_sound_metadata *m, SF_CHUNK_ITERATOR *at)
{
    bool ok;
    struct ebb_wav_chunk *raw = take_bytes(m, at, "MARK", &ok);
    if (!raw)
        return ok;
    struct ebb_wav_chunk chunk = *raw; // taken out of the list again
    m->chunks.count--;
    uint32_t promised = chunk.size >= 2 ? (uint32_t)ebb_big(chunk.body, 2) : 0, count = 0;
    SF_CUE_POINT *marks = calloc(promised ? promised : 1, sizeof(*marks));
    size_t used = 0;
    for (size_t from = 2; marks && count < promised; from += used, count++) {
        used = read_mark(chunk.body + from, chunk.size - from, marks + count);
        if (used == 0)
            break;
    }
    ok = marks && (count == 0 || add_cues(m, marks, count));
    free(marks);
    free(chunk.body);
    return ok;
}

// AIFF keeps an ID3 tag in a chunk, as WAV does under another name.
static bool take_id3(struct ebb_sound_metadata *m, SF_CHUNK_ITERATOR *at)
{
    bool ok;
    take_bytes(m, at, "id3 ", &ok);
    return ok;
}

// libsndfile tells a chunk's name only together with its bytes, and divides by their count.
static bool take_or_name(struct ebb_sound_metadata *m, SF_CHUNK_ITERATOR *at)
{
    SF_CHUNK_INFO info = {0};
    char id[5] = {0}, first = 0;
    if (sf_get_chunk_size(at, &info) != SF_ERR_NO_ERROR || info.datalen == 0)
        return true;
    info.datalen = 1;
    info.data = &first;
    if (sf_get_chunk_data(at, &info) != SF_ERR_NO_ERROR)
        return true;
    memcpy(id, info.id, 4);
    if (strcmp(id, "MARK") == 0)
        return take_marks(m, at);
    if (strcmp(id, "ID3 ") == 0)
        return take_id3(m, at);
    bool places = strcmp(id, "chan") == 0 || strcmp(id, "CHAN") == 0; // of one and two there is no doubt
    if (places && m->mask == 0)
        ebb_metadata_lose(m, "the channels' places");
    else if (!places && !is_known(id))
        ebb_metadata_lose(m, "%s", id);
    return true;
}

static bool take_the_rest(struct ebb_sound_metadata *m, SNDFILE *file)
{
    bool ok = true;
    for (SF_CHUNK_ITERATOR *at = sf_get_chunk_iterator(file, NULL); at && ok; at = sf_next_chunk_iterator(at))
        ok = take_or_name(m, at);
    return ok;
}

// Small readers look for the samples right behind the format; these two are looked for in front.
static void put_behind(struct ebb_sound_metadata *m)
{
    for (size_t i = 0; i < m->chunks.count; i++) {
        struct ebb_wav_chunk *chunk = m->chunks.items + i;
        chunk->behind = strcmp(chunk->id, "bext") != 0 && strcmp(chunk->id, "cart") != 0;
    }
}

bool ebb_metadata_from_libsndfile(struct ebb_sound_metadata *metadata, const struct ebb_sound_input *input,
                                  SNDFILE *file, const SF_INFO *sf)
{
    take_places(metadata, input, file, sf);
    bool ok = take_broadcast(metadata, file) && take_cart(metadata, file) && take_texts(metadata, file) &&
              take_cues(metadata, file, sf) && take_instrument(metadata, file, sf->samplerate);
    if (ok && sf->seekable)
        ok = take_the_rest(metadata, file);
    put_behind(metadata);
    return ok;
}
