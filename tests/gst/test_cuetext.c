// SPDX-License-Identifier: LGPL-2.1-or-later
// From the text of a cue to labels, without an element: captions as they are found in films.
#include "test.h"

#include "cuelabels.h"

static const char *const labels[] = {
    "alarm_horn", "baby_cry", "bell_chime",  "bird",     "clap_snap", "clock_tick", "dog_bark",
    "door",       "engine",   "explosion",   "fire",     "footstep",  "glass",      "gunshot",
    "hand_drum",  "hihat",    "impact_soft", "kick",     "rain",      "rooster",    "sea_waves",
    "sneeze",     "thunder",  "tom",         "ui_click", "water",     "wind",       NULL,
};

static struct cue_lexicon *lexicon;

static void setup(void)
{
    if (!lexicon)
        lexicon = cue_lexicon_create(labels);
}

// "rain wind" for the labels, then a "?" for each caption without one.
static char *describe(const char *bytes, gsize size, enum plain_lines plain)
{
    setup();
    struct cue_sounds sounds = cue_sounds_read(lexicon, bytes, size, plain);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < sounds.count; i++)
        g_string_append_printf(text, "%s%s", text->len ? " " : "", labels[sounds.labels[i]]);
    for (guint i = 0; sounds.unplaced && i < sounds.unplaced->len; i++)
        g_string_append_printf(text, "%s?", text->len ? " " : "");
    cue_sounds_clear(&sounds);
    return g_string_free(text, FALSE);
}

struct cue_example {
    const char *text, *want;
};

static void check(const struct cue_example *cases, gsize count, enum plain_lines plain)
{
    for (gsize i = 0; i < count; i++) {
        char *got = describe(cases[i].text, strlen(cases[i].text), plain);
        if (strcmp(got, cases[i].want) != 0)
            TEST_FAIL("\"%s\" is \"%s\", expected \"%s\"", cases[i].text, got, cases[i].want);
        g_free(got);
    }
}

TEST(captions_in_brackets)
{
    static const struct cue_example cases[] = {
        {"[thunder]", "thunder"},
        {"[THUNDER RUMBLING]", "thunder"},
        {"(door slams)", "door"},
        {"- [dog barking] Hey!", "dog_bark"},
        {"<i>[rain]</i>", "rain"},
        {"JOHN: (claps)", "clap_snap"},
        {"[\xe2\x99\xaa]", ""},
        {"\xe2\x99\xaa music \xe2\x99\xaa", ""},
        {"\xe2\x99\xaa rain keeps falling on my door \xe2\x99\xaa", ""},
        {"[thunder\nrumbling in the distance]", "thunder"},
        {"[rain pattering]\n[wind howling]", "rain wind"},
        {"[Rain and thunder]", "rain thunder"},
        {"(GUNFIRE, GLASS SHATTERING)", "gunshot glass"},
        {"[door opens, door closes]", "door"},
        {"[baby crying]", "baby_cry"},
        {"[BABIES CRY]", "baby_cry"},
        {"[waves crashing]", "sea_waves"},
        {"[footsteps approaching]", "footstep"},
        {"[clock ticking]", "clock_tick"},
        {"[a rooster crows]", "rooster"},
        {"[sneezing]", "sneeze"},
        {"[bomb explodes]", "explosion"},
        {"[explosions]", "explosion"},
        {"[dog's bark]", "dog_bark"},
        {"[birds chirping]", "bird"},
        {"{rain}", "rain"},
        {"{\\an8}[rain]", "rain"},
        {"<font color=\"#ffffff\">[<b>rain</b>]</font>", "rain"},
        {"&#91;rain&#x5d; &amp; more", "rain"},
        {"&lt;i&gt;[rain]&lt;/i&gt;", "rain"},
        {"*door slams*", "door"},
        {"2 * 3 * 4 [rain]", "rain"},
        {"[[rain]]", "rain"},
        {"[rain (heavy)]", "rain"},
        {"[rain", "rain"},
        {"rain]", "rain"},
        {"\xef\xbc\x88rain\xef\xbc\x89", "rain"},
        {"\xe3\x80\x90rain\xe3\x80\x91", "rain"},
        {"[wind chimes tinkling]", "bell_chime"}, // two words say more than one
        {"[fire alarm]", "alarm_horn"},
        {"[soft piano]", "?"},    // impact_soft needs both of its words
        {"[train passing]", "?"}, // no rain
        {"[fire engine]", "?"},   // no fire
        {"[Tom laughs]", "?"},
        {"[he kicks the door]", "door"},
        {"[kick]", "kick"},
        {"[bass drum]", "kick"},
        {"[drumming]", "hand_drum"},
        {"[hi-hat]", "hihat"},
        {"[speaks French]", "?"},
        {"[laughter] (sighs)", "? ?"},
        {"[rain stops]", ""}, // nothing is heard then, and it was understood
        {"[no sound]", ""},
        {"(JOHN): Hello", ""}, // a speaker
        {"Hello [rain] there (thunder)", "rain thunder"},
        {"[]", ""},
        {"[ ... ]", ""},
        {"", ""},
        {"[rain] [wind] [door] [glass] [thunder]", "rain wind door glass"},
    };
    check(cases, G_N_ELEMENTS(cases), PLAIN_NAMES);
}

