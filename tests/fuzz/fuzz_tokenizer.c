// SPDX-License-Identifier: LGPL-2.1-or-later
// A tokenizer's folder: the first byte chooses a file, the rest is its content; vocab.json and merges.txt
// come in one input, with a 0 between them. What opens has to take a few texts.
#include "fuzz.h"
#include "memory_files.h"
#include "try_tokenizer.h"

enum { VOCAB, MERGES, WHOLE, SPIECE, CONFIG, SPECIAL, EXTRA, FILES };
static const char *const names[FILES] = {"vocab.json",
                                         "merges.txt",
                                         "tokenizer.json",
                                         "spiece.model",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json"};

static void put(int file, const uint8_t *data, size_t size)
{
    memory_file_put_in(names[file], data, size);
}

static void write_files(const uint8_t *data, size_t size)
{
    static char config[64];
    for (int i = 0; i < FILES; i++)
        put(i, NULL, 0);
    const uint8_t *rest = data + 1, *zero = memchr(rest, 0, size - 1);
    size_t first = zero ? (size_t)(zero - rest) : size - 1;
    if (data[0] % 3 == 0) {
        put(VOCAB, rest, first);
        put(MERGES, zero ? zero + 1 : rest, zero ? size - 2 - first : 0);
    } else {
        put(data[0] % 3 == 1 ? WHOLE : SPIECE, rest, size - 1);
    }
    if (data[0] / 3 % 4) {
        static const char *const classes[] = {"CLIPTokenizer", "RobertaTokenizer", "T5Tokenizer"};
        int length = snprintf(config, sizeof(config), "{\"tokenizer_class\": \"%s\"}",
                              classes[data[0] / 3 % 4 - 1]);
        put(CONFIG, (const uint8_t *)config, (size_t)length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    write_files(data, size);
    try_tokenizer("Rain on a tin roof, isn't it? \xf0\x9f\x8c\xa7", 33, data, size);
    return 0;
}
