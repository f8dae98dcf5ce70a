// Where output goes: which names lead to one file.
#include <string.h>
#include <sys/stat.h>

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
