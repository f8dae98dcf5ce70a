// SPDX-License-Identifier: LGPL-2.1-or-later
// Tokenizers against transformers (tests/golden/make_tokenizers.py), and folders that are none.
#include <jansson.h>

#include "text/tokenizer.h"

#include "../model/scratch.h"

static json_t *read_golden(const char *name, const char *key, json_t **list)
{
    char path[700];
    snprintf(path, sizeof(path), "%s/golden/tokenizers/%s", getenv("EBB_TEST_DATA"), name);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, NULL);
    *list = json_object_get(root, key);
    if (!json_is_array(*list))
        TEST_FAIL("%s", path);
    return root;
}

static struct ebb_tokenizer *open_golden(const char *name)
{
    char path[700];
    struct ebb_error error = {0};
    snprintf(path, sizeof(path), "%s/golden/tokenizers/%s", getenv("EBB_TEST_DATA"), name);
    struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(path, &error);
    if (!tokenizer)
        TEST_FAIL("%s", error.message);
    return tokenizer;
}

static void compare(const char *name, size_t number, const struct ebb_tokens *got, const json_t *want)
{
    if (got->count != json_array_size(want))
        TEST_FAIL("%s, text %zu: %zu ids, expected %zu", name, number, got->count, json_array_size(want));
    for (size_t i = 0; i < got->count; i++)
        if (got->id[i] != (int)json_integer_value(json_array_get(want, i)))
            TEST_FAIL("%s, text %zu, id %zu: %d, expected %d", name, number, i, got->id[i],
                      (int)json_integer_value(json_array_get(want, i)));
}

static void check_texts(const char *name)
{
    char file[100];
    json_t *texts, *ids;
    snprintf(file, sizeof(file), "%s/ids.json", name);
    json_t *root = read_golden("texts.json", "texts", &texts), *golden = read_golden(file, "ids", &ids);
    struct ebb_tokenizer *tokenizer = open_golden(name);
    size_t count = json_array_size(texts);
    REQUIRE(count >= 200 && count == json_array_size(ids));
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(texts, i);
        struct ebb_tokens tokens = {0};
        struct ebb_error error = {0};
        if (ebb_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), &tokens,
                                 &error) != EBB_OK)
            TEST_FAIL("%s, text %zu: %s", name, i, error.message);
        compare(name, i, &tokens, json_array_get(ids, i));
        for (size_t k = 0; k < tokens.count; k++)
            REQUIRE(tokens.id[k] < ebb_tokenizer_size(tokenizer));
        ebb_tokens_clear(&tokens);
    }
    ebb_tokenizer_destroy(&tokenizer);
    json_decref(golden);
    json_decref(root);
}

