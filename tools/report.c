// SPDX-License-Identifier: LGPL-2.1-or-later
// What `--json` prints of each sound, a line each.
#include "report.h"

json_t *report_text(const char *text)
{
    enum { LONGEST = 1 << 14 };
    char plain[LONGEST];
    json_t *string = json_string(text);
    return string ? string : json_string(tool_printable(plain, sizeof(plain), text));
}

json_t *report_failure(const char *key, const char *path)
{
    json_t *o = json_pack("{s:s, s:s}", "status", "failed", "error", tool_said());
    json_object_set_new(o, key, report_text(path));
    return o;
}

json_t *report_of(const char *path, const char *status, double seconds, double took)
{
    json_t *o = json_pack("{s:o, s:s}", "file", report_text(path), "status", status);
    if (seconds > 0) {
        json_object_set_new(o, "seconds", json_real(seconds));
        json_object_set_new(o, "took", json_real(took));
    }
    return o;
}

static void print(json_t *report, size_t flags)
{
    json_dumpf(report, stdout, flags);
    putchar('\n');
    fflush(stdout);
    json_decref(report);
}

void report_print(json_t *report)
{
    print(report, JSON_COMPACT | JSON_REAL_PRECISION(REPORT_MEASURED));
}

void report_print_tree(json_t *report, int digits)
{
    print(report, JSON_INDENT(1) | JSON_REAL_PRECISION(digits));
}
