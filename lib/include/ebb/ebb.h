// SPDX-License-Identifier: LGPL-2.1-or-later
// Ebb: diffusion audio. This header is for applications: the promise below holds for everything in it.
// Tools for researchers are in ebb/lab.h; the promise does not hold for them.
//
//   error.h    results and messages             generate.h  one sound
//   log.h      log lines                        stream.h    sound without end
//   device.h   devices, on which networks run   edit.h      changing a recording
//   model.h    model folders and labels         denoise.h   cleaning a recording
//   recipe.h   how a sound is asked for         audio.h     sound files and whole sounds
//   sampler.h  samplers and spacings by name    progress.h  what a call tells while it computes
//   version.h  which Ebb this is                output.h    files that appear when they are whole
//                                               memory.h    how much a call may take
//
// Conventions
//   Names     x_open / x_close for things that exist before the call: a model folder, a sound file to read.
//             x_create / x_destroy for things that the call makes: a device, a stream, a sound file to
//             write. close and destroy take the address of the pointer, clear the pointer, and do nothing
//             with NULL.
//   Lists     x_next(NULL) is the first, x_next(previous) the one after it, NULL after the last: EBB_EACH_X.
//   Choices   The model chooses a setting that the recipe leaves open. Outside of recipes the library
//             chooses: a number where it is 0 (CPU threads), a name or an object where it is NULL (device).
//   Errors    The last parameter `error` may be NULL. No call prints, exits or aborts.
//   Threads   Any thread may call the library. It needs 128 KiB of stack.
//   Units     Samples are float32 in [-1, 1], rates in Hz, times in seconds.
//
// The promise: a program built with these headers runs with every later library of its soname, libebb.so.1.
//   Functions keep their names, parameters and meaning, enums their numbers; new ones may be added.
//   Structs that the library hands out by pointer (ebb_model_info, ...) may grow at their end.
//     Read their fields; do not copy whole structs or put them in arrays.
//   Structs in the caller's memory keep their size. Those with a field `reserved` may grow into it: begin
//     them with zeros (= {0}) and leave the field alone. Those that begin with `size` may grow at their end.
// Only a release that breaks this promise changes the soname; NEWS.md says so then.
#ifndef EBB_EBB_H
#define EBB_EBB_H

#include <ebb/audio.h>
#include <ebb/denoise.h>
#include <ebb/device.h>
#include <ebb/edit.h>
#include <ebb/error.h>
#include <ebb/generate.h>
#include <ebb/log.h>
#include <ebb/memory.h>
#include <ebb/model.h>
#include <ebb/output.h>
#include <ebb/progress.h>
#include <ebb/recipe.h>
#include <ebb/sampler.h>
#include <ebb/stream.h>
#include <ebb/version.h>

#endif
