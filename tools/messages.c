// What the command says, and how it ends.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

extern const char *tool_name; // "render", set by main()
const char *tool_name = "";

static void say(const char *format, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "ebb%s%s: ", *tool_name ? " " : "", tool_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void tool_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

int tool_fail(enum tool_exit code, const char *format, ...)
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
    case EBB_OK:
        return TOOL_OK;
    case EBB_INVALID:
        return TOOL_USAGE;
    case EBB_NOT_FOUND:
        return TOOL_NOT_FOUND;
    case EBB_UNREADABLE:
    case EBB_WRONG_TYPE:
    case EBB_UNSUPPORTED:
    case EBB_CORRUPT:
        return TOOL_UNREADABLE;
    case EBB_UNWRITABLE:
        return TOOL_UNWRITABLE;
    case EBB_NO_DEVICE:
    case EBB_DEVICE_FAILED:
        return TOOL_NO_DEVICE;
    case EBB_CANCELLED:
        return TOOL_INTERRUPTED;
    case EBB_OUT_OF_MEMORY:
        break;
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

static void write_log(void *user, enum ebb_log_level level, const char *message)
{
    (void)user;
    if (level <= EBB_LOG_WARNING)
        tool_say("%s", message);
}
const struct ebb_log tool_log = {.write = write_log};

// ---- near names ----

// Edit distance of two short words, swaps of neighbours counting once.
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 48 };
    size_t row[3][MAX + 1], n = strnlen(a, MAX), m = strnlen(b, MAX);
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *before = row[(i + 1) % 3], *last = row[(i + 2) % 3], *now = row[i % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *tool_near(const char *text, const char *const *names, size_t count)
{
    enum { LEAST = 3 }; // a name shorter than that is in many words
    const char *best = NULL;
    size_t least = strlen(text) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(text, names[i]);
        bool within = (strlen(text) >= LEAST && strstr(names[i], text)) || (strlen(names[i]) >= LEAST && strstr(text, names[i]));
        if (within)
            d = d < 1 ? d : 1;
        if (d < least && d < strlen(text)) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

void tool_join(char *out, size_t size, const char *const *names, size_t count)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", names[i]);
}
