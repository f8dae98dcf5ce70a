// SPDX-License-Identifier: LGPL-2.1-or-later
// How many bytes of samples the headers of AVR, NIST, VOC, WVE, MPC 2000, SDS, XI and Matlab files promise.
// Most have a header of one length. libsndfile takes a shorter file for a whole one.
#ifndef EBB_AUDIO_FIXED_HEADER_H
#define EBB_AUDIO_FIXED_HEADER_H

#include "audio/container.h"

// The place of the samples and how many bytes of them there should be; false: another format.
bool ebb_fixed_header_find(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised);

// Whether a VOC has more blocks of sound behind the first one, which `layout` has.
bool ebb_voc_goes_on(ebb_peek *peek, void *file, const struct ebb_layout *layout);

#endif
