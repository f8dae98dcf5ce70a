// SPDX-License-Identifier: LGPL-2.1-or-later
// Functions of the caller's that Ebb calls while it computes: progress, stopping, states on the way,
// counts.
#ifndef EBB_PROGRESS_H
#define EBB_PROGRESS_H

#include <stdbool.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

// Receives the share of the call that is done, 0..1, at least once per network evaluation, on the calling
// thread. To stop the call, return false: it then returns EBB_CANCELLED within one network evaluation.
typedef bool (*ebb_progress)(void *user, double fraction);

// Work of a sampler's run.
struct ebb_counts {
    int evals;    // network evaluations
    int rejected; // steps that the sampler rk45 discarded and made again, smaller
    int reserved[6];
};

struct ebb_generate_step; // latents.h

// The caller's functions. Initialise it with EBB_HOOKS and set the fields that you need; zero: none. What
// `user` and `counts` point to must live as long as the call, or as the object that was created with it.
struct ebb_hooks {
    size_t size; // of this struct, as the caller knows it
    ebb_progress progress;
    bool (*watch)(void *user, const struct ebb_generate_step *step); // for researchers, see latents.h
    void *user;                                                      // first argument of both functions
    struct ebb_counts *counts; // receives the counts of the sound's last window
};
#define EBB_HOOKS                                                                                            \
    {                                                                                                        \
        sizeof(struct ebb_hooks), 0, 0, 0, 0                                                                 \
    }

EBB_END_DECLS

#endif
