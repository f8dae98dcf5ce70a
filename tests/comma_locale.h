// SPDX-License-Identifier: LGPL-2.1-or-later
// A locale whose numbers have a comma, as a program on a German or French desktop has it. It is made here: a
// small machine has none.
#ifndef EBB_COMMA_LOCALE_H
#define EBB_COMMA_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// False: the C library does not read this file (it is glibc's, of little-endian processors). Ends with
// setlocale(LC_NUMERIC, "C").
static inline bool comma_locale(void)
{
    static const unsigned char numeric[] = {// LC_NUMERIC of de_DE.UTF-8, as localedef writes it
                                            0x14, 0x11, 0x03, 0x20, 0x06, 0,    0,    0,   0x20, 0,    0,
                                            0,    0x22, 0,    0,    0,    0x24, 0,    0,   0,    0x28, 0,
                                            0,    0,    0x2c, 0,    0,    0,    0x30, 0,   0,    0,    ',',
                                            0,    '.',  0,    3,    3,    0,    0,    ',', 0,    0,    0,
                                            '.',  0,    0,    0,    'U',  'T',  'F',  '-', '8',  0};
    char folder[] = "/tmp/ebb-locale-XXXXXX", path[64], text[8];
    if (!mkdtemp(folder))
        return false;
    snprintf(path, sizeof(path), "%s/comma", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/comma/LC_NUMERIC", folder);
    FILE *f = fopen(path, "wb");
    bool made = f && fwrite(numeric, 1, sizeof(numeric), f) == sizeof(numeric);
    made = f && fclose(f) == 0 && made;
    setenv("LOCPATH", folder, 1);
    made = made && setlocale(LC_NUMERIC, "comma");
    unsetenv("LOCPATH");
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
    rmdir(folder);
    snprintf(text, sizeof(text), "%.1f", 0.5);
    return made && strcmp(text, "0,5") == 0;
}

#endif
