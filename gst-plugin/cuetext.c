// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuetext.h"

#include <string.h>

// ---- bytes to text ----

// Up to the first zero, to CUE_TEXT_MOST, and never into a letter.
static gsize readable_size(const char *bytes, gsize size)
{
    gsize length = size ? strnlen(bytes, MIN(size, CUE_TEXT_MOST)) : 0; // no bytes: there may be no pointer
    gboolean more = length == CUE_TEXT_MOST && length < size;
    while (more && length > 0 && ((guchar)bytes[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static char *to_utf8(const char *bytes, gsize size)
{
    if (!size)
        return g_strdup("");
    if (g_utf8_validate(bytes, (gssize)size, NULL))
        return g_strndup(bytes, size);
    char *text = g_convert(bytes, (gssize)size, "UTF-8", "ISO-8859-1", NULL, NULL, NULL);
    return text ? text : g_strdup("");
}

// ---- markup ----

static const struct entity {
    const char *name, *text;
} entities[] = {
    {"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&nbsp;", " "},
};

// "&#91;" or "&#x5b;"; the letter's code, and how long the reference is. 0: it is none.
static gunichar parse_reference(const char *text, gsize *length)
{
    gboolean hexadecimal = text[2] == 'x' || text[2] == 'X';
    const char *digits = text + (hexadecimal ? 3 : 2);
    char *end;
    guint64 code = g_ascii_strtoull(digits, &end, hexadecimal ? 16 : 10);
    if (!g_ascii_isxdigit(*digits) || *end != ';' || code > 0x10ffff || !g_unichar_validate((gunichar)code))
        return 0;
    *length = (gsize)(end + 1 - text);
    return (gunichar)code;
}

// Appends what the entity at `text` stands for; returns its length, or 1 and a plain '&'.
static gsize decode(GString *to, const char *text)
{
    gsize length = 1;
    for (gsize i = 0; i < G_N_ELEMENTS(entities); i++)
        if (g_str_has_prefix(text, entities[i].name)) {
            g_string_append(to, entities[i].text);
            return strlen(entities[i].name);
        }
    gunichar code = text[1] == '#' ? parse_reference(text, &length) : 0;
    if (code)
        g_string_append_unichar(to, code);
    else
        g_string_append_c(to, '&');
    return length;
}

static char *decode_entities(const char *text)
{
    GString *to = g_string_new(NULL);
    while (*text) {
        gsize plain = strcspn(text, "&");
        g_string_append_len(to, text, (gssize)plain);
        text += plain;
        if (*text)
            text += decode(to, text);
    }
    return g_string_free(to, FALSE);
}

// The length of a tag at `text`: "<i>", "</font>", or "{\an8}" as in SSA; 0: there is none.
static gsize tag_length(const char *text)
{
    gboolean angle = text[0] == '<' && (g_ascii_isalpha(text[1]) || text[1] == '/');
    gboolean brace = text[0] == '{' && text[1] == '\\';
    const char *end = angle ? strchr(text, '>') : brace ? strchr(text, '}') : NULL;
    return end ? (gsize)(end + 1 - text) : 0;
}

static void remove_tags(char *text)
{
    char *to = text;
    while (*text) {
        gsize tag = tag_length(text);
        text += tag;
        if (!tag)
            *to++ = *text++;
    }
    *to = '\0';
}

// ---- brackets ----

static const struct bracket {
    gunichar open, close;
} brackets[] = {
    {'[', ']'}, {'(', ')'}, {'{', '}'}, {0xff08, 0xff09}, {0x3010, 0x3011}, {0xff3b, 0xff3d},
};

static gboolean opens(gunichar letter)
{
    for (gsize i = 0; i < G_N_ELEMENTS(brackets); i++)
        if (letter == brackets[i].open)
            return TRUE;
    return FALSE;
}

static gboolean closes(gunichar letter)
{
    for (gsize i = 0; i < G_N_ELEMENTS(brackets); i++)
        if (letter == brackets[i].close)
            return TRUE;
    return FALSE;
}

static gboolean is_note(gunichar letter)
{
    return letter == 0x266a || letter == 0x266b || letter == 0x266c || letter == 0x2669;
}

// What is being collected.
struct cue_reading {
    GArray *captions;
    GString *caption, *line; // inside and outside of brackets
    gboolean song;           // the line has a note
    guint depth;             // of brackets
};

static char *trimmed(const GString *text)
{
    char *copy = g_strndup(text->str, text->len);
    for (char *at = copy; *at; at++)
        *at = g_ascii_iscntrl(*at) ? ' ' : *at;
    char *begin = copy + strspn(copy, " -"); // the dash of a speaker
    memmove(copy, begin, strlen(begin) + 1);
    return g_strchomp(copy);
}

static void take(struct cue_reading *reading, GString *text, enum caption_kind kind)
{
    struct caption caption = {kind, trimmed(text)};
    if (*caption.text)
        g_array_append_val(reading->captions, caption);
    else
        g_free(caption.text);
    g_string_truncate(text, 0);
}

static void end_line(struct cue_reading *reading)
{
    take(reading, reading->line, reading->song ? CAPTION_SONG : CAPTION_LINE);
    reading->song = FALSE;
}

// A bracket in front of a colon is who speaks: "(JOHN): Hello".
static void end_caption(struct cue_reading *reading, const char *after)
{
    if (*after == ':')
        g_string_truncate(reading->caption, 0);
    take(reading, reading->caption, CAPTION_SOUND);
}

// "*door slams*": a star opens in front of a letter where another one closes on the same line.
static gboolean star_opens(const char *after)
{
    gsize length = strcspn(after, "*\n");
    return length > 0 && after[length] == '*' && !g_ascii_isspace(after[0]);
}

static void read_inside(struct cue_reading *reading, gunichar letter, gboolean star, const char *after)
{
    reading->depth += opens(letter);
    reading->depth -= closes(letter) || (star && letter == '*');
    if (!reading->depth)
        end_caption(reading, after);
    else if (opens(letter) || closes(letter) || is_note(letter))
        g_string_append_c(reading->caption, ' ');
    else
        g_string_append_unichar(reading->caption, letter);
}

static void read_outside(struct cue_reading *reading, gunichar letter)
{
    if (letter == '\n')
        end_line(reading);
    else if (is_note(letter))
        reading->song = TRUE;
    else if (!closes(letter))
        g_string_append_unichar(reading->line, letter);
}

// A bracket that is not closed goes on to the end of the cue.
static void read_brackets(struct cue_reading *reading, const char *text)
{
    gboolean star = FALSE;
    for (const char *after; *text; text = after) {
        gunichar letter = g_utf8_get_char(text);
        after = g_utf8_next_char(text);
        if (reading->depth) {
            read_inside(reading, letter, star, after);
            continue;
        }
        star = letter == '*' && star_opens(after);
        if (star || opens(letter))
            reading->depth = 1;
        else
            read_outside(reading, letter);
    }
    take(reading, reading->caption, CAPTION_SOUND);
    end_line(reading);
}

static void clear_caption(gpointer data)
{
    struct caption *caption = data;
    g_free(caption->text);
}

GArray *cue_captions(const char *bytes, gsize size)
{
    char *raw = to_utf8(bytes, readable_size(bytes, size)), *text = decode_entities(raw);
    remove_tags(text);
    struct cue_reading reading = {.captions = g_array_new(FALSE, FALSE, sizeof(struct caption)),
                                  .caption = g_string_new(NULL),
                                  .line = g_string_new(NULL)};
    g_array_set_clear_func(reading.captions, clear_caption);
    read_brackets(&reading, text);
    g_string_free(reading.caption, TRUE);
    g_string_free(reading.line, TRUE);
    g_free(raw);
    g_free(text);
    return reading.captions;
}
