// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb tokens: what a tokenizer makes of texts, for checking against transformers.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/lab.h>

#include "tool.h"

static void print_ids(const struct ebb_tokens *tokens)
{
    putchar('[');
    for (size_t i = 0; i < tokens->count; i++)
        printf("%s%d", i ? ", " : "", tokens->id[i]);
    puts("]");
}

static int print_text(const struct ebb_tokenizer *tokenizer, const char *text, size_t size)
{
    struct ebb_error error = {0};
    struct ebb_tokens tokens = {0};
    int code = TOOL_OK;
    if (ebb_tokenizer_encode(tokenizer, text, size, &tokens, &error) == EBB_OK)
        print_ids(&tokens);
    else
        code = tool_error(&error);
    ebb_tokens_clear(&tokens);
    return code;
}

// All of standard input is one text.
static int print_input(const struct ebb_tokenizer *tokenizer)
{
    enum { MOST = 64 << 20, ROOM = 1 << 16 };
    char *text = NULL;
    size_t size = 0, room = 0, got = 1;
    while (got > 0 && size <= MOST) {
        char *grown = size == room ? realloc(text, room = 2 * room + ROOM) : text;
        if (!grown) {
            free(text);
            return tool_fail(TOOL_FAILED, "no memory");
        }
        text = grown;
        got = fread(text + size, 1, room - size, stdin);
        size += got;
    }
    int code = ferror(stdin) ? tool_fail(TOOL_UNREADABLE, "standard input: %s", strerror(errno))
               : size > MOST ? tool_fail(TOOL_USAGE, "standard input has more than %d bytes", MOST)
                             : print_text(tokenizer, text, size);
    free(text);
    return code;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    const struct tool_option options[] = {{0}};
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first < 2)
        return tool_fail(TOOL_USAGE, "name a tokenizer's folder, and a text");
    struct ebb_error error = {0};
    struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(argv[first], &error);
    code = tokenizer ? TOOL_OK : tool_error(&error);
    for (int i = first + 1; i < argc && !code; i++)
        code = strcmp(argv[i], "-") == 0 ? print_input(tokenizer)
                                         : print_text(tokenizer, argv[i], strlen(argv[i]));
    ebb_tokenizer_destroy(&tokenizer);
    return code;
}

const struct tool_command tool_tokens = {
    .name = "tokens",
    .summary = "print the token ids of texts, for checking against transformers",
    .usage = "TOKENIZER_FOLDER TEXT...",
    .details =
        "Prints a line of JSON for each text: its ids, with those that stand before and behind a text. A "
        "text is neither cut short nor filled up. - is all of standard input.",
    .examples = "  ebb tokens riffusion-model-v1/tokenizer \"rain on a tin roof\"\n"
                "  ebb tokens riffusion-model-v1/tokenizer - < prompt.txt\n",
    .run = run,
};
