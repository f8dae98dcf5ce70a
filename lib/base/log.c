// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/base.h"

#include "base/plain.h"

void ebb_logf(const struct ebb_log *log, enum ebb_log_level level, const char *format, ...)
{
    if (!log || !log->write)
        return;

    char line[1024];
    va_list args;
    va_start(args, format);
    ebb_plain_vprint(line, sizeof(line), format, args);
    va_end(args);
    log->write(log->user, level, line);
}