TEST(plain_lines_that_are_names)
{
    static const struct cue_example cases[] = {
        {"rain", "rain"},
        {"Rain", "rain"},
        {"dog barking", "dog_bark"},
        {"rain and thunder", "rain thunder"},
        {"- rain", "rain"},
        {"rain\nwind", "rain wind"},
        {"dog_bark", "dog_bark"},
        {"Rain!", ""},
        {"Fire!", ""},
        {"Rain.", ""},
        {"I like the rain", ""},
        {"rain and I", ""},
        {"Thunder? No\xe2\x80\xa6", ""},
        {"The door.", ""},
        {"rain stops", ""},
        {"nothing of that", ""},
    };
    check(cases, G_N_ELEMENTS(cases), PLAIN_NAMES);
}

TEST(plain_lines_never_and_all)
{
    static const struct cue_example never[] = {{"rain", ""}, {"rain [wind]", "wind"}};
    static const struct cue_example all[] = {
        {"I like the rain.", "rain"},
        {"Nothing of that.", ""}, // speech is never unplaced
        {"\xe2\x99\xaa rain keeps falling \xe2\x99\xaa", ""},
        {"rain [xyzzy]", "rain ?"},
    };
    check(never, G_N_ELEMENTS(never), PLAIN_NEVER);
    check(all, G_N_ELEMENTS(all), PLAIN_ALL);
}

TEST(words_that_say_how_loud)
{
    static const struct {
        const char *text;
        double db;
    } cases[] = {
        {"[thunder]", 0},
        {"[DISTANT THUNDER]", -14},
        {"[thunder in the distance]", -14},
        {"[door closes softly]", -8},
        {"[loud explosion]", 6},
        {"[faint, distant thunder]", -14},
        {"[muffled gunshots]", -12},
        {"[far distant faint thunder]", -20},
        {"[rain]", 0},
    };
    setup();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *text = cases[i].text;
        struct cue_sounds sounds = cue_sounds_read(lexicon, text, strlen(text), PLAIN_NAMES);
        if (sounds.count != 1 || fabs(20 * log10(sounds.gains[0]) - cases[i].db) > 1e-4)
            TEST_FAIL("%s: %u sounds, %g", text, sounds.count, (double)sounds.gains[0]);
        cue_sounds_clear(&sounds);
    }
    const char *two = "[loud thunder and soft rain]";
    struct cue_sounds sounds = cue_sounds_read(lexicon, two, strlen(two), PLAIN_NAMES);
    REQUIRE(sounds.count == 2 && sounds.gains[0] > 1.9f && sounds.gains[1] < 0.5f);
    cue_sounds_clear(&sounds);
}

