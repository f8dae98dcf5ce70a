// SPDX-License-Identifier: LGPL-2.1-or-later
// Loudness and peak of a sound that comes piece by piece: what ebb_sound_loudness() and ebb_sound_peak() say
// of the whole, without holding it. The memory is that of a few numbers for each 100 ms.
#ifndef EBB_METER_H
#define EBB_METER_H

#include <stddef.h>

#include <ebb/error.h>
#include <ebb/export.h>

EBB_BEGIN_DECLS

struct ebb_meter;

// 1..64 channels, 16..2822400 Hz. NULL on failure.
EBB_API struct ebb_meter *ebb_meter_create(int channels, int rate, struct ebb_error *error);
EBB_API void ebb_meter_destroy(struct ebb_meter **meter);

// The next `frames` frames, channels interleaved.
EBB_API enum ebb_result ebb_meter_add(struct ebb_meter *meter, const float *samples, size_t frames,
                                      struct ebb_error *error);

// Integrated loudness in LUFS of all that was added; -INFINITY: no block is louder than -70 LUFS. A sound
// under 400 ms is measured as if silence followed. Called once, after the last frames.
EBB_API double ebb_meter_loudness(struct ebb_meter *meter);

// Largest |sample| of all that was added; 0 for no samples.
EBB_API double ebb_meter_peak(const struct ebb_meter *meter);

EBB_END_DECLS

#endif
