// SPDX-License-Identifier: LGPL-2.1-or-later
// Errors: a call that can fail returns a code for the program and writes a sentence for the person.
#ifndef EBB_ERROR_H
#define EBB_ERROR_H

#include <stddef.h>

#include <ebb/export.h>

EBB_BEGIN_DECLS

enum ebb_result {
    EBB_OK = 0,
    EBB_INVALID,       // an argument or a setting is outside its range
    EBB_NOT_FOUND,     // there is no file, model, label, device or choice of that name
    EBB_UNREADABLE,    // a file is there but cannot be read
    EBB_UNWRITABLE,    // a file cannot be written: permissions, disk full
    EBB_WRONG_TYPE,    // a file is of another kind than the call needs: a text file as a sound
    EBB_UNSUPPORTED,   // a file is of the right kind, with an option that Ebb does not have
    EBB_CORRUPT,       // a file is truncated or inconsistent, a checksum is wrong, a number is not finite
    EBB_OUT_OF_MEMORY, // on the host or on the device
    EBB_NO_DEVICE,     // the named device cannot be used here
    EBB_DEVICE_FAILED, // a device was lost or returned wrong values
    EBB_CANCELLED,     // the caller's progress function stopped the call
};

// A failing call fills it, unless the caller passes NULL; a successful call leaves it alone. Plain data,
// nothing to free. The struct will never have more than these two fields.
struct ebb_error {
    enum ebb_result code;
    char message[512]; // one sentence, UTF-8: the thing by name, the value found and the value expected
};

// The code in lower-case words, such as "no memory"; a static string, never NULL.
EBB_API const char *ebb_result_name(enum ebb_result result);

// The one of the `count` names that is spelled most like `text`, for messages; NULL if none is near.
EBB_API const char *ebb_near_name(const char *text, const char *const *names, size_t count);

EBB_END_DECLS

#endif