TEST(labels_of_other_models)
{
    const char *const other[] = {"music", "Glas zerbricht", "chat.meow", NULL};
    struct cue_lexicon *own = cue_lexicon_create(other);
    const struct {
        const char *text;
        int label;
    } cases[] = {{"[MUSIC PLAYING]", 0}, {"[Glas zerbricht]", 1}, {"[un chat: meow]", 2}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct cue_sounds sounds = cue_sounds_read(own, cases[i].text, strlen(cases[i].text), PLAIN_NEVER);
        REQUIRE(sounds.count == 1 && sounds.labels[0] == cases[i].label);
        cue_sounds_clear(&sounds);
    }
    struct cue_sounds sounds = cue_sounds_read(own, "[ocean]", 7, PLAIN_NEVER); // it has no sea_waves
    REQUIRE(sounds.count == 0 && sounds.unplaced->len == 1);
    REQUIRE_STRING((const char *)sounds.unplaced->pdata[0], "ocean");
    cue_sounds_clear(&sounds);
    cue_lexicon_destroy(&own);

    const char *const none[] = {NULL};
    own = cue_lexicon_create(none);
    sounds = cue_sounds_read(own, "[rain] rain", 11, PLAIN_ALL);
    REQUIRE(sounds.count == 0 && sounds.unplaced->len == 1);
    cue_sounds_clear(&sounds);
    cue_lexicon_destroy(&own);
}

static void reads(const char *bytes, gsize size, const char *want)
{
    char *got = describe(bytes, size, PLAIN_NAMES);
    REQUIRE_STRING(got, want);
    g_free(got);
}

TEST(bytes_that_are_no_text)
{
    reads("caf\xe9 [rain]", 11, "rain"); // Latin-1
    reads("[rain]\xff\xfe", 8, "rain");
    reads("[rain]\0[wind]", 13, "rain");        // a zero ends the text
    reads("[rain] no zero follows", 6, "rain"); // only the bytes that are there
    reads("\xe2\x99", 2, "");                   // cut in a letter
    reads("<<<<>>>>&&&&#;&#x;&#xffffffffff;&#0;<i", 37, "");
    reads("", 0, "");
    reads(NULL, 0, "");
}

TEST(ten_thousand_words_are_bounded)
{
    GString *text = g_string_new("[rain] ");
    for (int i = 0; i < 10000; i++)
        g_string_append_printf(text, "word%d ", i);
    g_string_append(text, "[wind]");
    reads(text->str, text->len, "rain"); // what comes after CUE_TEXT_MOST bytes is not read
    g_string_free(text, TRUE);

    static const char *const many[] = {"[", "]", "*", "(a)", "a,", "[x]", "&amp;", "<i>", "\xe2\x99\xaa"};
    for (gsize i = 0; i < G_N_ELEMENTS(many); i++) {
        GString *hostile = g_string_new(NULL);
        while (hostile->len < 100000)
            g_string_append(hostile, many[i]);
        struct cue_sounds sounds = cue_sounds_read(lexicon, hostile->str, hostile->len, PLAIN_ALL);
        REQUIRE(sounds.count == 0 && (!sounds.unplaced || sounds.unplaced->len <= 32));
        cue_sounds_clear(&sounds);
        g_string_free(hostile, TRUE);
    }
}

// A letter at the limit is not cut in two: the rest would be taken for Latin-1.
TEST(the_limit_is_between_letters)
{
    for (gsize before = CUE_TEXT_MOST - 4; before <= CUE_TEXT_MOST; before++) {
        GString *text = g_string_new("[rain]");
        while (text->len < before)
            g_string_append_c(text, 'x');
        for (int i = 0; i < 8; i++)
            g_string_append(text, "\xe2\x99\xaa");
        GArray *captions = cue_captions(text->str, text->len);
        REQUIRE(captions->len == 2);
        const struct caption *line = &g_array_index(captions, struct caption, 1);
        REQUIRE(strspn(line->text, "x") == strlen(line->text));
        g_array_unref(captions);
        g_string_free(text, TRUE);
    }
}

TEST_MAIN
