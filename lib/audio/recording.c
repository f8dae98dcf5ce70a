// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/recording.h"

#include "base/base.h"

enum ebb_result ebb_recording_check(int rate, int channels, struct ebb_error *error)
{
    if (rate < EBB_RECORDING_LEAST_RATE || rate > EBB_RECORDING_MOST_RATE)
        return ebb_fail(error, EBB_INVALID, "the rate is %d Hz, expected %d to %d", rate,
                        EBB_RECORDING_LEAST_RATE, EBB_RECORDING_MOST_RATE);
    if (channels < 1 || channels > EBB_RECORDING_CHANNELS)
        return ebb_fail(error, EBB_INVALID, "%d channels, expected 1 to %d", channels,
                        EBB_RECORDING_CHANNELS);
    return EBB_OK;
}
