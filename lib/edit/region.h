// SPDX-License-Identifier: LGPL-2.1-or-later
// The region of an edit: the span and the part of the recording around it that the network sees. The region
// is brought to the model's rate, regenerated and resynthesised, and brought back to the recording's rate.
#ifndef EBB_EDIT_REGION_H
#define EBB_EDIT_REGION_H

#include <ebb/audio.h>

#include "edit/regenerate.h"
#include "edit/resynthesis.h"

// Frames are those of `sound`, the recording, with silence where the edit adds new sound before or after
// it.
struct ebb_region_job {
    const struct ebb_sound *sound; // borrowed
    size_t from, to;               // the span, frames from .. to - 1
    size_t here_from, here_to;     // the frames that are recorded
    double low, high;              // band that is edited, Hz; 0 and INFINITY: all frequencies
    const struct ebb_settled *settled;
    struct ebb_noise_address noise;
    uint64_t seed; // of phases and grain
    double angle;  // as in edit/regenerate.h, with from_recording and starts
    bool from_recording, starts;
    int iterations; // of Griffin-Lim
    size_t fade;    // frames on either side of the span that are blended with the recording
    struct ebb_progress_span progress;
};

// Edits the region: writes frames from - fade .. to + fade - 1 of `output`, which has the frames and
// channels of the recording, interleaved, and may be the recording's own samples. The model must be ready.
enum ebb_result ebb_region_edit(struct ebb_model *model, const struct ebb_region_job *job, float *output,
                                struct ebb_error *error);

#endif