TEST(ids_are_those_of_transformers)
{
    static const char *const names[] = {"clip",    "clip-pad",       "clip-json",    "clip-json-old",
                                        "roberta", "roberta-listed", "roberta-json", "roberta-json-old",
                                        "gpt2",    "gpt2-json",      "t5",           "t5-json"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_texts(names[i]);
}

TEST(sizes_and_pads)
{
    static const struct {
        const char *name;
        int most;
        const char *pad;
    } cases[] = {{"clip", 77, "<|endoftext|>"},
                 {"clip-pad", 16, "!"},
                 {"roberta", 512, "<pad>"},
                 {"t5", 512, "<pad>"},
                 {"t5-json", INT32_MAX, "<pad>"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ebb_tokenizer *tokenizer = open_golden(cases[i].name);
        struct ebb_tokens tokens = {0};
        REQUIRE(ebb_tokenizer_encode(tokenizer, cases[i].pad, strlen(cases[i].pad), &tokens, NULL) == EBB_OK);
        int first = strncmp(cases[i].name, "t5", 2) == 0 ? 0 : 1; // T5 has no token before a text
        REQUIRE(ebb_tokenizer_most(tokenizer) == cases[i].most);
        REQUIRE(tokens.id[first] == ebb_tokenizer_pad(tokenizer));
        ebb_tokens_clear(&tokens);
        ebb_tokenizer_destroy(&tokenizer);
    }
}

TEST(a_long_prompt_is_cut_and_the_words_are_told)
{
    static const struct {
        const char *name;
        size_t most;
        const char *text, *cut;
    } cases[] = {{"clip", 6, "rain on a tin roof the sound", "roof the sound "},
                 {"clip", 60, "rain on a tin roof", ""},
                 {"roberta", 6, "the rain on a tin roof", " tin roof"},
                 {"t5", 4, "rain on a tin roof", " tin roof"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ebb_tokenizer *tokenizer = open_golden(cases[i].name);
        struct ebb_tokens tokens = {0};
        struct ebb_text_buffer cut = {0};
        REQUIRE(ebb_tokenizer_encode(tokenizer, cases[i].text, strlen(cases[i].text), &tokens, NULL) ==
                EBB_OK);
        int last = tokens.id[tokens.count - 1];
        ebb_tokenizer_cut(tokenizer, &tokens, cases[i].most, &cut);
        ebb_text_add(&cut, "", 1);
        REQUIRE_STRING(cut.text, cases[i].cut);
        REQUIRE(tokens.count <= cases[i].most && tokens.id[tokens.count - 1] == last);
        ebb_text_clear(&cut);
        ebb_tokens_clear(&tokens);
        ebb_tokenizer_destroy(&tokenizer);
    }
}

TEST(a_text_of_a_megabyte)
{
    enum { SIZE = 1 << 20 };
    static const char *const names[] = {"clip", "roberta", "t5"};
    static const char *const parts[] = {"a", "<", " ", "tin roof "};
    char *text = malloc(SIZE);
    REQUIRE(text != NULL);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++) {
            struct ebb_tokenizer *tokenizer = open_golden(names[i]);
            struct ebb_tokens tokens = {0};
            for (size_t at = 0; at < SIZE; at++)
                text[at] = parts[k][at % strlen(parts[k])];
            REQUIRE(ebb_tokenizer_encode(tokenizer, text, SIZE, &tokens, NULL) == EBB_OK);
            ebb_tokens_clear(&tokens);
            text[SIZE - 1] = (char)0x80;
            REQUIRE(ebb_tokenizer_encode(tokenizer, text, SIZE, &tokens, NULL) == EBB_INVALID);
            ebb_tokenizer_destroy(&tokenizer);
        }
    free(text);
}

// ---- folders that are none ----

static void refused(enum ebb_result code, const char *word1, const char *word2)
{
    struct ebb_error error = {0};
    struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(scratch, &error);
    printf("# %s\n", error.message);
    if (tokenizer)
        TEST_FAIL("accepted; expected %s with \"%s\"", ebb_result_name(code), word1);
    if (error.code != code || !strstr(error.message, word1) || !strstr(error.message, word2))
        TEST_FAIL("expected %s with \"%s\" and \"%s\"", ebb_result_name(code), word1, word2);
}

static void write_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

TEST(damaged_folders_are_refused)
{
    static const struct {
        const char *copy, *file, *old, *new;
        enum ebb_result code;
        const char *word1, *word2;
    } cases[] = {
        {"clip", "tokenizer_config.json", "CLIPTokenizer", "BertTokenizer", EBB_UNSUPPORTED, "BertTokenizer",
         "T5Tokenizer"},
        {"clip", "vocab.json", "0", "1048576", EBB_CORRUPT, "vocab.json", "1048575"},
        {"clip", "vocab.json", "0", "-1", EBB_CORRUPT, "vocab.json", "-1"},
        {"clip", "vocab.json", "0", "1.5", EBB_CORRUPT, "vocab.json", "1.5"},
        {"clip", "vocab.json", "0", "\"x\"", EBB_CORRUPT, "vocab.json", "\"x\""},
        {"clip", "vocab.json", "{", "[", EBB_CORRUPT, "vocab.json", "line"},
        {"clip", "merges.txt", "#version: 0.2\n", "rain wind\n", EBB_CORRUPT, "merges.txt", "\"rain\""},
        {"clip", "merges.txt", "#version: 0.2\n", "a b c\n", EBB_CORRUPT, "merges.txt", "\"a b c\""},
        {"clip", "merges.txt", "#version: 0.2\n", "ab\n", EBB_CORRUPT, "merges.txt", "\"ab\""},
        {"clip", "merges.txt", "#version: 0.2\n", "version https://git-lfs", EBB_CORRUPT, "merges.txt",
         "Git LFS"},
        {"clip", "vocab.json", "{", "version https://git-lfs", EBB_CORRUPT, "vocab.json", "Git LFS"},
        {"clip", "vocab.json", "{", "\xff\xfe{", EBB_CORRUPT, "vocab.json", "UTF-16"},
        {"clip-json", "tokenizer.json", "\"merges\": [", "\"merges\": [7,", EBB_CORRUPT, "tokenizer.json",
         "merges[0]"},
        {"roberta-json", "tokenizer.json", "\"type\": \"BPE\"", "\"type\": \"WordPiece\"", EBB_UNSUPPORTED,
         "WordPiece", "\"BPE\""},
        {"t5-json", "tokenizer.json", "\"type\": \"Unigram\"", "\"type\": \"BPE\"", EBB_UNSUPPORTED,
         "\"BPE\"", "Unigram"},
        {"clip-json", "tokenizer.json", "\"vocab\": {", "\"vocab\": {}, \"was\": {", EBB_CORRUPT,
         "tokenizer.json", "empty"},
        {"clip-json", "tokenizer.json", "\"content\": \"steam train\"", "\"content\": 8", EBB_CORRUPT,
         "added token", "string"},
        {"t5-json", "tokenizer.json", "\"precompiled_charsmap\": \"", "\"precompiled_charsmap\": \"!",
         EBB_CORRUPT, "tokenizer.json", "base64"},
        {"t5-json", "tokenizer.json", "\"precompiled_charsmap\": \"", "\"precompiled_charsmap\": \"AAAA",
         EBB_CORRUPT, "tokenizer.json", "map of characters"},
        {"t5-json", "tokenizer.json", "\"vocab\": [", "\"vocab\": [[3, 4],", EBB_CORRUPT, "tokenizer.json",
         "vocab[0]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char folder[100];
        snprintf(folder, sizeof(folder), "golden/tokenizers/%s", cases[i].copy);
        scratch_make(folder);
        scratch_replace(cases[i].file, cases[i].old, cases[i].new);
        refused(cases[i].code, cases[i].word1, cases[i].word2);
    }
    scratch_remove();
}

#define MARK "\xef\xbb\xbf" // a byte order mark

TEST(a_mark_in_front_of_a_file_is_none_of_its_text)
{
    scratch_make("golden/tokenizers/clip");
    scratch_replace("vocab.json", "{", MARK "{");
    scratch_replace("merges.txt", "#version", MARK "#version");
    struct ebb_error error = {0};
    struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(scratch, &error);
    if (!tokenizer)
        TEST_FAIL("%s", error.message);
    ebb_tokenizer_destroy(&tokenizer);
    scratch_remove();
}

TEST(folders_without_a_tokenizer)
{
    scratch_make(NULL);
    refused(EBB_NOT_FOUND, "no tokenizer is there", "spiece.model");
    write_text("vocab.json", "{\"<|startoftext|>\": 0, \"<|endoftext|>\": 1}");
    refused(EBB_NOT_FOUND, "merges.txt", "no such file");
    write_text("tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}");
    refused(EBB_NOT_FOUND, "spiece.model", "no such file");
    char deep[2 * 60 + 1];
    memset(deep, '[', 60);
    memset(deep + 60, ']', 60);
    deep[120] = 0;
    write_text("tokenizer.json", deep);
    refused(EBB_CORRUPT, "tokenizer.json", "levels");
    scratch_remove();
    struct ebb_error error = {0};
    REQUIRE(!ebb_tokenizer_open("/nowhere", &error) && error.code == EBB_NOT_FOUND);
}

// Cut anywhere, the file is refused or is a smaller model; no byte outside of it is read.
TEST(a_sentencepiece_model_that_is_cut_short)
{
    size_t size;
    scratch_make("golden/tokenizers/t5");
    char *data = scratch_read("spiece.model", &size);
    int refusals = 0;
    for (size_t cut = 0; cut < size; cut += cut < 500 ? 1 : 487) {
        char *part = malloc(cut + 1); // as long as the file: sanitizers see what is read beyond it
        REQUIRE(part != NULL);
        memcpy(part, data, cut);
        scratch_write("spiece.model", part, cut);
        free(part);
        struct ebb_error error = {0};
        struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(scratch, &error);
        refusals += !tokenizer;
        if (!tokenizer && !strstr(error.message, "spiece.model") && !strstr(error.message, "vocabulary of"))
            TEST_FAIL("cut at %zu: %s", cut, error.message);
        ebb_tokenizer_destroy(&tokenizer);
    }
    REQUIRE(refusals > 500);
    scratch_write("spiece.model", data, 0);
    refused(EBB_CORRUPT, "spiece.model", "no pieces");
    write_text("spiece.model", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
    refused(EBB_CORRUPT, "spiece.model", "cut short");
    write_text("spiece.model", "version https://git-lfs");
    refused(EBB_CORRUPT, "spiece.model", "Git LFS");
    write_text("spiece.model", "\x12\x02\x18\x02"); // trainer_spec.model_type 2, byte pairs
    refused(EBB_UNSUPPORTED, "spiece.model", "unigram");
    free(data);
    scratch_remove();
}

TEST_MAIN
