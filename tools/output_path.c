// SPDX-License-Identifier: LGPL-2.1-or-later
// Where output goes: which names lead to one file, what a name's ending promises, folders.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

// The path that a link to nothing names, in its place: `path` has room for PATH_MAX.
static bool follow_link(char *path)
{
    char to[PATH_MAX], *slash = strrchr(path, '/');
    ssize_t length = readlink(path, to, sizeof(to) - 1);
    if (length <= 0)
        return false;
    to[length] = 0;
    size_t folder = *to != '/' && slash ? (size_t)(slash - path) + 1 : 0;
    if (folder + (size_t)length >= PATH_MAX)
        return false;
    memcpy(path + folder, to, (size_t)length + 1);
    return true;
}

// Of a file that is to be: its folder and its name in there, behind links; the path alone where there is no
// folder yet.
static struct tool_place place_to_be(const char *path)
{
    enum { MOST_LINKS = 40 };
    struct stat st;
    struct tool_place place = {.path = path};
    char real[PATH_MAX];
    if ((size_t)snprintf(real, sizeof(real), "%s", path) >= sizeof(real))
        return place;
    for (int i = 0; i < MOST_LINKS && follow_link(real); i++)
        ;
    char *slash = strrchr(real, '/'), *name = slash ? slash + 1 : real;
    if ((size_t)snprintf(place.name, sizeof(place.name), "%s", name) >= sizeof(place.name))
        return place;
    *name = 0;
    if (stat(*real ? real : ".", &st) != 0)
        return place;
    place.path = NULL;
    place.device = st.st_dev;
    place.inode = st.st_ino;
    return place;
}

struct tool_place tool_place(const char *path)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return (struct tool_place){.stream = true};
    if (stat(path, &st) != 0)
        return place_to_be(path);
    return (struct tool_place){.device = st.st_dev, .inode = st.st_ino, .stream = !S_ISREG(st.st_mode)};
}

bool tool_same_place(const struct tool_place *a, const struct tool_place *b)
{
    if (a->stream || b->stream || a->device != b->device || a->inode != b->inode)
        return false;
    return a->path && b->path ? strcmp(a->path, b->path) == 0
                              : a->path == b->path && strcmp(a->name, b->name) == 0;
}

const char *tool_output_name(const char *path)
{
    static const char *const names[] = {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; path && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(path, names[i]) == 0)
            return "-";
    return path;
}

int tool_check_stdout(const char *path, bool json)
{
    if (!path || strcmp(path, "-") != 0)
        return TOOL_OK;
    if (json)
        return tool_fail(TOOL_USAGE, "--json and the sound cannot both go to standard output");
    if (isatty(STDOUT_FILENO))
        return tool_fail(
            TOOL_USAGE,
            "standard output is a terminal: name a file, or put a program behind a pipe (| aplay)");
    return TOOL_OK;
}

const char *tool_shown_output(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard output" : path;
}

bool tool_is_stdout(const char *path)
{
    struct stat here, out;
    if (strcmp(path, "-") == 0)
        return true;
    return stat(path, &here) == 0 && fstat(STDOUT_FILENO, &out) == 0 && !S_ISREG(here.st_mode) &&
           here.st_dev == out.st_dev && here.st_ino == out.st_ino;
}

// ---- endings ----

// What libsndfile reads, and what other programs make WAVs of.
static const char *const sound_endings[] = {".wav",  ".wave", ".bwf",   ".w64", ".rf64", ".bw64", ".flac",
                                            ".ogg",  ".oga",  ".opus",  ".mp3", ".mp2",  ".aif",  ".aiff",
                                            ".aifc", ".au",   ".snd",   ".caf", ".voc",  ".sph",  ".nist",
                                            ".8svx", ".avr",  ".ircam", ".m4a", ".m4b",  ".aac",  ".ac3",
                                            ".amr",  ".ape",  ".dff",   ".dsf", ".mka",  ".mp4",  ".mpc",
                                            ".spx",  ".tta",  ".webm",  ".wma", ".wv"};

bool tool_ends_in(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcasecmp(path + n - m, suffix) == 0;
}

bool tool_is_sound_name(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return false;
    for (size_t i = 0; i < sizeof(sound_endings) / sizeof(sound_endings[0]); i++)
        if (tool_ends_in(path, sound_endings[i]))
            return true;
    return false;
}

const char *tool_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Nobody should wait for a sound that has nowhere to go.
int tool_try_output(const char *path)
{
    struct ebb_error error = {0};
    struct stat st;
    if (strcmp(path, "-") == 0 || stat(path, &st) == 0)
        return TOOL_OK;
    struct ebb_sound_writer *w = ebb_sound_writer_create(path, 1, 48000, EBB_WAV_16, NULL, &error);
    ebb_sound_writer_destroy(&w);
    return error.code ? tool_error(&error) : TOOL_OK;
}

// ---- folders ----

int tool_make_folder(const char *path)
{
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof(part))
        return tool_fail(TOOL_USAGE, "%.40s...: the name is too long (%zu characters at most)", path,
                         sizeof(part) - 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return tool_fail(TOOL_UNWRITABLE, "%s: %s", part, strerror(errno));
    }
    return TOOL_OK;
}
