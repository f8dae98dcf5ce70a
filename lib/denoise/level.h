// SPDX-License-Identifier: LGPL-2.1-or-later
// How loud a recording is, and the gain that brings it to a level the network has learned.
//
// Only the network sees the recording with this gain. The network answers with a share for each cell, and a
// share holds at any level. The gain is 1 for all recordings of usual level. A level is the power of a frame
// in dB against full scale.
#ifndef EBB_DENOISE_LEVEL_H
#define EBB_DENOISE_LEVEL_H

#include <stddef.h>
#include <stdint.h>

// The network was trained on sounds at -45 to -12 dB, in noise below them. The goal is the level of the
// louder frames of speech at -26 dB (RMS): some 5 dB above the RMS.
#define EBB_LEVEL_LOW (-50.0)
#define EBB_LEVEL_HIGH 0.0
#define EBB_LEVEL_GOAL (-21.0)

// 10 s at hop 512 and 48 kHz. A shorter pause does not make a recording quiet.
enum { EBB_LEVEL_FRAMES = 940 };

struct ebb_level {
    double loudest[2]; // dB: of the present stretch of EBB_LEVEL_FRAMES frames, and of the one before
    int64_t frames;    // of the present stretch
    double gain;       // dB
};

void ebb_level_reset(struct ebb_level *level);

// Takes the level `db` of the next `frames` frames (-INFINITY: silence) and returns the gain for them in dB.
double ebb_level_follow(struct ebb_level *level, double db, int frames);

// The level that one in ten of `count` frames exceeds, in dB against a full-scale square wave. A click or a
// broken sample does not change it. Sorts `power`. -INFINITY: `count` is 0, or all frames are silent.
double ebb_level_of(float *power, size_t count);

#endif
