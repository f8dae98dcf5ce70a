// SPDX-License-Identifier: LGPL-2.1-or-later
// Where output goes: which names lead to one file, what a name's ending promises, folders.
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

// Of a file that is to be: its folder and its name in there; the path alone where there is no folder yet.
static struct tool_place place_to_be(const char *path)
{
    struct stat st;
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    if (length >= sizeof(folder))
        return (struct tool_place){.name = path};
    memcpy(folder, path, length);
    folder[length] = 0;
    if (stat(length ? folder : ".", &st) != 0)
        return (struct tool_place){.name = path};
    return (struct tool_place){.device = st.st_dev, .inode = st.st_ino, .name = path + length};
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
    return a->name && b->name ? strcmp(a->name, b->name) == 0 : a->name == b->name;
}

const char *tool_output_name(const char *path)
{
    static const char *const names[] = {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; path && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(path, names[i]) == 0)
            return "-";
    return path;
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

static const char *const sound_endings[] = {".wav", ".wave", ".mp3",  ".flac", ".ogg", ".oga", ".opus",
                                            ".aif", ".aiff", ".aifc", ".au",   ".caf", ".m4a", ".aac",
                                            ".wma", ".w64",  ".rf64", ".mp4",  ".webm"};

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
