// SPDX-License-Identifier: LGPL-2.1-or-later
// The small files beside a tokenizer's vocabulary: the first byte chooses one and the vocabulary, the rest is
// its content. What opens has to take a few texts.
#include <ebb/tokens.h>

#include "fuzz.h"
#include "memory_files.h"

static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static const struct {
    const char *name, *text;
    bool whole; // stands alone
} vocabularies[] = {
    {"vocab.json", "{\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3, \"r\": 4, \"a\": 5, \"ra\": 6}",
     false},
    {"merges.txt", "#version: 0.2\nr a\n", false},
    {"tokenizer.json",
     "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 2, \"vocab\": [[\"<pad>\", 0], [\"</s>\", 0], "
     "[\"<unk>\", 0], [\"r\", -3]]}}",
     true},
};

static void put(const char *name, const uint8_t *data, size_t size)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    memory_file_put(path, data, size);
}

static void write_files(const uint8_t *data, size_t size)
{
    bool whole = data[0] / NAMES % 2;
    for (size_t i = 0; i < sizeof(vocabularies) / sizeof(vocabularies[0]); i++) {
        bool there = vocabularies[i].whole == whole;
        put(vocabularies[i].name, there ? (const uint8_t *)vocabularies[i].text : NULL,
            strlen(vocabularies[i].text));
    }
    put("spiece.model", NULL, 0);
    for (int i = 0; i < NAMES; i++)
        put(names[i], i == data[0] % NAMES ? data + 1 : NULL, size - 1);
}

static void encode(const struct ebb_tokenizer *tokenizer, const char *text, size_t size)
{
    struct ebb_tokens tokens = {0};
    struct ebb_error error = {0};
    check_error(ebb_tokenizer_encode(tokenizer, text, size, &tokens, &error), &error);
    ebb_tokens_clear(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "</s> rar <mask>A <extra_id_3>!";
    struct ebb_error error = {0};
    if (size == 0)
        return 0;
    write_files(data, size);
    struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(fuzz_folder(), &error);
    CHECK(tokenizer || (error.code != EBB_OK && *error.message));
    if (tokenizer) {
        encode(tokenizer, text, sizeof(text) - 1);
        encode(tokenizer, (const char *)data, size < 300 ? size : 300);
    }
    ebb_tokenizer_destroy(&tokenizer);
    return 0;
}
