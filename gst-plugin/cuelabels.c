// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuelabels.h"

#include <math.h>
#include <string.h>

enum {
    WORDS_MOST = 64, // of a part of a caption; words after them are not read
    PARTS_MOST = 32, // of all captions of a cue; parts after them are not read
};

// ---- words ----

// Ends a word's stem has lost: its forms agree then. "barks", "barked" and "barking" are "bark"; "crying",
// "cries" and "cry" are "cri"; "chime" and "chiming" are "chim".
static gboolean cut(char *word, const char *ending, const char *instead)
{
    enum { SHORTEST = 3 }; // "ring" and "bed" keep their ends
    gsize length = strlen(word), end = strlen(ending);
    if (length < end + SHORTEST || !g_str_has_suffix(word, ending))
        return FALSE;
    memcpy(word + length - end, instead, strlen(instead) + 1);
    return TRUE;
}

static gboolean is_doubled(const char *word)
{
    gsize length = strlen(word);
    return length > 3 && word[length - 1] == word[length - 2] && !strchr("lsz", word[length - 1]);
}

// "clapp" of "clapping" is "clap".
static void undouble(char *word)
{
    if (is_doubled(word))
        word[strlen(word) - 1] = '\0';
}

static void stem(char *word)
{
    if (cut(word, "ies", "i") || cut(word, "ied", "i"))
        return;
    if (cut(word, "ing", "") || cut(word, "ed", ""))
        undouble(word);
    else if (!cut(word, "sses", "ss") && !cut(word, "shes", "sh") && !cut(word, "ches", "ch") &&
             !cut(word, "xes", "x") && !g_str_has_suffix(word, "ss"))
        cut(word, "s", "");
    if (!cut(word, "e", "") && !cut(word, "y", "i") && strcmp(word, "cry") == 0)
        strcpy(word, "cri");
}

// The stems of a text's words, at most WORDS_MOST; g_strfreev() frees them. An apostrophe stands inside a
// word.
static GStrv stems_of(const char *text)
{
    char *low = g_utf8_strdown(text, -1);
    GPtrArray *words = g_ptr_array_new();
    GString *word = g_string_new(NULL);
    for (const char *at = low;; at = g_utf8_next_char(at)) {
        gunichar letter = g_utf8_get_char(at);
        if (letter && g_unichar_isalnum(letter)) {
            g_string_append_unichar(word, letter);
        } else if (letter != '\'' && letter != 0x2019 && word->len) {
            char *copy = g_strdup(word->str);
            stem(copy);
            g_ptr_array_add(words, copy);
            g_string_truncate(word, 0);
        }
        if (!letter || words->len == WORDS_MOST)
            break;
    }
    g_ptr_array_add(words, NULL);
    g_string_free(word, TRUE);
    g_free(low);
    return (GStrv)g_ptr_array_free(words, FALSE);
}

