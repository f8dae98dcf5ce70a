// SPDX-License-Identifier: LGPL-2.1-or-later
// Resynthesising a span of a recording: the second half of an edit, from a regenerated spectrogram to
// samples that go on from the recording at both ends. Frames that overlap the span are new; the phase
// reconstruction keeps all samples outside it. At the model's rate, one channel.
//
// The new frames are of two kinds. Where the span started from noise alone, they have magnitudes and phases
// as any generated sound, at the loudness of the recording around the span. Where it started from the
// recording, a bin whose band changed little is the recording's own bin with the change as a gain; a bin
// whose band changed much is new; in between it is a mixture. A spectrogram without changes gives the
// recording itself.
#ifndef EBB_EDIT_RESYNTHESIS_H
#define EBB_EDIT_RESYNTHESIS_H

#include "model/workspace.h"

// The dB that network values stand for: dB = center + value * range. In an edit it is the model's own
// scale, moved by the difference in loudness between the recording and the network's training sounds.
struct ebb_scale {
    double center, range;
};

struct ebb_resynthesis {
    const float *channel;  // one channel of the recording, whose loudness around the span is measured
    const float *recorded; // the part of it that is edited: filtered by `gain`, or the channel itself
    size_t count;          // samples of each
    struct ebb_scale scale;
    const float *made, *was; // (n_mels, frames), see edit/regenerate.h
    int frames;
    int covered_from, covered_to; // frames of `made` and `was` that are valid
    int here_from, here_to;       // frames that are recorded
    size_t from, to;              // the span, samples from .. to - 1
    size_t fade;                  // samples on either side that are made too and blended with the recording
    const float *gain;            // per bin, 0..1: the share of the bin that is edited; NULL: the whole bin
    bool from_recording;          // see edit/regenerate.h
    bool goes_on;                 // as loud as the recording at both ends; false: an event begins here
    int iterations;               // of Griffin-Lim
    uint64_t seed;                // of phases and grain
    struct ebb_progress_span progress;
};

// The frames that overlap samples from .. to - 1 of `count` samples: frames first .. last - 1.
void ebb_resynthesis_frames(const struct ebb_mel *mel, size_t from, size_t to, size_t count, int *first,
                            int *last);

// Filters `count` samples: multiplies every bin by its gain. false: out of memory.
bool ebb_resynthesis_filter(struct ebb_mel *mel, const float *gain, const float *samples, size_t count,
                            float *filtered);

// Writes samples from - fade .. to + fade - 1 of `sound`, which comes in as a copy of `recorded`.
enum ebb_result ebb_resynthesise(struct ebb_model *model, const struct ebb_resynthesis *job, float *sound,
                                 struct ebb_error *error);

#endif
