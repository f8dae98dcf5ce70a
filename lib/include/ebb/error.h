// How a call that can fail says so: a code the caller can act on and a sentence a person can act on.
#ifndef EBB_ERROR_H
#define EBB_ERROR_H

#include <ebb/export.h>

enum ebb_result {
    EBB_OK = 0,
    EBB_INVALID,       // an argument or setting is outside what is allowed
    EBB_NOT_FOUND,     // no such file, model, label, device or name
    EBB_UNREADABLE,    // it is there but cannot be read
    EBB_UNWRITABLE,    // cannot be written: permissions, disk full
    EBB_WRONG_TYPE,    // readable, but another kind of thing than asked for
    EBB_UNSUPPORTED,   // the right kind of thing, with an option we do not have
    EBB_CORRUPT,       // truncated, inconsistent, checksum wrong, not finite
    EBB_OUT_OF_MEMORY, // host or device
    EBB_NO_DEVICE,     // the device asked for cannot be used here
    EBB_DEVICE_FAILED, // a device was lost or returned nonsense
    EBB_CANCELLED,     // the caller's progress function asked to stop
};

// Filled by a failing call when the caller passes one; left alone on success. Plain data, nothing to free.
struct ebb_error {
    enum ebb_result code;
    char message[512]; // one sentence, UTF-8, names the thing, what was found and what was expected
};

// The code in lower-case words, "out of memory"; a static string, never NULL.
EBB_API const char *ebb_result_name(enum ebb_result result);

#endif
