// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading a tokenizer's folder, as transformers 5 reads it: the class says how text is divided, the files
// say what the tokens are.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text_file.h"
#include "text/spiece.h"
#include "text/tokenizer_private.h"

static const struct ebb_tokenizer_class classes[] = {
    {.name = "CLIPTokenizer",
     .tokens = {"<|startoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, "<|endoftext|>"},
     .before = EBB_TOKEN_BOS,
     .behind = EBB_TOKEN_EOS,
     .lower = true,
     .split = ebb_split_clip,
     .suffix = "</w>",
     .unknown = true},
    {.name = "RobertaTokenizer",
     .tokens = {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
     .before = EBB_TOKEN_CLS,
     .behind = EBB_TOKEN_SEP,
     .split = ebb_split_gpt2,
     .suffix = ""},
    {.name = "GPT2Tokenizer",
     .tokens = {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>"},
     .before = -1,
     .behind = -1,
     .split = ebb_split_gpt2,
     .suffix = ""},
    {.name = "T5Tokenizer",
     .tokens = {NULL, "</s>", "<unk>", NULL, "<pad>"},
     .before = -1,
     .behind = EBB_TOKEN_EOS,
     .unigram = true,
     .split = ebb_split_space,
     .suffix = "",
     .extra_ids = 100},
};
enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };
enum { CLIP, ROBERTA, GPT2, T5 };

static const char *const named_keys[EBB_NAMED_TOKENS] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
};

// The files of a folder while they are read. Of a file that is not there, `root` is NULL.
struct tokenizer_reading {
    struct ebb_tokenizer *tokenizer;
    const char *folder;
    struct ebb_json_file config;  // tokenizer_config.json
    struct ebb_json_file special; // special_tokens_map.json
    struct ebb_json_file extra;   // added_tokens.json
    struct ebb_json_file whole;   // tokenizer.json
    struct ebb_json_file vocab;   // vocab.json
    struct ebb_error *error;
};

static bool has_file(const struct tokenizer_reading *r, const char *name)
{
    return ebb_file_is_in(r->folder, name);
}

static enum ebb_result read_json(const struct tokenizer_reading *r, const char *name,
                                 struct ebb_json_file *file)
{
    return has_file(r, name) ? ebb_json_read_large(file, r->folder, name, r->error) : EBB_OK;
}

// The text of a value: a string, or the "content" of an added token.
static const char *content_of(const json_t *value)
{
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    return text && strlen(text) <= EBB_LONGEST_TOKEN ? text : NULL;
}

// ---- class ----

static const struct ebb_tokenizer_class *class_named(const char *name)
{
    for (int i = 0; i < CLASSES; i++) {
        size_t length = strlen(classes[i].name);
        if (strncmp(name, classes[i].name, length) == 0 &&
            (!name[length] || strcmp(name + length, "Fast") == 0))
            return &classes[i];
    }
    return NULL;
}

// Without a name, the files tell.
static const struct ebb_tokenizer_class *class_by_files(const struct tokenizer_reading *r)
{
    const json_t *model = json_object_get(r->whole.root, "model"), *vocab = r->vocab.root;
    const char *type = json_string_value(json_object_get(model, "type"));
    if (model && (json_is_array(json_object_get(model, "vocab")) || (type && strcmp(type, "Unigram") == 0)))
        return &classes[T5];
    vocab = vocab ? vocab : json_object_get(model, "vocab");
    if (!vocab)
        return has_file(r, "spiece.model") ? &classes[T5] : NULL;
    return json_object_get(vocab, "<|startoftext|>") ? &classes[CLIP]
           : json_object_get(vocab, "<s>")           ? &classes[ROBERTA]
                                                     : &classes[GPT2];
}

static enum ebb_result choose_class(struct tokenizer_reading *r)
{
    struct ebb_tokenizer *t = r->tokenizer;
    const char *name = json_string_value(json_object_get(r->config.root, "tokenizer_class"));
    t->class = name ? class_named(name) : class_by_files(r);
    if (t->class)
        return EBB_OK;
    if (name)
        return ebb_fail(r->error, EBB_UNSUPPORTED,
                        "%s: \"tokenizer_class\" is \"%.60s\", expected one of CLIPTokenizer, "
                        "RobertaTokenizer, GPT2Tokenizer, T5Tokenizer",
                        r->config.path, name);
    return ebb_fail(r->error, EBB_NOT_FOUND,
                    "%s: no tokenizer is there: expected tokenizer.json, or vocab.json and merges.txt, or "
                    "spiece.model",
                    r->folder);
}

// A tokenizer.json that is there holds the class's own kind of model. Old ones of byte-pair encoding name
// none.
static enum ebb_result check_model(const struct tokenizer_reading *r)
{
    const json_t *model = json_object_get(r->whole.root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    const char *expected = r->tokenizer->class->unigram ? "Unigram" : "BPE";
    if (!type || strcmp(type, expected) == 0)
        return EBB_OK;
    return ebb_fail(r->error, EBB_UNSUPPORTED, "%s: \"model.type\" is \"%.60s\", expected \"%s\" of a %s",
                    r->whole.path, type, expected, r->tokenizer->class->name);
}

// ---- vocabulary ----

static enum ebb_result take_vocabulary(struct tokenizer_reading *r, const struct ebb_json *j)
{
    struct ebb_tokenizer *t = r->tokenizer;
    t->vocabulary = ebb_vocabulary_create();
    if (!t->vocabulary)
        return ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->folder);
    enum ebb_result result = EBB_OK;
    for (const char *key = NULL; result == EBB_OK && (key = ebb_json_next_key(j, key));) {
        int id = ebb_json_int(j, key, 0, 0, EBB_MOST_TOKENS - 1);
        result = j->file->result;
        if (result != EBB_OK)
            break;
        result = ebb_vocabulary_add(t->vocabulary, (struct ebb_text){key, strlen(key)}, id, r->error);
        if (result != EBB_OK)
            ebb_explain(r->error, "%s", j->file->path);
    }
    if (result == EBB_OK && ebb_vocabulary_size(t->vocabulary) == 0)
        result = ebb_fail(r->error, EBB_CORRUPT, "%s: the vocabulary is empty", j->file->path);
    return result;
}

static const char *named_content(const struct tokenizer_reading *r, int i);

static enum ebb_result start_bpe(struct tokenizer_reading *r)
{
    struct ebb_tokenizer *t = r->tokenizer;
    const char *unknown = t->class->unknown ? named_content(r, EBB_TOKEN_UNK) : NULL;
    int id = unknown ? ebb_vocabulary_find(t->vocabulary, unknown, strlen(unknown)) : -1;
    t->bpe = ebb_bpe_create(t->vocabulary, t->class->suffix, id, r->error);
    return t->bpe ? EBB_OK : r->error->code;
}

// A merge as "left right".
static enum ebb_result take_merge(struct tokenizer_reading *r, const char *line, size_t size)
{
    const char *space = memchr(line, ' ', size);
    size_t left = space ? (size_t)(space - line) : 0, right = space ? size - left - 1 : 0;
    if (!left || !right || memchr(space + 1, ' ', right))
        return ebb_fail(r->error, EBB_CORRUPT, "\"%.*s\" is no merge, expected two tokens and a space",
                        size < 60 ? (int)size : 60, line);
    return ebb_bpe_add(r->tokenizer->bpe, (struct ebb_text){line, left}, (struct ebb_text){space + 1, right},
                       r->error);
}

static enum ebb_result take_merge_lines(struct tokenizer_reading *r, const char *text, size_t size)
{
    enum ebb_result result = EBB_OK;
    for (const char *at = text, *next; result == EBB_OK && at < text + size; at = next) {
        const char *end = memchr(at, '\n', (size_t)(text + size - at));
        end = end ? end : text + size;
        next = end + 1;
        if (end > at && end[-1] == '\r')
            end--;
        if (end > at && strncmp(at, "#version", 8) != 0)
            result = take_merge(r, at, (size_t)(end - at));
    }
    return result;
}

static enum ebb_result read_merges(struct tokenizer_reading *r)
{
    const size_t most = 64 << 20;
    static const char name[] = "merges.txt";
    size_t size = 0;
    char *text = ebb_text_file_load(r->folder, name, most, "merges in UTF-8", NULL, &size, r->error);
    if (!text)
        return r->error->code;
    enum ebb_result result = take_merge_lines(r, text, size);
    if (result != EBB_OK)
        ebb_explain(r->error, "%s/%s", r->folder, name);
    free(text);
    return result;
}

static enum ebb_result take_merge_list(struct tokenizer_reading *r, const json_t *merges)
{
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; result == EBB_OK && i < json_array_size(merges); i++) {
        const json_t *merge = json_array_get(merges, i);
        const char *text = json_string_value(merge);
        const char *left = json_string_value(json_array_get(merge, 0));
        const char *right = json_string_value(json_array_get(merge, 1));
        if (text)
            result = take_merge(r, text, strlen(text));
        else if (left && right && json_array_size(merge) == 2)
            result = ebb_bpe_add(r->tokenizer->bpe, (struct ebb_text){left, strlen(left)},
                                 (struct ebb_text){right, strlen(right)}, r->error);
        else
            result = ebb_fail(r->error, EBB_CORRUPT, "\"merges[%zu]\" is no pair of tokens", i);
    }
    if (result != EBB_OK)
        ebb_explain(r->error, "%s", r->whole.path);
    return result;
}

