// SPDX-License-Identifier: LGPL-2.1-or-later
// Versions: of the headers that a program is built with, and of the library that it runs with.
#ifndef EBB_VERSION_H
#define EBB_VERSION_H

#include <ebb/export.h>

EBB_BEGIN_DECLS

#define EBB_VERSION_MAJOR 0
#define EBB_VERSION_MINOR 1
#define EBB_VERSION_PATCH 0

// For #if: whether the version of these headers is major.minor.patch or newer.
#define EBB_VERSION_AT_LEAST(major, minor, patch)                                                            \
    (EBB_VERSION_MAJOR * 1000000 + EBB_VERSION_MINOR * 1000 + EBB_VERSION_PATCH >=                           \
     (major)*1000000 + (minor)*1000 + (patch))

// The library's version, "0.1.0"; a static string.
EBB_API const char *ebb_version(void);

EBB_END_DECLS

#endif
