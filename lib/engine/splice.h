// A stretch of a recording sounded anew from a spectrogram, so that it goes on from the recording at both ends: the frames that
// overlap the stretch are new, all samples outside it are known to the phase reconstruction. At the model's rate, one channel.
//
// Two kinds of new frames. From nothing: magnitudes and phases as for any generated sound, at the level that the surroundings
// have beside what the network made of them. From the recording: where the spectrogram changed little, the recording's own bins
// with that change as a gain; where it changed much, new ones; in between a share of either. No change gives the recording.
#ifndef EBB_ENGINE_SPLICE_H
#define EBB_ENGINE_SPLICE_H

#include "engine/engine.h"

// What network values stand for: dB = center + value * range. In an edit that is the model's own scale moved to where the
// recording is as loud as what the network learned from.
struct ebb_scale {
    double center, range;
};

struct ebb_splice {
    struct ebb_scale scale;
    const float *made, *was; // (n_mels, frames), see engine/retake.h
    int frames;
    int covered_from, covered_to; // frames of them that mean something
    int here_from, here_to;       // frames that are recorded
    size_t from, to;              // samples to make
    size_t fade;                  // so many more on either side are made too, to be blended with the recording
    const float *gain;            // per bin, 0..1: the part of each that is edited; NULL: all
    bool from_recording;
    bool goes_on; // what is new goes on from what was, rather than starting anew
    int iterations;
    uint64_t seed; // of phases and grain
    struct ebb_pulse pulse;
};

// Frames that overlap samples from..to of `count`: the ones to be made.
void ebb_splice_frames(const struct ebb_mel *mel, size_t from, size_t to, size_t count, int *first, int *last);

// Keeps of `samples` (`count` of them) what lies in the bins as `gain` says. false: memory.
bool ebb_splice_filter(struct ebb_mel *mel, const float *gain, const float *samples, size_t count, float *filtered);

// Changes samples from - fade .. to + fade of `sound`, a copy of `recorded`. `recorded` is what is edited of the recording,
// filtered where there is a gain; `channel` the recording whole, for its level around the stretch.
enum ebb_result ebb_splice_make(struct ebb_model *model, const struct ebb_splice *splice, const float *channel,
                                const float *recorded, float *sound, size_t count, struct ebb_error *error);

#endif