static enum ebb_result read_bpe(struct tokenizer_reading *r)
{
    bool whole = r->whole.root != NULL;
    if (!whole && !r->vocab.root)
        return ebb_fail(r->error, EBB_NOT_FOUND, "%s: there is no tokenizer.json, and no vocab.json",
                        r->folder);
    struct ebb_json j = ebb_json_root(whole ? &r->whole : &r->vocab);
    struct ebb_json model = whole ? ebb_json_object(&j, "model") : j;
    struct ebb_json vocab = whole ? ebb_json_object(&model, "vocab") : j;
    enum ebb_result result = j.file->result;
    if (result == EBB_OK)
        result = take_vocabulary(r, &vocab);
    if (result == EBB_OK)
        result = start_bpe(r);
    if (result == EBB_OK)
        result = whole ? take_merge_list(r, json_object_get(model.object, "merges")) : read_merges(r);
    return result;
}

// ---- pieces ----

static enum ebb_result take_pieces(struct tokenizer_reading *r, const json_t *vocab)
{
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; result == EBB_OK && i < json_array_size(vocab); i++) {
        const json_t *entry = json_array_get(vocab, i), *score = json_array_get(entry, 1);
        const char *piece = json_string_value(json_array_get(entry, 0));
        if (piece && json_is_number(score))
            result = ebb_unigram_add(r->tokenizer->unigram, (struct ebb_text){piece, strlen(piece)},
                                     json_number_value(score), r->error);
        else
            result = ebb_fail(r->error, EBB_CORRUPT, "\"vocab[%zu]\" is no pair of a piece and a score", i);
    }
    if (result == EBB_OK && json_array_size(vocab) == 0)
        result = ebb_fail(r->error, EBB_CORRUPT, "\"model.vocab\" is no list of pieces");
    return result;
}

