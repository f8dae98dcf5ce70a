// SPDX-License-Identifier: LGPL-2.1-or-later
// Macros of all public headers. EBB_API marks the symbols that the shared library exports; all others are
// hidden. Declarations between EBB_BEGIN_DECLS and EBB_END_DECLS have C linkage in C++ too.
#ifndef EBB_EXPORT_H
#define EBB_EXPORT_H

#define EBB_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define EBB_BEGIN_DECLS extern "C" {
#define EBB_END_DECLS }
#else
#define EBB_BEGIN_DECLS
#define EBB_END_DECLS
#endif

#endif
