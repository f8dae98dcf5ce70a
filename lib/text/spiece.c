// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/spiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/file.h"
#include "base/file_kind.h"

// ---- protocol buffers ----

// What is left of a message. A field is a number and a type, then its value.
struct message {
    const unsigned char *at;
    size_t size;
};

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct wire_field {
    unsigned number, type;
    uint64_t value;        // WIRE_VARINT, WIRE_32
    struct message inside; // WIRE_BYTES
};

static bool take_varint(struct message *m, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && m->size > 0; shift += 7) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a message of some size has bytes
        unsigned char byte = *m->at++;
        m->size--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool take_bytes(struct message *m, uint64_t size, struct message *inside)
{
    if (size > m->size)
        return false;
    *inside = (struct message){m->at, (size_t)size};
    m->at += size;
    m->size -= (size_t)size;
    return true;
}

static bool take_field(struct message *m, struct wire_field *field)
{
    uint64_t tag, size;
    *field = (struct wire_field){0};
    if (!take_varint(m, &tag) || tag >> 3 == 0 || tag >> 32)
        return false;
    field->number = (unsigned)(tag >> 3);
    field->type = tag & 7;
    switch (field->type) {
    case WIRE_VARINT: return take_varint(m, &field->value);
    case WIRE_64: return take_bytes(m, 8, &field->inside);
    case WIRE_BYTES: return take_varint(m, &size) && take_bytes(m, size, &field->inside);
    case WIRE_32: break;
    default: return false;
    }
    if (!take_bytes(m, 4, &field->inside))
        return false;
    for (int i = 3; i >= 0; i--)
        field->value = field->value << 8 | field->inside.at[i];
    return true;
}

// ---- sentencepiece_model.proto ----

enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TYPE_CONTROL = 3 };
enum { TRAINER_MODEL = 3 };
enum { KIND_UNIGRAM = 1 };
enum { NORMALIZER_MAP = 2 };

struct vocabulary_piece {
    struct ebb_text text;
    float score;
    uint64_t type;
};

static bool take_piece(struct message m, struct vocabulary_piece *piece)
{
    *piece = (struct vocabulary_piece){.type = 1};
    while (m.size > 0) {
        struct wire_field field;
        if (!take_field(&m, &field))
            return false;
        uint32_t bits = (uint32_t)field.value;
        if (field.number == PIECE_TEXT && field.type == WIRE_BYTES)
            piece->text = (struct ebb_text){(const char *)field.inside.at, field.inside.size};
        if (field.number == PIECE_SCORE && field.type == WIRE_32)
            memcpy(&piece->score, &bits, sizeof(bits));
        if (field.number == PIECE_TYPE && field.type == WIRE_VARINT)
            piece->type = field.value;
    }
    return true;
}

static enum ebb_result add_piece(struct ebb_spiece *spiece, struct message m, struct ebb_error *error)
{
    struct vocabulary_piece piece;
    if (!take_piece(m, &piece) || !piece.text.at)
        return ebb_fail(error, EBB_CORRUPT, "a piece is cut short");
    int id = ebb_vocabulary_size(ebb_unigram_vocabulary(spiece->unigram));
    enum ebb_result result = ebb_text_check(piece.text.at, piece.text.size, error);
    if (result != EBB_OK)
        ebb_explain(error, "piece %d", id);
    if (result == EBB_OK)
        result = ebb_unigram_add(spiece->unigram, piece.text, piece.score, error);
    if (result == EBB_OK && piece.type == TYPE_CONTROL && !ebb_trie_add(spiece->controls, piece.text, id))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for tokens");
    return result;
}

static enum ebb_result check_trainer(struct message m, struct ebb_error *error)
{
    while (m.size > 0) {
        struct wire_field field;
        if (!take_field(&m, &field))
            return ebb_fail(error, EBB_CORRUPT, "it is cut short");
        if (field.number == TRAINER_MODEL && field.type == WIRE_VARINT && field.value != KIND_UNIGRAM)
            return ebb_fail(error, EBB_UNSUPPORTED, "its model is of kind %llu, expected 1, unigram",
                            (unsigned long long)field.value);
    }
    return EBB_OK;
}

static enum ebb_result take_map(struct ebb_spiece *spiece, struct message m, struct ebb_error *error)
{
    while (m.size > 0) {
        struct wire_field field;
        if (!take_field(&m, &field))
            return ebb_fail(error, EBB_CORRUPT, "it is cut short");
        if (field.number != NORMALIZER_MAP || field.type != WIRE_BYTES || field.inside.size == 0)
            continue;
        ebb_charsmap_destroy(&spiece->map);
        spiece->map = ebb_charsmap_create(field.inside.at, field.inside.size, error);
        if (!spiece->map)
            return error->code;
    }
    return EBB_OK;
}

static enum ebb_result take_model(struct ebb_spiece *spiece, struct message m, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    while (result == EBB_OK && m.size > 0) {
        struct wire_field field;
        if (!take_field(&m, &field))
            return ebb_fail(error, EBB_CORRUPT, "it is cut short, or it is no sentencepiece model");
        if (field.type != WIRE_BYTES)
            continue;
        if (field.number == MODEL_PIECES)
            result = add_piece(spiece, field.inside, error);
        if (field.number == MODEL_TRAINER)
            result = check_trainer(field.inside, error);
        if (field.number == MODEL_NORMALIZER)
            result = take_map(spiece, field.inside, error);
    }
    return result;
}

enum ebb_result ebb_spiece_read(const char *path, struct ebb_spiece *spiece, struct ebb_error *error)
{
    const size_t most = 64 << 20;
    size_t size = 0;
    error = EBB_ERROR(error);
    *spiece = (struct ebb_spiece){.unigram = ebb_unigram_create(), .controls = ebb_trie_create()};
    char *data = ebb_file_load(path, most, &size, error);
    enum ebb_result result = data && !ebb_file_is_something_else(path, data, size, "a SentencePiece model",
                                                                 error)
                                 ? EBB_OK
                                 : error->code;
    if (result == EBB_OK && (!spiece->unigram || !spiece->controls))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    else if (result == EBB_OK) {
        result = take_model(spiece, (struct message){(const unsigned char *)data, size}, error);
        if (result == EBB_OK && ebb_vocabulary_size(ebb_unigram_vocabulary(spiece->unigram)) == 0)
            result = ebb_fail(error, EBB_CORRUPT, "it has no pieces");
        if (result != EBB_OK)
            ebb_explain(error, "%s", path);
    }
    free(data);
    if (result != EBB_OK)
        ebb_spiece_clear(spiece);
    return result;
}

void ebb_spiece_clear(struct ebb_spiece *spiece)
{
    ebb_unigram_destroy(&spiece->unigram);
    ebb_charsmap_destroy(&spiece->map);
    ebb_trie_destroy(&spiece->controls);
}