// The map of characters: in "normalizer", or in the first of its sequence that has one.
static const char *map_text(const json_t *normalizer)
{
    const json_t *list = json_object_get(normalizer, "normalizers");
    const char *text = json_string_value(json_object_get(normalizer, "precompiled_charsmap"));
    for (size_t i = 0; !text && i < json_array_size(list); i++)
        text = json_string_value(json_object_get(json_array_get(list, i), "precompiled_charsmap"));
    return text;
}

static enum ebb_result read_whole_unigram(struct tokenizer_reading *r)
{
    struct ebb_tokenizer *t = r->tokenizer;
    const char *map = map_text(json_object_get(r->whole.root, "normalizer"));
    t->unigram = ebb_unigram_create();
    if (!t->unigram)
        return ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->folder);
    enum ebb_result result = take_pieces(r,
                                         json_object_get(json_object_get(r->whole.root, "model"), "vocab"));
    if (result == EBB_OK && map && !(t->map = ebb_charsmap_create_base64(map, r->error)))
        result = r->error->code;
    if (result != EBB_OK)
        ebb_explain(r->error, "%s", r->whole.path);
    return result;
}

// <extra_id_99>, ..., <extra_id_0> follow the pieces of the file.
static enum ebb_result add_extra_pieces(struct tokenizer_reading *r, int count)
{
    enum ebb_result result = EBB_OK;
    for (int i = count - 1; result == EBB_OK && i >= 0; i--) {
        char piece[32];
        int size = snprintf(piece, sizeof(piece), "<extra_id_%d>", i);
        result = ebb_unigram_add(r->tokenizer->unigram, (struct ebb_text){piece, (size_t)size}, 0, r->error);
    }
    return result;
}

