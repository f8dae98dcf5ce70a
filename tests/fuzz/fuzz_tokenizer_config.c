// SPDX-License-Identifier: LGPL-2.1-or-later
// The small files beside a tokenizer's vocabulary: the first byte chooses one and the vocabulary, the rest is
// its content. What opens has to take a few texts.
#include "fuzz.h"
#include "memory_files.h"
#include "try_tokenizer.h"

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

static void write_files(const uint8_t *data, size_t size)
{
    bool whole = data[0] / NAMES % 2;
    for (size_t i = 0; i < sizeof(vocabularies) / sizeof(vocabularies[0]); i++) {
        bool there = vocabularies[i].whole == whole;
        memory_file_put_in(vocabularies[i].name, there ? (const uint8_t *)vocabularies[i].text : NULL,
                           strlen(vocabularies[i].text));
    }
    memory_file_put_in("spiece.model", NULL, 0);
    for (int i = 0; i < NAMES; i++)
        memory_file_put_in(names[i], i == data[0] % NAMES ? data + 1 : NULL, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "</s> rar <mask>A <extra_id_3>!";
    if (size == 0)
        return 0;
    write_files(data, size);
    try_tokenizer(text, sizeof(text) - 1, data, size);
    return 0;
}
