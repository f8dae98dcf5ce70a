// SPDX-License-Identifier: LGPL-2.1-or-later
// What the command says, and how it ends.
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

extern const char *tool_name; // "render", set by main()
const char *tool_name = "";

// ---- what can be printed ----

// Bytes that continue a UTF-8 character.
static bool continues(const unsigned char *bytes, int count)
{
    for (int i = 0; i < count; i++)
        if (bytes[i] >> 6 != 2)
            return false;
    return true;
}

// Characters that change the direction of the text around them, and so what it seems to say.
static bool turns_text(const unsigned char *c)
{
    bool embeds = c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae;
    bool isolates = c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
    return c[0] == 0xe2 && (embeds || isolates);
}

// By their first two bytes: longer than need be, half of a pair, or past the last character.
static bool is_no_character(const unsigned char *c)
{
    return (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xf0 && c[1] < 0x90) ||
           (c[0] == 0xf4 && c[1] >= 0x90);
}

// Bytes of the character that begins here; 0: a control character, or no UTF-8.
static size_t character_size(const unsigned char *c)
{
    if (c[0] < 0x80)
        return c[0] >= 0x20 && c[0] != 0x7f;
    int more = c[0] < 0xc2 || c[0] >= 0xf5 ? 0 : c[0] < 0xe0 ? 1 : c[0] < 0xf0 ? 2 : 3;
    bool control = c[0] == 0xc2 && c[1] < 0xa0;
    if (more == 0 || !continues(c + 1, more) || control || is_no_character(c) || (more == 2 && turns_text(c)))
        return 0;
    return (size_t)more + 1;
}

char *tool_printable(char *out, size_t size, const char *text)
{
    enum { LONGEST = 4 };
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c && used + LONGEST < size;) {
        size_t n = character_size(c);
        if (n > 0)
            memcpy(out + used, c, n);
        else
            snprintf(out + used, LONGEST + 1, "\\x%02x", *c);
        used += n > 0 ? n : LONGEST;
        c += n > 0 ? n : 1;
    }
    out[used] = 0;
    return out;
}

static bool lost; // a line, for want of memory

void tool_lose_line(void)
{
    lost = true;
}

bool tool_has_lost_lines(void)
{
    return lost;
}

// What is printed, into `last` too, as far as it has room.
static void print_line(FILE *f, const char *format, va_list args, char *last, size_t size)
{
    char *text = NULL, *plain = NULL;
    int length = vasprintf(&text, format, args);
    if (length >= 0)
        plain = malloc(4 * (size_t)length + 8);
    lost = lost || (!plain && f == stdout);
    const char *line = plain ? tool_printable(plain, 4 * (size_t)length + 8, text) : "no memory";
    fprintf(f, "%s\n", line);
    if (size > 0)
        tool_printable(last, size, line);
    free(plain);
    free(length >= 0 ? text : NULL);
}

void tool_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(stdout, format, args, NULL, 0);
    va_end(args);
}

void tool_print_beside(const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(tool_is_stdout(path) ? stderr : stdout, format, args, NULL, 0);
    va_end(args);
}

// ---- what is said ----

static size_t to_say = SIZE_MAX, unsaid; // how many more messages are printed, and how many were not

size_t tool_say_at_most(size_t count)
{
    size_t before = unsaid;
    to_say = count;
    unsaid = 0;
    return before;
}

static char last_said[1024];

const char *tool_said(void)
{
    return last_said;
}

static void say(const char *format, va_list args)
{
    if (to_say == 0) {
        unsaid++;
        return;
    }
    to_say -= to_say != SIZE_MAX;
    fflush(stdout);
    fprintf(stderr, "ebb%s%s: ", *tool_name ? " " : "", tool_name);
    print_line(stderr, format, args, last_said, sizeof(last_said));
}

void tool_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

static bool is_quiet;

void tool_be_quiet(void)
{
    is_quiet = true;
}