static enum ebb_result add_controls(struct tokenizer_reading *r, const struct ebb_spiece *spiece)
{
    const struct ebb_vocabulary *pieces = ebb_unigram_vocabulary(spiece->unigram);
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < ebb_vocabulary_size(pieces); i++) {
        int id;
        struct ebb_text piece = ebb_vocabulary_token(pieces, i);
        if (!piece.at || ebb_trie_longest(spiece->controls, piece.at, piece.size, &id) != piece.size)
            continue;
        struct ebb_added_token token = {.content = strndup(piece.at, piece.size), .special = true, .id = -1};
        result = token.content ? ebb_added_add(&r->tokenizer->added, &token, r->error)
                               : ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->folder);
        free(token.content);
    }
    return result;
}

static enum ebb_result read_spiece(struct tokenizer_reading *r, int extra_ids)
{
    struct ebb_spiece spiece;
    char *path = ebb_path_join(r->folder, "spiece.model");
    if (!path)
        return ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->folder);
    enum ebb_result result = ebb_spiece_read(path, &spiece, r->error);
    free(path);
    if (result != EBB_OK)
        return result;
    result = add_controls(r, &spiece);
    r->tokenizer->unigram = spiece.unigram;
    r->tokenizer->map = spiece.map;
    spiece.unigram = NULL;
    spiece.map = NULL;
    ebb_spiece_clear(&spiece);
    return result == EBB_OK ? add_extra_pieces(r, extra_ids) : result;
}

static enum ebb_result read_unigram(struct tokenizer_reading *r, int extra_ids)
{
    enum { UNKNOWN = 2 }; // T5's, whatever the file says
    enum ebb_result result = r->whole.root ? read_whole_unigram(r) : read_spiece(r, extra_ids);
    int size = result == EBB_OK ? ebb_vocabulary_size(ebb_unigram_vocabulary(r->tokenizer->unigram)) : 0;
    if (result == EBB_OK && size <= UNKNOWN)
        result = ebb_fail(r->error, EBB_CORRUPT, "%s: a vocabulary of %d pieces, expected more than %d",
                          r->folder, size, UNKNOWN);
    return result;
}

// ---- added tokens ----

static bool flag(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

// A token as transformers makes it of a string, which is special, or of an object.
static enum ebb_result add_token(struct tokenizer_reading *r, const json_t *value, bool special)
{
    struct ebb_added_token token = {.content = (char *)content_of(value), .special = true, .id = -1};
    if (!token.content)
        return ebb_fail(r->error, EBB_CORRUPT,
                        "%s: an added token is neither a string nor an object with a string as \"content\", "
                        "of at most %d bytes",
                        r->folder, EBB_LONGEST_TOKEN);
    if (json_is_object(value)) {
        token.special = special || flag(value, "special", false);
        token.normalized = flag(value, "normalized", !token.special);
        token.left = flag(value, "lstrip", false);
        token.right = flag(value, "rstrip", false);
        token.single_word = flag(value, "single_word", false);
    }
    return ebb_added_add(&r->tokenizer->added, &token, r->error);
}

// What the files say about a named token; NULL: nothing. special_tokens_map.json counts for more, where the
// config does not list the tokens itself.
static const json_t *named_value(const struct tokenizer_reading *r, int i)
{
    bool listed = json_object_get(r->config.root, "added_tokens_decoder") != NULL;
    const json_t *value = listed ? NULL : json_object_get(r->special.root, named_keys[i]);
    return value ? value : json_object_get(r->config.root, named_keys[i]);
}

static const char *named_content(const struct tokenizer_reading *r, int i)
{
    const json_t *value = named_value(r, i);
    return value ? content_of(value) : r->tokenizer->class->tokens[i];
}

static enum ebb_result add_named(struct tokenizer_reading *r)
{
    // A token that a list describes keeps what the list says.
    int listed = r->tokenizer->added.count;
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < EBB_NAMED_TOKENS; i++) {
        const json_t *value = named_value(r, i);
        const char *content = named_content(r, i);
        const struct ebb_added_token *known = content ? ebb_added_find(&r->tokenizer->added, content) : NULL;
        if (!content || (known && known - r->tokenizer->added.token < listed))
            continue;
        json_t *fallback = value ? NULL : json_string(content);
        result = add_token(r, value ? value : fallback, true);
        json_decref(fallback);
    }
    return result;
}

