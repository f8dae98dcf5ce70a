// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/plain.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain; // kept for the life of the process; 0: no memory, the thread's own is used

static void make_plain(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

// The calling thread's locale becomes "C"; returns the one before, for uselocale().
static locale_t use_plain(void)
{
    pthread_once(&once, make_plain);
    return uselocale(plain);
}

double ebb_plain_number(const char *text, char **end)
{
    locale_t before = use_plain();
    double number = strtod(text, end);
    uselocale(before);
    return number;
}

int ebb_plain_vprint(char *text, size_t size, const char *format, va_list args)
{
    locale_t before = use_plain();
    int length = vsnprintf(text, size, format, args);
    uselocale(before);
    return length;
}

int ebb_plain_print(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = ebb_plain_vprint(text, size, format, args);
    va_end(args);
    return length;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool ebb_plain_same(const char *a, const char *b, size_t size)
{
    size_t i = 0;
    while (i < size && lower(a[i]) == lower(b[i]) && a[i])
        i++;
    return i == size || (!a[i] && !b[i]);
}