static int place_of(GStrv words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

// ---- words that mean a label ----

// A row counts if the model has its label. Only what is the same sound stands here. NULL: no label at all,
// though one of the words is the name of one.
static const struct synonym {
    const char *words, *label;
} synonyms[] = {
    {"alarm", "alarm_horn"},
    {"horn", "alarm_horn"},
    {"honk", "alarm_horn"},
    {"siren", "alarm_horn"},
    {"buzzer", "alarm_horn"},
    {"fire alarm", "alarm_horn"},
    {"fire engine", NULL},
    {"fire truck", NULL},
    {"baby wail", "baby_cry"},
    {"baby sob", "baby_cry"},
    {"infant cry", "baby_cry"},
    {"bell", "bell_chime"},
    {"chime", "bell_chime"},
    {"wind chime", "bell_chime"},
    {"door bell", "bell_chime"},
    {"doorbell", "bell_chime"},
    {"birdsong", "bird"},
    {"songbird", "bird"},
    {"chirp", "bird"},
    {"clap", "clap_snap"},
    {"finger snap", "clap_snap"},
    {"tick", "clock_tick"},
    {"monster", "creature"},
    {"bark", "dog_bark"},
    {"woof", "dog_bark"},
    {"motor", "engine"},
    {"rev", "engine"},
    {"explode", "explosion"},
    {"blast", "explosion"},
    {"detonate", "explosion"},
    {"detonation", "explosion"},
    {"bomb", "explosion"},
    {"boom", "explosion"},
    {"campfire", "fire"},
    {"bonfire", "fire"},
    {"fireplace", "fire"},
    {"flame", "fire"},
    {"footfall", "footstep"},
    {"step", "footstep"},
    {"gunfire", "gunshot"},
    {"gun fire", "gunshot"},
    {"gun shot", "gunshot"},
    {"open fire", "gunshot"},
    {"rifle fire", "gunshot"},
    {"machine gun", "gunshot"},
    {"shot", "gunshot"},
    {"shoot", "gunshot"},
    {"drum", "hand_drum"},
    {"drum roll", "snare"},
    {"drumroll", "snare"},
    {"kick drum", "kick"},
    {"bass drum", "kick"},
    {"tom drum", "tom"},
    {"chopper", "helicopter"},
    {"hi hat", "hihat"},
    {"voice", "human_voice"},
    {"clang", "impact_metal"},
    {"clank", "impact_metal"},
    {"thud", "impact_soft"},
    {"thump", "impact_soft"},
    {"insect", "insect_frog"},
    {"cricket", "insect_frog"},
    {"cicada", "insect_frog"},
    {"frog", "insect_frog"},
    {"croak", "insect_frog"},
    {"laser", "laser_scifi"},
    {"machine", "mechanical"},
    {"machinery", "mechanical"},
    {"rainfall", "rain"},
    {"raindrop", "rain"},
    {"rainstorm", "rain"},
    {"downpour", "rain"},
    {"drizzle", "rain"},
    {"sea", "sea_waves"},
    {"ocean", "sea_waves"},
    {"wave", "sea_waves"},
    {"surf", "sea_waves"},
    {"shaker", "shaker_tambourine"},
    {"maraca", "shaker_tambourine"},
    {"tambourine", "shaker_tambourine"},
    {"thunderclap", "thunder"},
    {"thunderstorm", "thunder"},
    {"lightning", "thunder"},
    {"click", "ui_click"},
    {"beep", "ui_tone"},
    {"bleep", "ui_tone"},
    {"river", "water"},
    {"brook", "water"},
    {"creek", "water"},
    {"swoosh", "whoosh"},
    {"swish", "whoosh"},
    {"gust", "wind"},
    {"breeze", "wind"},
};

// Labels whose name is a common word too: they count where they stand alone. Tom is a man, and doors are
// kicked.
static const char *const shy[] = {"tom", "kick", "foley", NULL};

// Stems. The caption says that a sound ends, or that there is none.
static const char *const quiet[] = {"stop", "end", "ceas", "silenc", "silent", "no", NULL};

// Stems that say how loud a sound is, in dB; several are added, up to MOST_DB.
static const struct {
    const char *stem;
    float db;
} loudness[] = {
    {"loud", 6},   {"deafen", 9},  {"blar", 6},    {"soft", -8},     {"quiet", -8},    {"gentl", -8},
    {"hush", -12}, {"faint", -14}, {"muffl", -12}, {"distant", -14}, {"distanc", -14}, {"far", -14},
};
#define MOST_DB 20

// ---- the lexicon ----

// The stems of a label, or of a synonym.
struct label_stems {
    GStrv words;
    int label;    // -1: no label, and none is to be looked for
    gboolean shy; // counts where it stands alone
};

struct cue_lexicon {
    GArray *entries; // of struct label_stems: the labels first, then the synonyms of those
    GRegex *between; // what stands between the parts of a caption
};

static void clear_entry(gpointer data)
{
    struct label_stems *entry = data;
    g_strfreev(entry->words);
}

static void add_entry(struct cue_lexicon *lexicon, const char *words, int label, gboolean alone)
{
    struct label_stems entry = {stems_of(words), label, alone};
    if (entry.words[0])
        g_array_append_val(lexicon->entries, entry);
    else
        clear_entry(&entry);
}

static int index_of(const char *const *labels, const char *name)
{
    for (int i = 0; labels[i]; i++)
        if (strcmp(labels[i], name) == 0)
            return i;
    return -1;
}

struct cue_lexicon *cue_lexicon_create(const char *const *labels)
{
    struct cue_lexicon *lexicon = g_new0(struct cue_lexicon, 1);
    lexicon->entries = g_array_new(FALSE, FALSE, sizeof(struct label_stems));
    lexicon->between = g_regex_new("[,;/&+]|\\b(?:and|then|with)\\b", G_REGEX_CASELESS, 0, NULL);
    g_array_set_clear_func(lexicon->entries, clear_entry);
    for (int i = 0; labels[i]; i++)
        add_entry(lexicon, labels[i], i, g_strv_contains(shy, labels[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(synonyms); i++) {
        const char *label = synonyms[i].label;
        int index = label ? index_of(labels, label) : -1;
        if (!label || index >= 0)
            add_entry(lexicon, synonyms[i].words, index, FALSE);
    }
    return lexicon;
}

void cue_lexicon_destroy(struct cue_lexicon **lexicon)
{
    if (*lexicon) {
        g_array_unref((*lexicon)->entries);
        g_regex_unref((*lexicon)->between);
    }
    g_clear_pointer(lexicon, g_free);
}

// ---- the best label of a part ----

struct found {
    int label;      // as in the entry
    guint words;    // of the part, that the entry needs; 0: nothing was found
    int place;      // of the first of them
    gboolean whole; // no word is left over
};

static gboolean better(const struct found *a, const struct found *b)
{
    return a->words > b->words || (a->words == b->words && a->place < b->place);
}

static gboolean is_whole(GStrv part, GStrv words)
{
    for (gsize i = 0; part[i]; i++)
        if (place_of(words, part[i]) < 0)
            return FALSE;
    return TRUE;
}

// Whether all words of the entry stand in the part.
static struct found try_entry(GStrv part, const struct label_stems *entry)
{
    struct found found = {.label = entry->label, .place = G_MAXINT};
    for (gsize i = 0; entry->words[i]; i++) {
        int place = place_of(part, entry->words[i]);
        if (place < 0)
            return (struct found){.label = -1};
        found.place = MIN(found.place, place);
        found.words++;
    }
    found.whole = is_whole(part, entry->words);
    return entry->shy && !found.whole ? (struct found){.label = -1} : found;
}

static struct found find_label(const struct cue_lexicon *lexicon, GStrv part)
{
    struct found best = {.label = -1};
    for (guint i = 0; i < lexicon->entries->len; i++) {
        struct found found = try_entry(part, &g_array_index(lexicon->entries, struct label_stems, i));
        if (better(&found, &best))
            best = found;
    }
    return best;
}

static gboolean is_quiet(GStrv part)
{
    for (gsize i = 0; quiet[i]; i++)
        if (place_of(part, quiet[i]) >= 0)
            return TRUE;
    return FALSE;
}

// ---- captions ----

// "Rain!" is spoken.
static gboolean is_spoken(const char *text)
{
    return strpbrk(text, ".!?:\"") != NULL || strstr(text, "\u2026") != NULL;
}

// "rain and wind" -> "rain", "wind"
static GStrv parts_of(const struct cue_lexicon *lexicon, const char *text, guint most)
{
    return g_regex_split_full(lexicon->between, text, -1, 0, 0, (gint)most, NULL);
}

// The stem itself, or its adverb: "soft", and "softli" of "softly".
static gboolean has_stem(GStrv part, const char *stem)
{
    gsize length = strlen(stem);
    for (gsize i = 0; part[i]; i++) {
        const char *rest = strncmp(part[i], stem, length) == 0 ? part[i] + length : "?";
        if (strcmp(rest, "") == 0 || strcmp(rest, "i") == 0 || strcmp(rest, "li") == 0)
            return TRUE;
    }
    return FALSE;
}

// The factor that the words of a part say.
static float gain_of(GStrv part)
{
    float db = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(loudness); i++)
        db += has_stem(part, loudness[i].stem) ? loudness[i].db : 0;
    return powf(10, CLAMP(db, -MOST_DB, MOST_DB) / 20);
}

static void add(struct cue_sounds *sounds, int label, float gain)
{
    for (guint i = 0; i < sounds->count; i++)
        if (sounds->labels[i] == label)
            return;
    if (sounds->count == CUE_SOUNDS_MOST)
        return;
    sounds->gains[sounds->count] = gain;
    sounds->labels[sounds->count++] = label;
}

// Adds the sounds of a caption. `whole`: only if it is names of sounds and nothing else. Returns whether it
// was understood: it names a sound, or says that one ends.
static gboolean read_caption(const struct cue_lexicon *lexicon, const char *text, gboolean whole,
                             guint *parts_left, struct cue_sounds *sounds)
{
    struct cue_sounds found = {.count = 0};
    gboolean understood = FALSE, names = TRUE;
    GStrv parts = parts_of(lexicon, text, *parts_left);
    *parts_left -= MIN(*parts_left, g_strv_length(parts));
    for (gsize i = 0; parts[i]; i++) {
        GStrv words = stems_of(parts[i]);
        struct found best = find_label(lexicon, words);
        gboolean ends = is_quiet(words);
        if (best.label >= 0 && !ends)
            add(&found, best.label, gain_of(words));
        understood = understood || ends || best.label >= 0 || !words[0];
        names = names && best.whole && !ends;
        g_strfreev(words);
    }
    g_strfreev(parts);
    for (guint i = 0; i < found.count && (names || !whole); i++)
        add(sounds, found.labels[i], found.gains[i]);
    return understood;
}

static gboolean counts(const struct caption *caption, enum plain_lines plain)
{
    if (caption->kind == CAPTION_SOUND)
        return TRUE;
    return plain == PLAIN_ALL || (plain == PLAIN_NAMES && !is_spoken(caption->text));
}

struct cue_sounds cue_sounds_read(const struct cue_lexicon *lexicon, const char *bytes, gsize size,
                                  enum plain_lines plain)
{
    struct cue_sounds sounds = {.count = 0};
    GArray *captions = cue_captions(bytes, size);
    guint parts_left = PARTS_MOST;
    for (guint i = 0; i < captions->len && parts_left > 0; i++) {
        const struct caption *caption = &g_array_index(captions, struct caption, i);
        gboolean sound = caption->kind == CAPTION_SOUND;
        gboolean whole = !sound && (plain != PLAIN_ALL || caption->kind == CAPTION_SONG);
        if (!counts(caption, plain) || read_caption(lexicon, caption->text, whole, &parts_left, &sounds) ||
            !sound)
            continue;
        if (!sounds.unplaced)
            sounds.unplaced = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(sounds.unplaced, g_strdup(caption->text));
    }
    g_array_unref(captions);
    return sounds;
}

void cue_sounds_clear(struct cue_sounds *sounds)
{
    g_clear_pointer(&sounds->unplaced, g_ptr_array_unref);
    sounds->count = 0;
}
