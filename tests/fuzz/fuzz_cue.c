// SPDX-License-Identifier: LGPL-2.1-or-later
// The text of a subtitle: the first byte says which lines count. Captions are UTF-8 of one line; each label
// is one of the list, and asked for once.
#include "../../gst-plugin/cuelabels.h"
#include "fuzz.h"

static const char *const labels[] = {"bell_chime", "bird",      "dog_bark", "door",
                                     "rain",       "sea_waves", "wind",     NULL};
enum { LABELS = sizeof(labels) / sizeof(labels[0]) - 1 };

static void check_captions(const char *text, gsize size)
{
    GArray *captions = cue_captions(text, size);
    for (guint i = 0; i < captions->len; i++) {
        const char *caption = g_array_index(captions, struct caption, i).text;
        CHECK(*caption && g_utf8_validate(caption, -1, NULL) && !strpbrk(caption, "\n\r\t\x7f"));
        CHECK(*caption != ' ' && caption[strlen(caption) - 1] != ' ');
    }
    g_array_unref(captions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cue_lexicon *lexicon;
    if (!lexicon)
        lexicon = cue_lexicon_create(labels);
    if (size == 0)
        return 0;
    check_captions((const char *)data + 1, size - 1);
    struct cue_sounds sounds = cue_sounds_read(lexicon, (const char *)data + 1, size - 1,
                                               (enum plain_lines)(data[0] % 3));
    CHECK(sounds.count <= CUE_SOUNDS_MOST);
    for (guint i = 0; i < sounds.count; i++) {
        CHECK(sounds.labels[i] >= 0 && sounds.labels[i] < LABELS);
        for (guint k = 0; k < i; k++)
            CHECK(sounds.labels[k] != sounds.labels[i]);
    }
    cue_sounds_clear(&sounds);
    return 0;
}
