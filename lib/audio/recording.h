// SPDX-License-Identifier: LGPL-2.1-or-later
// Which recordings Ebb takes: for cleaning, for edits, and to see their mel.
#ifndef EBB_AUDIO_RECORDING_H
#define EBB_AUDIO_RECORDING_H

#include <ebb/error.h>

enum { EBB_RECORDING_LEAST_RATE = 1000, EBB_RECORDING_MOST_RATE = 768000, EBB_RECORDING_CHANNELS = 64 };

// Refuses a rate in Hz, or a number of channels, that is out of range.
enum ebb_result ebb_recording_check(int rate, int channels, struct ebb_error *error);

#endif