static enum ebb_result add_list(struct tokenizer_reading *r, const json_t *list)
{
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; result == EBB_OK && i < json_array_size(list); i++)
        result = add_token(r, json_array_get(list, i), false);
    return result;
}

// The list of tokenizer_config.json, in the order of the ids that are its keys.
static int compare_ids(const void *a, const void *b)
{
    long long left = atoll(*(const char *const *)a), right = atoll(*(const char *const *)b);
    return (left > right) - (left < right);
}

static enum ebb_result add_decoder(struct tokenizer_reading *r, json_t *decoder)
{
    size_t count = json_object_size(decoder), used = 0;
    const char **key = ebb_alloc(count + 1, sizeof(*key)), *name;
    json_t *value;
    if (!key)
        return ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->folder);
    json_object_foreach(decoder, name, value) key[used++] = name;
    qsort(key, used, sizeof(*key), compare_ids);
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; result == EBB_OK && i < used; i++)
        result = add_token(r, json_object_get(decoder, key[i]), false);
    free(key);
    return result;
}

// added_tokens.json: content -> id. Such a token is no special one.
static enum ebb_result add_extra_file(struct tokenizer_reading *r)
{
    const char *name;
    json_t *value;
    enum ebb_result result = EBB_OK;
    json_object_foreach(r->extra.root, name, value)
    {
        struct ebb_added_token token = {.content = (char *)name, .normalized = true, .id = -1};
        result = result == EBB_OK ? ebb_added_add(&r->tokenizer->added, &token, r->error) : result;
    }
    return result;
}

static enum ebb_result add_extra_ids(struct tokenizer_reading *r, int count)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < count; i++) {
        char content[32];
        snprintf(content, sizeof(content), "<extra_id_%d>", i);
        struct ebb_added_token token = {.content = content, .special = true, .id = -1};
        result = ebb_added_add(&r->tokenizer->added, &token, r->error);
    }
    return result;
}

static enum ebb_result add_all(struct tokenizer_reading *r, int extra_ids)
{
    json_t *decoder = json_object_get(r->config.root, "added_tokens_decoder");
    json_t *extra = json_object_get(r->config.root, "additional_special_tokens");
    enum ebb_result result = decoder ? add_decoder(r, decoder)
                                     : add_list(r, json_object_get(r->whole.root, "added_tokens"));
    if (result == EBB_OK && !decoder)
        result = add_extra_file(r);
    if (result == EBB_OK)
        result = add_named(r);
    if (result == EBB_OK)
        result = extra ? add_list(r, extra) : add_extra_ids(r, extra_ids);
    return result;
}