void tool_warn(const char *format, ...)
{
    if (is_quiet)
        return;
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

int(tool_fail)(enum tool_exit code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return (int)code;
}

static enum tool_exit exit_code(enum ebb_result result)
{
    switch (result) {
    case EBB_OK: return TOOL_OK;
    case EBB_INVALID: return TOOL_USAGE;
    case EBB_NOT_FOUND: return TOOL_NOT_FOUND;
    case EBB_UNREADABLE:
    case EBB_WRONG_TYPE:
    case EBB_UNSUPPORTED:
    case EBB_CORRUPT: return TOOL_UNREADABLE;
    case EBB_UNWRITABLE: return TOOL_UNWRITABLE;
    case EBB_NO_DEVICE:
    case EBB_DEVICE_FAILED: return TOOL_NO_DEVICE;
    case EBB_CANCELLED: return TOOL_INTERRUPTED;
    case EBB_OUT_OF_MEMORY: break;
    }
    return TOOL_FAILED;
}

int tool_error_at(const char *where, const struct ebb_error *error)
{
    if (error->code == EBB_CANCELLED)
        return tool_fail(TOOL_INTERRUPTED, "interrupted");
    const char *message = error->message[0] ? error->message : ebb_result_name(error->code);
    return tool_fail(exit_code(error->code), "%s%s", where, message);
}

int tool_error(const struct ebb_error *error)
{
    return tool_error_at("", error);
}

int tool_file_error(const char *path)
{
    if (errno == EINTR) // an interrupt, while nobody writes to a pipe
        return tool_fail(TOOL_INTERRUPTED, "interrupted");
    return tool_fail(errno == ENOENT || errno == ENOTDIR ? TOOL_NOT_FOUND : TOOL_UNREADABLE, "%s: %s", path,
                     strerror(errno));
}

int tool_error_of(const char *input, const struct ebb_error *error)
{
    char where[PATH_MAX + 3];
    snprintf(where, sizeof(where), "%s: ", strcmp(input, "-") == 0 ? "standard input" : input);
    return tool_error_at(where, error);
}

// ---- what another program can read ----

// The first bytes of formats of phones, videos and archives. `coding`: of sound files too, which may have
// codings that libsndfile does not know.
static bool looks_foreign(const char *path, bool coding)
{
    static const struct {
        size_t at;
        const char *bytes;
    } marks[] = {
        {4, "ftyp"},
        {0, "\x1a\x45\xdf\xa3"},
        {0, "OggS"},
        {0, "wvpk"},
        {0, "\x30\x26\xb2\x75"},
        {0, "MAC "},
        {0, "TTA1"},
        {0, "DSD "},
        {0, "FRM8"},
        {0, "#!AM"},
        {0, "\xff\xf1"},
        {0, "\xff\xf9"},
        {0, ".RMF"},
        {0, "FLV"},
        {0, "MPCK"},
        {0, "\x0b\x77"},
        {0, "\x7f\xfe\x80\x01"},
        {0, "Creative"},
    };
    static const char *const ours[] = {"RIFF", "riff", "caff"};
    char head[8] = {0};
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(head, 1, sizeof(head), file) : 0;
    bool found = false;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t count = strlen(marks[i].bytes);
        found = found ||
                (marks[i].at + count <= got && memcmp(head + marks[i].at, marks[i].bytes, count) == 0);
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        found = found || (coding && got >= 4 && memcmp(head, ours[i], 4) == 0);
    if (file)
        fclose(file);
    return found;
}

static bool ends_foreign(const char *path)
{
    static const char *const endings[] = {".m4a", ".mp4", ".aac", ".wma", ".webm", ".mkv", ".mka", ".mov",
                                          ".3gp", ".amr", ".m4b", ".ac3", ".avi",  ".m4v", ".ape", ".wv",
                                          ".tta", ".mpc", ".dsf", ".dff", ".spx",  ".ra",  ".ts",  ".qt"};
    bool found = false;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        found = found || tool_ends_in(path, endings[i]);
    return found;
}

// The name as a shell reads it.
static char *quote(const char *name)
{
    char *out = malloc(4 * strlen(name) + 3), *at = out;
    if (!out)
        return NULL;
    *at++ = '\'';
    for (; *name; name++)
        at = *name == '\'' ? stpcpy(at, "'\\''") : (*at = *name, at + 1);
    stpcpy(at, "'");
    return out;
}

// Phones and videos have formats that libsndfile does not read; other programs do. What comes down a pipe is
// gone; its format is not known any more.
int tool_input_error(const char *path, const struct ebb_error *error)
{
    int code = tool_error(error);
    bool pipe = strcmp(path, "-") == 0;
    bool alien = error->code == EBB_WRONG_TYPE || error->code == EBB_UNSUPPORTED;
    bool odd = alien || error->code == EBB_UNREADABLE || error->code == EBB_CORRUPT;
    bool helps = pipe ? alien : odd && (ends_foreign(path) || looks_foreign(path, alien));
    char *name = helps ? quote(path) : NULL;
    if (name)
        tool_say(
            "ffmpeg can read it for ebb, if anything can: ffmpeg -i %s -f wav - | ebb denoise - clean.wav",
            pipe ? "-" : name);
    free(name);
    return code;
}

static void write_log(void *user, enum ebb_log_level level, const char *message)
{
    (void)user;
    if (level <= EBB_LOG_WARNING)
        tool_warn("%s", message);
    else if (strncmp(message, "precision auto", strlen("precision auto")) == 0)
        tool_say("%s", message); // whoever asks for auto wants to know what was taken
}
const struct ebb_log tool_log = {.write = write_log};

void tool_join(char *out, size_t size, const char *const *names, size_t count)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", names[i]);
}
