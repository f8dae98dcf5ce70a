// Ebb: diffusion audio. This header includes the whole public API.
//
//   error.h    results and messages          device.h   where networks run
//   schedule.h noise schedules               sampler.h  samplers by name
//   forward.h  noise added to tensors
//   model.h    model folders and labels      generate.h one sound
//   stream.h   sound without end             denoise.h  cleaning a recording
//   edit.h     changing a recording          audio.h    WAV, STFT, mel, phase
//   net.h      one network, for checking against PyTorch
//
// Conventions: struct ebb_x *ebb_x_create() / ebb_x_destroy(struct ebb_x **), destroy takes NULL and clears the
// pointer. Parameter structs live for the call; NULL means all defaults; ebb_x_params_default() fills one, and every
// value set after that means itself, zero included. Samples are float32 in [-1, 1], rates in Hz, times in seconds.
// The last parameter `error` may be NULL. No call prints, exits or aborts.
#ifndef EBB_EBB_H
#define EBB_EBB_H

#include <ebb/audio.h>
#include <ebb/denoise.h>
#include <ebb/device.h>
#include <ebb/edit.h>
#include <ebb/error.h>
#include <ebb/forward.h>
#include <ebb/generate.h>
#include <ebb/log.h>
#include <ebb/model.h>
#include <ebb/net.h>
#include <ebb/sampler.h>
#include <ebb/schedule.h>
#include <ebb/stream.h>

// The library's version, "0.1.0"; a static string.
EBB_API const char *ebb_version(void);

#endif