// Tokens that the vocabulary has, have its ids; others follow it.
static enum ebb_result number_added(struct tokenizer_reading *r)
{
    struct ebb_tokenizer *t = r->tokenizer;
    const struct ebb_vocabulary *vocabulary = ebb_tokenizer_vocabulary(t);
    int next = ebb_vocabulary_size(vocabulary);
    enum ebb_result result = EBB_OK;
    t->added.plain = ebb_trie_create();
    t->added.normalized = ebb_trie_create();
    bool made = t->added.plain && t->added.normalized;
    for (int i = 0; made && result == EBB_OK && i < t->added.count; i++) {
        struct ebb_added_token *token = &t->added.token[i];
        struct ebb_text content = {token->content, strlen(token->content)};
        struct ebb_text_buffer normal = {0};
        token->id = ebb_vocabulary_find(vocabulary, content.at, content.size);
        token->id = token->id < 0 ? next++ : token->id;
        if (token->normalized) {
            result = ebb_tokenizer_normalize(t, content, &normal, r->error);
            content = (struct ebb_text){normal.text, normal.size};
        }
        made = result != EBB_OK ||
               ebb_trie_add(token->normalized ? t->added.normalized : t->added.plain, content, i);
        ebb_text_clear(&normal);
    }
    return made ? result : ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->folder);
}

static enum ebb_result number_named(struct tokenizer_reading *r)
{
    struct ebb_tokenizer *t = r->tokenizer;
    const struct ebb_tokenizer_class *class = t->class;
    for (int i = 0; i < EBB_NAMED_TOKENS; i++) {
        const char *content = named_content(r, i);
        const struct ebb_added_token *token = content ? ebb_added_find(&t->added, content) : NULL;
        t->named[i] = token ? token->id : -1;
    }
    if (class->unigram)
        t->named[EBB_TOKEN_UNK] = 2;
    t->before = class->before >= 0 ? t->named[class->before] : -1;
    t->behind = class->behind >= 0 ? t->named[class->behind] : -1;
    bool begins = flag(r->config.root, "add_bos_token", false) && !r->whole.root;
    if (class->before < 0 && !class->unigram && begins)
        t->before = t->named[EBB_TOKEN_BOS];
    return EBB_OK;
}

// ---- all ----

static enum ebb_result read_files(struct tokenizer_reading *r)
{
    struct ebb_tokenizer *t = r->tokenizer;
    enum ebb_result result = read_json(r, "tokenizer_config.json", &r->config);
    if (result == EBB_OK)
        result = read_json(r, "special_tokens_map.json", &r->special);
    if (result == EBB_OK)
        result = read_json(r, "added_tokens.json", &r->extra);
    if (result == EBB_OK)
        result = read_json(r, "tokenizer.json", &r->whole);
    if (result == EBB_OK && !r->whole.root)
        result = read_json(r, "vocab.json", &r->vocab);
    if (result == EBB_OK)
        result = choose_class(r);
    if (result == EBB_OK)
        result = check_model(r);
    if (result != EBB_OK)
        return result;

    const json_t *most = json_object_get(r->config.root, "model_max_length");
    const json_t *ids = json_object_get(r->config.root, "extra_ids");
    double number = json_is_number(most) ? json_number_value(most) : INT_MAX;
    int extra_ids = t->class->extra_ids;
    if (extra_ids && json_is_number(ids) && json_number_value(ids) >= 0 && json_number_value(ids) <= 1000)
        extra_ids = (int)json_number_value(ids);
    t->most = number >= 4 && number < INT_MAX ? (int)number : INT_MAX; // transformers' "any" is 1e30
    t->prefix_space = !t->class->lower && !t->class->unigram &&
                      flag(r->config.root, "add_prefix_space", false);
    result = t->class->unigram ? read_unigram(r, extra_ids) : read_bpe(r);
    if (result == EBB_OK)
        result = add_all(r, extra_ids);
    if (result == EBB_OK)
        result = number_added(r);
    return result == EBB_OK ? number_named(r) : result;
}

enum ebb_result ebb_tokenizer_read(struct ebb_tokenizer *tokenizer, const char *folder,
                                   struct ebb_error *error)
{
    struct tokenizer_reading reading = {.tokenizer = tokenizer, .folder = folder, .error = error};
    struct ebb_json_file *files[] = {&reading.config, &reading.special, &reading.extra, &reading.whole,
                                     &reading.vocab};
    enum ebb_result result = ebb_folder_exists(folder)
                                 ? read_files(&reading)
                                 : ebb_fail(error, EBB_NOT_FOUND, "%s: there is no such folder", folder);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        ebb_json_close(files[i]);
    return result;
}
