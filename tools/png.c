// A canvas as a PNG.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

#include "canvas.h"

static bool write_png(const struct canvas *c, FILE *f)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)c->width, .height = (png_uint_32)c->height,
                       .format = PNG_FORMAT_RGB};
    return png_image_write_to_stdio(&image, f, 0, c->pixels, 0, NULL) != 0;
}

int canvas_write(const struct canvas *c, const char *path)
{
    if (strcmp(path, "-") == 0)
        return write_png(c, stdout) ? TOOL_OK : tool_fail(TOOL_UNWRITABLE, "standard output cannot be written");
    struct stat st;
    bool plain = stat(path, &st) != 0 || S_ISREG(st.st_mode);
    char *temporary = NULL;
    if (asprintf(&temporary, plain ? "%s.%ld.tmp" : "%s", path, (long)getpid()) < 0)
        return tool_fail(TOOL_FAILED, "out of memory");
    errno = 0;
    FILE *f = fopen(temporary, "wb");
    bool ok = f && write_png(c, f);
    if (f && fclose(f) != 0)
        ok = false;
    if (ok && plain)
        ok = rename(temporary, path) == 0;
    int code =
        ok ? TOOL_OK
           : tool_fail(TOOL_UNWRITABLE, "%s: cannot be written (%s)", path, errno ? strerror(errno) : "disk full?");
    if (!ok && f && plain)
        unlink(temporary);
    free(temporary);
    return code;
}
