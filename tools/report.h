// SPDX-License-Identifier: LGPL-2.1-or-later
// What `--json` prints of each sound, a line each.
#ifndef EBB_TOOLS_REPORT_H
#define EBB_TOOLS_REPORT_H

#include <jansson.h>

#include "tool.h"

// Digits of the numbers in JSON: of what was measured, such as seconds and dB; of what a model's files say,
// which floats hold; of settings, as they are read again.
enum { REPORT_MEASURED = 6, REPORT_FLOAT = 9, REPORT_DOUBLE = 15 };

// A text of any bytes: what is no UTF-8 becomes \xe9.
json_t *report_text(const char *text);

// Of a file that failed, named by `key`: with what was said last.
json_t *report_failure(const char *key, const char *path);

// File and status; `seconds` of sound and what it took, where sound was made (above 0). To be added to and
// printed.
json_t *report_of(const char *path, const char *status, double seconds, double took);
void report_print(json_t *report); // takes it

// What is no line of a row, over several lines. Takes it.
void report_print_tree(json_t *report, int digits);
#endif
