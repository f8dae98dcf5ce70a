#include "backend/vulkan/options.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ebb_vk_options the_options;
static pthread_once_t the_once = PTHREAD_ONCE_INIT;

static const struct {
    const char *word;
    size_t offset;
} words[] = {
    {"validate", offsetof(struct ebb_vk_options, validate)}, {"fp32", offsetof(struct ebb_vk_options, fp32)},
    {"fp16", offsetof(struct ebb_vk_options, fp16)},         {"nofuse", offsetof(struct ebb_vk_options, nofuse)},
    {"nocoop", offsetof(struct ebb_vk_options, nocoop)},     {"nosplit", offsetof(struct ebb_vk_options, nosplit)},
    {"gpuassisted", offsetof(struct ebb_vk_options, gpuassisted)},
};

static void read_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i].word) == length && strncmp(words[i].word, word, length) == 0) {
            *(bool *)((char *)&the_options + words[i].offset) = true;
            return;
        }
    if (!the_options.unknown[0])
        snprintf(the_options.unknown, sizeof(the_options.unknown), "%.*s", (int)length, word);
}

static void read_options(void)
{
    const char *text = getenv("EBB_VULKAN");
    while (text && *text) {
        size_t length = strcspn(text, ",");
        read_word(text, length);
        text += length + (text[length] == ',');
    }
}

const struct ebb_vk_options *ebb_vk_options(void)
{
    pthread_once(&the_once, read_options);
    return &the_options;
}
