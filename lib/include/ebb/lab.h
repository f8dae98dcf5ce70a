// SPDX-License-Identifier: LGPL-2.1-or-later
// Ebb's lab: headers with which researchers look inside Ebb and compare it with other implementations. The
// promise of ebb/ebb.h does not hold for them: every release may change them without a new soname. A
// program that uses them runs with the very release that it was built with; the dynamic linker refuses
// every other release, because the symbols' version names the release (EBB_LAB_0.1.0).
//
//   net.h       one network on its own, for checking against PyTorch
//   schedule.h  noise schedules, the forward process and predictions as numbers, the times of a run
//   forward.h   the forward process on tensors
//   latents.h   the state of sounds and of recordings, at the end of a run and on the way
//   tokens.h    the tokenizer of a text encoder
//   mel.h       mel spectrograms of sounds, and sounds from mel spectrograms
//   meter.h     loudness and peak of a sound that comes piece by piece
//   resample.h  another rate for a sound that comes piece by piece
#ifndef EBB_LAB_H
#define EBB_LAB_H

#include <ebb/forward.h>
#include <ebb/latents.h>
#include <ebb/mel.h>
#include <ebb/meter.h>
#include <ebb/net.h>
#include <ebb/resample.h>
#include <ebb/schedule.h>
#include <ebb/tokens.h>

#endif
