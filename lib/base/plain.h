// SPDX-License-Identifier: LGPL-2.1-or-later
// Text that machines read, whatever the program's locale: a number has a point, and letters are those of
// ASCII. Programs of a desktop call setlocale(), after which strtod() of C expects a comma in half of Europe.
#ifndef EBB_BASE_PLAIN_H
#define EBB_BASE_PLAIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// strtod(), snprintf() and vsnprintf() of the locale "C".
double ebb_plain_number(const char *text, char **end);
int ebb_plain_print(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int ebb_plain_vprint(char *text, size_t size, const char *format, va_list args);

// Whether the first `size` bytes of both, or all up to a 0 in both, are the same but for capitals.
bool ebb_plain_same(const char *a, const char *b, size_t size);

#endif
