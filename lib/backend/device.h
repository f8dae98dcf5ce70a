// SPDX-License-Identifier: LGPL-2.1-or-later
// Devices: calls for the library's own use, beside the public ones of ebb/device.h.
#ifndef EBB_BACKEND_DEVICE_H
#define EBB_BACKEND_DEVICE_H

#include <ebb/device.h>

// One more reference to the device. Each reference is given up with ebb_device_destroy().
struct ebb_device *ebb_device_share(struct ebb_device *device);
// The fallback: the CPU in place of a GPU that "auto" chose. `why` is the reason, for ebb_device_fallback()
// and the log. NULL: the device was chosen by name, or is the CPU, or out of memory.
struct ebb_device *ebb_device_retreat(const struct ebb_device *device, const char *why);
const struct ebb_log *ebb_device_log(const struct ebb_device *device);

#endif
